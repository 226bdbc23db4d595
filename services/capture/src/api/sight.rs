//! Who may see what was captured of a participant, and that outsiders who look are on record.

use super::Inner;
use access::Reading;
use caller::Caller;
use clock::now_ms;
use facts::FactSource;
use problem::Problem;
use seal::id::{Name, Uuid};
use vocabulary::{
    authority::{SITE_STAFF, delegations, holds, is_of_site},
    command::{ItemRead, Provision, Task},
    fact::Facts,
    subject::{self, Subject},
};

/// Tasks that let their holder see what was captured at their site.
const SEES: [Task; 3] = [Task::Capture, Task::Read, Task::Audit];

/// What a caller may see of a participant: everything, or what was captured under some provisions.
pub(super) struct Sight(Option<Vec<Provision>>);

impl Sight {
    /// Whether what was captured under `provision` may be seen.
    pub(super) fn covers(&self, provision: &Provision) -> bool {
        self.0.as_ref().is_none_or(|categories| categories.contains(provision))
    }
}

impl Inner {
    /// What the caller may see of `participant`. A caller from outside the participant's site has it recorded first.
    pub(super) async fn sight(&self, from: &Caller, study: Uuid, participant: &Name) -> Result<Sight, Problem> {
        self.sight_of(from, study, participant, None).await
    }

    /// The same, where no more than `item` is shown, if it is given.
    pub(super) async fn sight_of(
        &self,
        from: &Caller,
        study: Uuid,
        participant: &Name,
        item: Option<&ItemRead>,
    ) -> Result<Sight, Problem> {
        let now = now_ms();
        let caller = access::actor(from, study, &self.enrollment, now).await?;
        if caller == *participant {
            return Ok(Sight(None));
        }
        let facts = self.standing(study, &caller, participant).await?;
        let everywhere = Name::all_sites();
        let site = facts.site_of(participant).unwrap_or(&everywhere);
        let own = SITE_STAFF.iter().any(|task| is_of_site(&facts, &caller, *task, site, now));
        let inside = own && SEES.iter().any(|task| holds(&facts, &caller, *task, site, now).is_ok());
        // From rules 3 on whoever acts for a participant signs what they read, as anybody else does.
        let represents = facts.rules() < Some(3) && facts.decides_for(participant, &caller);
        if facts.rules() == Some(1) {
            let held = access::holds_any(&caller, study, &SEES, site, &self.enrollment, now).await;
            held.map_err(access::Denied::of_participant)?;
            return Ok(Sight(None));
        }
        if inside || represents {
            return Ok(Sight(None));
        }
        let reading = Reading { study, reader: &caller, participant, item };
        Ok(Sight(self.accesses.record(from, reading, now).await?))
    }

    /// The facts that tell what a caller is to a participant.
    async fn standing(&self, study: Uuid, caller: &Name, participant: &Name) -> Result<Facts, Problem> {
        let (_, mut facts) =
            self.enrollment.facts(study, &[subject::study(), subject::participant(participant)]).await?;
        if let Some(site) = facts.site_of(participant).cloned() {
            let mut subjects: Vec<Subject> =
                SEES.iter().chain(&SITE_STAFF).flat_map(|task| delegations(caller, *task, &site)).collect();
            subjects.push(subject::representative(participant, caller));
            facts.extend(self.enrollment.facts(study, &subjects).await?.1);
        }
        Ok(facts)
    }
}
