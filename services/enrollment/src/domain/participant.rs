//! Registering participants, for screening or enrolled at once.

use super::{
    Changes, Next, Refusal, Rule,
    enrolment::{admission, admit, must_enrol, openness, screens},
    first_rules, grown, must_be_new, needing, present_rules, study_exists,
};
use seal::{
    authority::authorise,
    command::{ActorKind, ClearMatch, EnrolParticipant, ScreenParticipant, Stage, Task},
    dsse::Envelope,
    fact::{Fact, Facts, Holder, List, Subject},
    id::{Name, is_pseudonym},
    key::PublicKey,
    text::Hex,
};
use std::collections::BTreeSet;

/// The most registrations with one token.
const MAX_HOLDERS: usize = 64;

/// Who is registered, where, with which key.
struct Registration<'a> {
    participant: &'a Name,
    site: &'a Name,
    key: &'a PublicKey,
}

impl Registration<'_> {
    fn needs(&self) -> [Subject; 5] {
        [
            Subject::Site(self.site.clone()),
            Subject::Actor(self.participant.clone()),
            Subject::Key(self.key.id()),
            Subject::List(List::Participants(self.site.clone())),
            Subject::List(List::Participant(self.participant.clone())),
        ]
    }

    fn check_pseudonym(&self) -> Result<(), Refusal> {
        if is_pseudonym(self.participant) {
            return Ok(());
        }
        Err(Refusal::Malformed { field: "participant", what: "not `P-` and 16 random characters of A-Z and 2-7" })
    }

    /// The new actor, key and participant.
    fn register(&self, facts: &Facts, stage: Option<Stage>, next: Next) -> Result<Changes, Refusal> {
        let actor = Subject::Actor(self.participant.clone());
        let key = Subject::Key(self.key.id());
        must_be_new(facts, &actor, "participant")?;
        must_be_new(facts, &key, "key")?;
        let registered = next.number;
        Ok(vec![
            (actor, Fact::Actor { kind: ActorKind::Participant, registered }),
            (key, Fact::Key { actor: self.participant.clone(), key: *self.key, registered, ended: None }),
            (
                Subject::Participant(self.participant.clone()),
                Fact::Participant { site: self.site.clone(), enrolled: registered, withdrawn: None, stage },
            ),
        ])
    }

    fn lists(&self, facts: &Facts) -> [(Subject, Fact); 2] {
        [grown(facts, List::Participants(self.site.clone())), grown(facts, List::Participant(self.participant.clone()))]
    }
}

impl Rule for EnrolParticipant {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let Self { participant, site, key, .. } = self;
        let more = Registration { participant, site, key }.needs().into_iter().chain(admission(participant, site));
        needing(self, envelope, (Task::Enrol, site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        let Self { participant, site, key, .. } = self;
        let registration = Registration { participant, site, key };
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::Enrol, site, next.time)?;
        registration.check_pseudonym()?;
        if first_rules(facts) {
            if !facts.site_is_open(site) {
                return Err(Refusal::SiteNotOpen);
            }
            return registration.register(facts, None, next);
        }
        must_enrol(facts, site)?;
        if screens(facts) {
            return Err(Refusal::ScreeningRequired);
        }
        let mut changes = registration.register(facts, Some(Stage::Enrolled), next)?;
        changes.extend(admit(facts, participant, site)?);
        changes.extend(registration.lists(facts));
        Ok(changes)
    }
}

impl Rule for ScreenParticipant {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let Self { participant, site, key, token, .. } = self;
        let more = Registration { participant, site, key }.needs().into_iter().chain(openness(site));
        needing(self, envelope, (Task::Enrol, site), more.chain(token.map(Subject::Token)))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        let Self { participant, site, key, token, .. } = self;
        let registration = Registration { participant, site, key };
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::Enrol, site, next.time)?;
        registration.check_pseudonym()?;
        must_enrol(facts, site)?;
        let mut changes = registration.register(facts, Some(Stage::Screened), next)?;
        changes.extend(registration.lists(facts));
        if let Some(token) = token {
            changes.extend(hold(facts, *token, Holder { participant: participant.clone(), site: site.clone() })?);
        }
        Ok(changes)
    }
}

/// Adds a holder to a token. Each holder's match names the sites of the others, and nothing else of them.
fn hold(facts: &Facts, token: Hex, holder: Holder) -> Result<Changes, Refusal> {
    let subject = Subject::Token(token);
    let mut holders = match facts.find(&subject) {
        Some(Fact::Token { holders }) => holders.clone(),
        _ => Vec::new(),
    };
    if holders.len() >= MAX_HOLDERS {
        return Err(Refusal::DuplicateParticipation);
    }
    holders.push(holder);
    let matches: Changes =
        if holders.len() > 1 { holders.iter().map(|one| matched(one, &holders)).collect() } else { Vec::new() };
    Ok(matches.into_iter().chain([(subject, Fact::Token { holders })]).collect())
}

fn matched(one: &Holder, holders: &[Holder]) -> (Subject, Fact) {
    let others = holders.iter().filter(|other| other.participant != one.participant);
    let sites: BTreeSet<Name> = others.map(|other| other.site.clone()).collect();
    (Subject::Match(one.participant.clone()), Fact::Match { sites: sites.into_iter().collect(), cleared: None })
}

impl Rule for ClearMatch {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more =
            [Subject::Match(self.participant.clone()), Subject::List(List::Participant(self.participant.clone()))];
        needing(self, envelope, (Task::ManageStudy, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        let subject = Subject::Match(self.participant.clone());
        match facts.find(&subject) {
            Some(Fact::Match { sites, cleared: None }) => {
                let fact = Fact::Match { sites: sites.clone(), cleared: Some(next.number) };
                Ok(vec![(subject, fact), grown(facts, List::Participant(self.participant.clone()))])
            }
            Some(Fact::Match { .. }) => Err(Refusal::AlreadyEnded("match")),
            _ => Err(Refusal::NotFound("match")),
        }
    }
}
