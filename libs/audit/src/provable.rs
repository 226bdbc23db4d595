//! How long the proof of each right is, so that nobody learns only when asking for one that no verifier follows it.

use super::{Report, replay::State, study::Study};
use seal::{
    bundle::MAX_BUNDLE_BYTES,
    dsse::Envelope,
    entry::Entry,
    id::{Name, Service},
    key::KeyId,
    verify::MAX_STEPS_BEFORE,
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use vocabulary::{
    authority::{MAX_STEPS_OF_RIGHT, delegations},
    command::Task,
    fact::{self, Fact, Period},
    subject::{self, Subject},
};

/// The most bytes of envelopes in a bundle, which carries them in base64.
const MAX_BYTES: usize = MAX_BUNDLE_BYTES / 4 * 3;

/// The registrations, rotations and delegations that proofs of rights lead through.
#[derive(Default)]
pub(super) struct Rights {
    keys: HashMap<KeyId, Arc<Way>>,
    delegations: HashMap<u64, Arc<Way>>,
}

/// The entries a proof leads through, and the bytes of their envelopes. Ways longer than any verifier follows are cut short.
#[derive(Default)]
struct Way(BTreeMap<u64, usize>);

impl Way {
    /// What leads through `entry` and all of `others`.
    fn through(entry: (u64, usize), others: impl IntoIterator<Item = Arc<Way>>) -> Self {
        let mut way = BTreeMap::from([entry]);
        for other in others {
            let room = (MAX_STEPS_BEFORE as usize + 1).saturating_sub(way.len());
            way.extend(other.0.iter().take(room));
        }
        Self(way)
    }
}

impl Study<'_> {
    /// The ways to a signer's key, and to what they had to hold.
    fn ways(&self, envelope: &Envelope, needed: &Needed<'_>, time: u64) -> Vec<Arc<Way>> {
        let key = signed_with(&self.enrollment, envelope, needed.by);
        let key = key.and_then(|key| self.rights.keys.get(&key));
        let granted = counts(&self.enrollment, needed, time);
        key.into_iter().chain(granted.iter().filter_map(|entry| self.rights.delegations.get(entry))).cloned().collect()
    }

    /// Takes in the rights a command gave, and remarks on one whose proof is too long, or half as long as it may be. To be
    /// asked before the command's `changes` are taken in.
    pub(super) fn provable(
        &mut self,
        entry: &Entry,
        (envelope, changes): (&Envelope, &[(Subject, Fact)]),
        report: &mut Report,
    ) -> Result<(), String> {
        let signed: Signed = envelope.common().map_err(|error| error.to_string())?;
        let ways = rests_on(&signed, changes).into_iter().flat_map(|held| self.ways(envelope, &held, entry.time));
        let ways: Vec<Arc<Way>> = ways.collect();
        let way = Arc::new(Way::through((entry.number, envelope.size()), ways));
        let mut gives = false;
        for (_, fact) in changes {
            match fact {
                Fact::Key(fact::Key { key, ended: None, .. }) => {
                    gives = true;
                    self.rights.keys.insert(key.id(), way.clone());
                }
                fact if fact.periods().iter().any(|one| one.granted == entry.number) => {
                    gives = true;
                    self.rights.delegations.insert(entry.number, way.clone());
                }
                _ => {}
            }
        }
        if !gives {
            return Ok(());
        }
        let third = self.id.rules(self.root_key).is_some();
        let most = if third { MAX_STEPS_OF_RIGHT } else { MAX_STEPS_BEFORE } as usize;
        let (steps, bytes) = (way.0.len(), way.0.values().sum::<usize>());
        let how = if steps * 2 < most && bytes * 2 < MAX_BYTES {
            return Ok(());
        } else if steps > most || bytes > MAX_BYTES {
            "which no verifier follows: what rests on it cannot be proven"
        } else {
            "at least half of what a verifier follows: let a registrar register or confirm the next key"
        };
        let what = format!("grants a right whose proof needs {steps} steps and {bytes} bytes, {how}");
        report.remark(self.id, Service::Enrollment, entry.number, what);
        Ok(())
    }
}

/// Who signed a command that gives a right, and for what.
#[derive(Deserialize)]
struct Signed {
    by: Name,
    confirmed: Option<Confirmed>,
    /// The second person, and the site, of who registers a representative.
    second: Option<Name>,
    site: Option<Name>,
    /// The period of a delegation.
    from: Option<u64>,
    until: Option<u64>,
}

#[derive(Deserialize)]
struct Confirmed {
    by: Name,
}

/// A task that a signer may have had to hold, now or throughout a later period.
struct Needed<'a> {
    by: &'a Name,
    task: Option<(Task, Name)>,
    period: Option<(u64, u64)>,
}

/// What whoever signed may have had to hold for the rights that a command gave: at least a key.
fn rests_on<'a>(signed: &'a Signed, changes: &[(Subject, Fact)]) -> Vec<Needed<'a>> {
    let by = signed.confirmed.as_ref().map_or(&signed.by, |confirmed| &confirmed.by);
    let mut needed = vec![Needed { by, task: None, period: None }];
    if let (Some(second), Some(site)) = (&signed.second, &signed.site) {
        needed.push(Needed { by, task: Some((Task::Enrol, site.clone())), period: None });
        needed.push(Needed { by: second, task: Some((Task::ObtainConsent, site.clone())), period: None });
        return needed;
    }
    for (subject, fact) in changes {
        let task = match fact {
            Fact::Key(fact::Key { ended: None, .. }) => Some((Task::RegisterActors, Name::all_sites())),
            Fact::Participant(fact::Participant { site, .. }) => Some((Task::Enrol, site.clone())),
            _ => delegated(subject),
        };
        if task.is_some() {
            needed.push(Needed { by, task, period: signed.from.zip(signed.until) });
        }
    }
    needed
}

/// The task and site that a subject is the delegation of.
fn delegated(subject: &Subject) -> Option<(Task, Name)> {
    let [_, task, site] = subject.names() else { return None };
    let task = Task::named(&task.parse().ok()?).filter(|_| subject.kind() == subject::DELEGATION)?;
    Some((task, site.parse().ok()?))
}

/// The key of `by` that signed.
fn signed_with(state: &State, envelope: &Envelope, by: &Name) -> Option<KeyId> {
    envelope.key_ids().find(|id| {
        let fact = state.at(&subject::key(*id), u64::MAX);
        matches!(fact, Some(Fact::Key(fact::Key { actor, ended: None, .. })) if actor == by)
    })
}

/// The entry that granted the delegation by which `by` holds a task at `time`, and the one by which they hold it throughout a
/// period.
fn counts(state: &State, Needed { by, task, period }: &Needed<'_>, time: u64) -> Vec<u64> {
    let Some((task, site)) = task else { return Vec::new() };
    let subjects = delegations(by, *task, site);
    let periods = || subjects.iter().filter_map(|subject| Some(state.at(subject, u64::MAX)?.periods()));
    let granted = |wanted: &dyn Fn(&Period) -> bool| {
        periods().find_map(|periods| periods.iter().find(|period| wanted(period)).map(|period| period.granted))
    };
    let throughout = period.and_then(|(from, until)| {
        granted(&|period| period.ended.is_none() && period.from <= from && until <= period.until)
    });
    granted(&|period| period.covers(time)).into_iter().chain(throughout).collect()
}
