//! Registering participants, for screening or enrolled at once.

use super::{
    Changes, Next, Refusal, Rule,
    enrolment::{admission, admit, must_enrol, openness, screens},
    first_rules, from_rules_3, grown, late, must_be_new, needing, present_rules, provable, study_exists, third_rules,
};
use seal::{
    dsse::Envelope,
    id::{Name, is_pseudonym},
    key::PublicKey,
    text::Hex,
};
use std::collections::BTreeSet;
use vocabulary::{
    authority::{Held, authorise, delegations},
    command::{ActorKind, ClearMatch, EnrolParticipant, LinkParticipants, ScreenParticipant, Stage, Task},
    fact::{self, Fact, Facts, Holder},
    subject::{self, List, Subject},
};

/// The most registrations with one token.
const MAX_HOLDERS: usize = 64;
/// How many participants of a site are ever held, from rules 3 on: more are no accident, but somebody who tries out tokens.
const MAX_HELD: u64 = 100;

/// Who is registered, where, with which key.
struct Registration<'a> {
    participant: &'a Name,
    site: &'a Name,
    key: &'a PublicKey,
}

impl Registration<'_> {
    fn needs(&self) -> [Subject; 5] {
        [
            subject::site(self.site),
            subject::actor(self.participant),
            subject::key(self.key.id()),
            subject::list(&List::Participants(self.site.clone())),
            subject::list(&List::Participant(self.participant.clone())),
        ]
    }

    fn check_pseudonym(&self) -> Result<(), Refusal> {
        if is_pseudonym(self.participant) {
            return Ok(());
        }
        Err(Refusal::Malformed { field: "participant", what: "not `P-` and 16 random characters of A-Z and 2-7" })
    }

    /// The new actor, key and participant, registered with the right of who signed. From rules 3 on the new key signs too.
    fn register(
        &self,
        (envelope, facts): (&Envelope, &Facts),
        (signed, held, late): (&PublicKey, &Held, Option<&Held>),
        stage: Option<Stage>,
        next: Next,
    ) -> Result<Changes, Refusal> {
        let actor = subject::actor(self.participant);
        let key = subject::key(self.key.id());
        if third_rules(facts) {
            envelope.verify(self.key)?; // first: whether a key is registered is said to who holds it
        }
        must_be_new(facts, &actor, "participant")?;
        must_be_new(facts, &key, "key")?;
        let rights = [held].into_iter().chain(late).map(|held| (signed, held));
        let steps = provable(facts, envelope, rights)?;
        let registered = next.number;
        Ok(vec![
            (actor, Fact::Actor(fact::Actor { kind: ActorKind::Participant, registered, site: None })),
            (
                key,
                Fact::Key(fact::Key {
                    actor: self.participant.clone(),
                    key: *self.key,
                    registered,
                    ended: None,
                    steps,
                }),
            ),
            (
                subject::participant(self.participant),
                Fact::Participant(fact::Participant {
                    site: self.site.clone(),
                    enrolled: registered,
                    withdrawn: None,
                    stage,
                }),
            ),
        ])
    }

    fn lists(&self, facts: &Facts) -> [(Subject, Fact); 2] {
        [
            grown(facts, &List::Participants(self.site.clone())),
            grown(facts, &List::Participant(self.participant.clone())),
        ]
    }
}

impl Rule for EnrolParticipant {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let Self { participant, site, key, .. } = self;
        let more = Registration { participant, site, key }.needs().into_iter().chain(admission(participant, site));
        needing(self, envelope, (Task::Enrol, site), more.chain(delegations(&self.by, Task::RecordLate, site)))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        let Self { participant, site, key, .. } = self;
        let registration = Registration { participant, site, key };
        study_exists(facts)?;
        let (signed, held) = authorise(facts, envelope, &self.by, Task::Enrol, site, next.time)?;
        let late = late(self, facts, site, next)?;
        registration.check_pseudonym()?;
        let with = (envelope, facts);
        if first_rules(facts) {
            if !facts.site_is_open(site) {
                return Err(Refusal::SiteNotOpen);
            }
            return registration.register(with, (&signed, &held, late.as_ref()), None, next);
        }
        must_enrol(facts, site)?;
        if screens(facts) {
            return Err(Refusal::ScreeningRequired);
        }
        if demands_tokens(facts) {
            return Err(Refusal::TokenRequired);
        }
        let mut changes = registration.register(with, (&signed, &held, late.as_ref()), Some(Stage::Enrolled), next)?;
        changes.extend(admit(facts, participant, site)?);
        changes.extend(registration.lists(facts));
        Ok(changes)
    }
}

impl Rule for ScreenParticipant {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let Self { participant, site, key, token, .. } = self;
        let more = Registration { participant, site, key }.needs().into_iter().chain(openness(site));
        let more = more.chain(delegations(&self.by, Task::RecordLate, site)).chain([subject::held(site)]);
        needing(self, envelope, (Task::Enrol, site), more.chain(token.map(subject::token)))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        let Self { participant, site, key, token, .. } = self;
        let registration = Registration { participant, site, key };
        present_rules(facts)?;
        let (signed, held) = authorise(facts, envelope, &self.by, Task::Enrol, site, next.time)?;
        let late = late(self, facts, site, next)?;
        registration.check_pseudonym()?;
        must_enrol(facts, site)?;
        if token.is_none() && demands_tokens(facts) {
            return Err(Refusal::TokenRequired);
        }
        let mut changes =
            registration.register((envelope, facts), (&signed, &held, late.as_ref()), Some(Stage::Screened), next)?;
        changes.extend(registration.lists(facts));
        if let Some(token) = token {
            changes.extend(hold(facts, *token, &Holder { participant: participant.clone(), site: site.clone() })?);
        }
        Ok(changes)
    }
}

/// Whether nobody is registered without a token.
fn demands_tokens(facts: &Facts) -> bool {
    matches!(facts.find(&subject::study()), Some(Fact::Study { tokens: true, .. }))
}

/// Adds a holder to a token. Each holder's match names the sites of the others, and nothing else of them. From rules 3 on
/// the newcomer alone is held, and a site has only so many who ever are: a token is no oracle to be asked at will.
fn hold(facts: &Facts, token: Hex, holder: &Holder) -> Result<Changes, Refusal> {
    let (subject, waiting) = (subject::token(token), subject::held(&holder.site));
    let mut holders = match facts.find(&subject) {
        Some(Fact::Token { holders }) => holders.clone(),
        _ => Vec::new(),
    };
    let seen_before = !holders.is_empty();
    if seen_before && third_rules(facts) && facts.count(&waiting) >= MAX_HELD {
        return Err(Refusal::TooManyHeld);
    }
    if holders.len() >= MAX_HOLDERS {
        return Err(Refusal::DuplicateParticipation);
    }
    holders.push(holder.clone());
    let matches: Changes = match (seen_before, third_rules(facts)) {
        (false, _) => Vec::new(),
        (true, false) => holders.iter().map(|one| matched(one, &holders, Vec::new())).collect(),
        (true, true) => {
            let earlier = holders.iter().map(|one| one.participant.clone()).filter(|one| *one != holder.participant);
            vec![matched(holder, &holders, earlier.collect()), facts.one_more(waiting)]
        }
    };
    Ok(matches.into_iter().chain([(subject, Fact::Token { holders })]).collect())
}

fn matched(one: &Holder, holders: &[Holder], earlier: Vec<Name>) -> (Subject, Fact) {
    let others = holders.iter().filter(|other| other.participant != one.participant);
    let sites: BTreeSet<Name> = others.map(|other| other.site.clone()).collect();
    let fact = Fact::Match { sites: sites.into_iter().collect(), cleared: None, earlier };
    (subject::matched(&one.participant), fact)
}

impl Rule for ClearMatch {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        needing(self, envelope, (Task::ManageStudy, &Name::all_sites()), resolution(&self.participant))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        resolve(facts, &self.participant, next)
    }
}

/// The facts that say whether a participant is held.
fn resolution(participant: &Name) -> [Subject; 2] {
    [subject::matched(participant), subject::list(&List::Participant(participant.clone()))]
}

/// Ends that a participant is held.
fn resolve(facts: &Facts, participant: &Name, next: Next) -> Result<Changes, Refusal> {
    let subject = subject::matched(participant);
    match facts.find(&subject) {
        Some(Fact::Match { sites, cleared: None, earlier }) => {
            let (sites, earlier) = (sites.clone(), earlier.clone());
            let fact = Fact::Match { sites, cleared: Some(next.number), earlier };
            Ok(vec![(subject, fact), grown(facts, &List::Participant(participant.clone()))])
        }
        Some(Fact::Match { .. }) => Err(Refusal::AlreadyEnded("match")),
        _ => Err(Refusal::NotFound("match")),
    }
}

impl Rule for LinkParticipants {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let of_earlier = [subject::participant, subject::same, subject::continued].map(|about| about(&self.earlier));
        let more = of_earlier.into_iter().chain([subject::same(&self.participant)]);
        let more = resolution(&self.participant).into_iter().chain(more);
        needing(self, envelope, (Task::ManageStudy, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        from_rules_3(facts, true)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        let ended = match facts.find(&subject::participant(&self.earlier)) {
            Some(Fact::Participant(fact::Participant { stage: Some(stage), .. })) => {
                matches!(stage, Stage::ScreenFailed | Stage::Withdrawn | Stage::Completed)
            }
            _ => false,
        };
        let matches = match facts.find(&subject::matched(&self.participant)) {
            Some(Fact::Match { earlier, .. }) => earlier.contains(&self.earlier),
            _ => false,
        };
        if !ended || !matches {
            return Err(Refusal::NotTheSame);
        }
        let mut changes = resolve(facts, &self.participant, next)?;
        let continued = subject::continued(&self.earlier);
        if facts.find(&continued).is_some() {
            return Err(Refusal::NotTheSame);
        }
        let before = match facts.find(&subject::same(&self.earlier)) {
            Some(Fact::Same { earlier, before, .. }) => [earlier].into_iter().chain(before).cloned().collect(),
            _ => Vec::new(),
        };
        let same = Fact::Same { earlier: self.earlier.clone(), linked: next.number, before };
        changes.push((subject::same(&self.participant), same));
        changes.push((continued, Fact::Continued { by: self.participant.clone() }));
        Ok(changes)
    }
}
