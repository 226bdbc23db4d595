//! Studies, protocol versions and sites.

use super::{Changes, Next, Refusal, Rule, must_be_new, study_exists};
use seal::{
    authority::{authorise, subjects},
    command::{ActivateSite, ActorKind, AddProtocolVersion, AddSite, CloseSite, CreateStudy, Payload, Task},
    dsse::Envelope,
    fact::{Fact, Facts, Subject},
    id::Name,
};

impl Rule for CreateStudy {
    fn needs(&self, _: &Envelope) -> Vec<Subject> {
        vec![Subject::Study]
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        if facts.find(&Subject::Study).is_some() || next.number != 0 {
            return Err(Refusal::StudyExists);
        }
        if self.by.as_str() != Name::ROOT {
            return Err(Refusal::Malformed { field: "by", what: "a study is created by `root`" });
        }
        envelope.verify(&self.root_key)?;
        let registered = next.number;
        Ok(vec![
            (Subject::Study, Fact::Study { name: self.name.clone(), root_key: self.root_key, rules: self.rules }),
            (Subject::Actor(Name::root()), Fact::Actor { kind: ActorKind::Person, registered }),
            (
                Subject::Key(self.root_key.id()),
                Fact::Key { actor: Name::root(), key: self.root_key, registered, ended: None },
            ),
        ])
    }
}

impl Rule for AddProtocolVersion {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        manages(self, envelope, &Name::all_sites(), Subject::Protocol(self.version.clone()))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        let subject = Subject::Protocol(self.version.clone());
        must_be_new(facts, &subject, "protocol version")?;
        Ok(vec![(subject, Fact::Protocol { document: self.document, effective: self.effective })])
    }
}

impl Rule for AddSite {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        manages(self, envelope, &Name::all_sites(), Subject::Site(self.site.clone()))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        if self.site.as_str() == Name::ALL_SITES {
            return Err(Refusal::Malformed { field: "site", what: "`*` stands for every site" });
        }
        let subject = Subject::Site(self.site.clone());
        must_be_new(facts, &subject, "site")?;
        Ok(vec![(subject, Fact::Site { open: false, changed: next.number, state: None })])
    }
}

impl Rule for ActivateSite {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        manages(self, envelope, &self.site, Subject::Site(self.site.clone()))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &self.site, next.time)?;
        switch_site(facts, &self.site, true, next)
    }
}

impl Rule for CloseSite {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        manages(self, envelope, &self.site, Subject::Site(self.site.clone()))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &self.site, next.time)?;
        switch_site(facts, &self.site, false, next)
    }
}

fn manages<P: Payload>(command: &P, envelope: &Envelope, site: &Name, changed: Subject) -> Vec<Subject> {
    let mut needs = subjects(command.by(), envelope.key_ids(), Task::ManageStudy, site);
    needs.extend([Subject::Study, changed]);
    needs
}

fn switch_site(facts: &Facts, site: &Name, open: bool, next: Next) -> Result<Changes, Refusal> {
    let subject = Subject::Site(site.clone());
    match facts.find(&subject) {
        Some(Fact::Site { open: now, .. }) if *now == open => Err(Refusal::SiteStateUnchanged),
        Some(_) => Ok(vec![(subject, Fact::Site { open, changed: next.number, state: None })]),
        None => Err(Refusal::NotFound("site")),
    }
}
