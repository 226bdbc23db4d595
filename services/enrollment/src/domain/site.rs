//! Sites: added, approved, opened, paused, closed.

use super::{
    Changes, Next, Refusal, Rule, approval, first_rules, grown, must_be_new, must_exist, needing, newest, on_newest,
    present_rules, study, study_exists,
};
use seal::{
    authority::authorise,
    command::{ActivateSite, AddSite, CloseSite, PauseSite, Payload, RecordSiteApproval, State, Task},
    dsse::Envelope,
    fact::{Fact, Facts, List, Subject},
    id::Name,
};

impl Rule for AddSite {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [Subject::Site(self.site.clone()), Subject::List(List::Sites)];
        needing(self, envelope, (Task::ManageStudy, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        if self.site.as_str() == Name::ALL_SITES {
            return Err(Refusal::Malformed { field: "site", what: "`*` is reserved for all sites" });
        }
        let subject = Subject::Site(self.site.clone());
        must_be_new(facts, &subject, "site")?;
        if first_rules(facts) {
            return Ok(vec![(subject, Fact::Site { open: false, changed: next.number, state: None, newest: None })]);
        }
        Ok(enter(facts, &self.site, State::Planned, (envelope, next)))
    }
}

impl Rule for RecordSiteApproval {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [
            Subject::Site(self.site.clone()),
            Subject::SiteApproval(self.site.clone()),
            Subject::Protocol(self.protocol.clone()),
            Subject::List(List::Sites),
        ];
        needing(self, envelope, (Task::ManageStudy, &self.site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &self.site, next.time)?;
        must_exist(facts, &Subject::Site(self.site.clone()), "site")?;
        must_exist(facts, &Subject::Protocol(self.protocol.clone()), "protocol version")?;
        approval::check(&self.approval, next)?;
        if self.approval.body.is_none() {
            return Err(Refusal::Malformed { field: "approval.body", what: "required: the board that approved it" });
        }
        let (protocol, approval) = (self.protocol.clone(), self.approval.clone());
        let subject = Subject::SiteApproval(self.site.clone());
        on_newest(self, facts, &subject)?;
        let fact = Fact::SiteApproval { protocol, approval, recorded: next.number, newest: newest(facts, envelope) };
        Ok(vec![(subject, fact), grown(facts, List::Sites)])
    }
}

impl Rule for ActivateSite {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [Subject::SiteApproval(self.site.clone()), Subject::StudyState];
        moving(self, envelope, &self.site).into_iter().chain(more).collect()
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &self.site, next.time)?;
        if first_rules(facts) {
            return switch(facts, &self.site, true, next);
        }
        match state(facts, &self.site)? {
            State::Planned => {}
            State::Paused => {
                must_say_why(self.reason.as_ref())?;
                on_newest(self, facts, &Subject::Site(self.site.clone()))?;
            }
            from @ (State::Open | State::Closed) => {
                return Err(Refusal::SiteStateNotPermitted { from, to: State::Open });
            }
        }
        facts.find(&Subject::SiteApproval(self.site.clone())).ok_or(Refusal::SiteNotApproved)?;
        study::must_be_open(facts)?;
        Ok(enter(facts, &self.site, State::Open, (envelope, next)))
    }
}

impl Rule for PauseSite {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        moving(self, envelope, &self.site)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &self.site, next.time)?;
        match state(facts, &self.site)? {
            State::Open => Ok(enter(facts, &self.site, State::Paused, (envelope, next))),
            from => Err(Refusal::SiteStateNotPermitted { from, to: State::Paused }),
        }
    }
}

impl Rule for CloseSite {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        moving(self, envelope, &self.site)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &self.site, next.time)?;
        if first_rules(facts) {
            return switch(facts, &self.site, false, next);
        }
        match state(facts, &self.site)? {
            from @ State::Closed => Err(Refusal::SiteStateNotPermitted { from, to: State::Closed }),
            _ => must_say_why(self.reason.as_ref()).map(|()| enter(facts, &self.site, State::Closed, (envelope, next))),
        }
    }
}

fn moving<P: Payload>(command: &P, envelope: &Envelope, site: &Name) -> Vec<Subject> {
    let more = [Subject::Site(site.clone()), Subject::List(List::Sites)];
    needing(command, envelope, (Task::ManageStudy, site), more)
}

fn must_say_why(reason: Option<&Name>) -> Result<(), Refusal> {
    reason.map(|_| ()).ok_or(Refusal::Malformed { field: "reason", what: "a reason is required" })
}

/// Where a site stands.
pub(super) fn state(facts: &Facts, site: &Name) -> Result<State, Refusal> {
    match facts.find(&Subject::Site(site.clone())) {
        Some(Fact::Site { state: Some(state), .. }) => Ok(*state),
        _ => Err(Refusal::NotFound("site")),
    }
}

/// Data are captured at a paused site too.
fn enter(facts: &Facts, site: &Name, state: State, (envelope, next): (&Envelope, Next)) -> Changes {
    let open = matches!(state, State::Open | State::Paused);
    let fact = Fact::Site { open, changed: next.number, state: Some(state), newest: newest(facts, envelope) };
    vec![(Subject::Site(site.clone()), fact), grown(facts, List::Sites)]
}

/// Opens or closes a site under the first rules.
fn switch(facts: &Facts, site: &Name, open: bool, next: Next) -> Result<Changes, Refusal> {
    let subject = Subject::Site(site.clone());
    match facts.find(&subject) {
        Some(Fact::Site { open: now, .. }) if *now == open => Err(Refusal::SiteStateUnchanged),
        Some(_) => Ok(vec![(subject, Fact::Site { open, changed: next.number, state: None, newest: None })]),
        None => Err(Refusal::NotFound("site")),
    }
}
