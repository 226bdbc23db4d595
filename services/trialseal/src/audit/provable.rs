//! How long the proof of each right is, so that nobody learns only when asking for one that no verifier follows it.

use super::{Report, replay::State, study::Study};
use seal::{
    authority::{MAX_STEPS_OF_RIGHT, delegations},
    bundle::MAX_BUNDLE_BYTES,
    command::Task,
    dsse::Envelope,
    entry::Entry,
    fact::{Fact, Subject},
    id::{Name, Service},
    key::KeyId,
    verify::MAX_STEPS_BEFORE,
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
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
    /// Takes in the rights a command gave, and remarks on one whose proof is too long, or half as long as it may be. To be
    /// asked before the command's `changes` are taken in.
    pub(super) fn provable(
        &mut self,
        entry: &Entry,
        (envelope, changes): (&Envelope, &[(Subject, Fact)]),
        report: &mut Report,
    ) -> Result<(), String> {
        #[derive(Deserialize)]
        struct By {
            by: Name,
            confirmed: Option<Confirmed>,
        }
        #[derive(Deserialize)]
        struct Confirmed {
            by: Name,
        }
        let By { by, confirmed } = envelope.common().map_err(|error| error.to_string())?;
        let by = confirmed.map_or(by, |confirmed| confirmed.by);
        let key = signed_with(&self.enrollment, envelope, &by);
        let mut way = key.and_then(|key| self.rights.keys.get(&key)).into_iter().cloned().collect::<Vec<_>>();
        for (task, site) in changes.iter().filter_map(|(subject, fact)| rests_on(subject, fact)) {
            let granted = counts(&self.enrollment, &by, task, &site, entry.time);
            way.extend(granted.and_then(|granted| self.rights.delegations.get(&granted)).cloned());
        }
        let way = Arc::new(Way::through((entry.number, envelope.size()), way));
        let mut gives = false;
        for (subject, fact) in changes {
            match (subject, fact) {
                (Subject::Key(id), Fact::Key { ended: None, .. }) => {
                    gives = true;
                    self.rights.keys.insert(*id, way.clone());
                }
                (Subject::Delegation(..), fact) if fact.periods().iter().any(|one| one.granted == entry.number) => {
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
        let what = format!("gives a right whose proof takes {steps} steps and {bytes} bytes, {how}");
        report.remark(self.id, Service::Enrollment, entry.number, what);
        Ok(())
    }
}

/// What whoever set this may have had to hold, if it gave a right.
fn rests_on(subject: &Subject, fact: &Fact) -> Option<(Task, Name)> {
    match (subject, fact) {
        (Subject::Key(_), Fact::Key { ended: None, .. }) => Some((Task::RegisterActors, Name::all_sites())),
        (Subject::Participant(_), Fact::Participant { site, .. }) => Some((Task::Enrol, site.clone())),
        (Subject::Delegation(_, task, site), _) => Some((*task, site.clone())),
        _ => None,
    }
}

/// The key of `by` that signed.
fn signed_with(state: &State, envelope: &Envelope, by: &Name) -> Option<KeyId> {
    envelope.key_ids().find(|id| {
        let fact = state.at(&Subject::Key(*id), u64::MAX);
        matches!(fact, Some(Fact::Key { actor, ended: None, .. }) if actor == by)
    })
}

/// The entry that granted the delegation by which `by` holds a task.
fn counts(state: &State, by: &Name, task: Task, site: &Name, time: u64) -> Option<u64> {
    delegations(by, task, site).iter().find_map(|subject| {
        let periods = state.at(subject, u64::MAX)?.periods();
        periods.iter().find(|period| period.covers(time)).map(|period| period.granted)
    })
}
