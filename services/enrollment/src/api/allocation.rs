//! Committing to an allocation, and who may see what it gave. No arm is in any refusal.

use super::{Inner, name, not_found, record::Foreseen};
use crate::store::damaged;
use admission::receive;
use allocation::{CheckError, List, check, replay};
use caller::Caller;
use problem::Problem;
use proto::{enrollment as pb, types::Receipt};
use seal::{
    Hash,
    id::{Name, Uuid},
};
use tonic::Code;
use vocabulary::{
    allocation::{Disclosure, Method, Scheme, Secret, Slot},
    command::{CommitAllocation, Randomise, Task},
    fact::Fact,
    subject,
};
use zeroize::Zeroizing;

/// The largest secret, in bytes.
const MAX_SECRET_BYTES: usize = 4_096;

/// A participant's allocation, as the facts state it.
struct Allocated {
    allocation: Name,
    stratum: String,
    index: u64,
    entry: u64,
    scheme: Scheme,
    commitment: Hash,
    root: Option<Hash>,
}

impl Inner {
    pub(super) async fn commit_allocation(&self, request: pb::CommitAllocationRequest) -> Result<Receipt, Problem> {
        let received = receive::<CommitAllocation>(request.envelope).await?;
        let bytes = Zeroizing::new(request.secret);
        let secret: Option<Secret> = Some(&bytes)
            .filter(|bytes| bytes.len() <= MAX_SECRET_BYTES)
            .and_then(|bytes| serde_json::from_slice(bytes).ok());
        let secret =
            secret.ok_or_else(|| Problem::field("MALFORMED", "secret", "not a secret in JSON of at most 4 KiB"))?;
        if let Foreseen::New(_) = self.foresee(&received).await? {
            let CommitAllocation { study, allocation, scheme, commitment, root, .. } = received.command.clone();
            let root = root.map(|root| root.0);
            let checked = self.work.run(move || check(&scheme, &secret, &commitment.0, root.as_ref()));
            checked.await?.map_err(unfit)?;
            self.store.keep_secret(study, &allocation, &commitment.0, &bytes).await?;
        }
        self.append(received, None, None).await
    }

    pub(super) async fn get_allocation(
        &self,
        from: &Caller,
        request: pb::GetAllocationRequest,
    ) -> Result<pb::GetAllocationResponse, Problem> {
        let (study, caller) = self.caller(from, &request.study).await?;
        let participant = name("participant", &request.participant)?;
        // Who may not see it must not learn whether it exists: every way out gives the same answer.
        if !self.sees_allocation(&caller, study, &participant).await? {
            return Err(not_found("allocation"));
        }
        let found = self.allocated(study, &participant).await?.ok_or_else(|| not_found("allocation"))?;
        let secret = self.store.secret(study, &found.allocation, &found.commitment).await?;
        match found.scheme.method {
            Method::Minimisation { .. } => self.minimised(study, found, secret).await,
            Method::Simple { .. } | Method::PermutedBlocks { .. } => {
                self.work.run(move || listed(&found, &secret)).await?
            }
        }
    }

    /// Whether `caller` may see the participant's arm: by their task, or because they unblinded the participant.
    async fn sees_allocation(&self, caller: &Name, study: Uuid, participant: &Name) -> Result<bool, Problem> {
        let facts = self.find(study, &[subject::participant(participant)]).await?;
        let Some(site) = facts.site_of(participant) else { return Ok(false) };
        match self.must_hold(caller, study, &[Task::SeeAllocation], site).await {
            Ok(()) => return Ok(true),
            Err(problem) if problem.code == Code::PermissionDenied => {}
            Err(problem) => return Err(problem),
        }
        let unblinded = self.store.versions(study, &subject::unblinded(participant)).await?;
        Ok(unblinded.iter().any(|(_, fact)| matches!(fact, Fact::Unblinded { by, .. } if by == caller)))
    }

    async fn allocated(&self, study: Uuid, participant: &Name) -> Result<Option<Allocated>, Problem> {
        let randomised = subject::randomised(participant);
        let facts = self.find(study, std::slice::from_ref(&randomised)).await?;
        let Some(Fact::Randomised { allocation, stratum, index, randomised: entry }) = facts.find(&randomised) else {
            return Ok(None);
        };
        let subject = subject::allocation(allocation);
        match self.find(study, std::slice::from_ref(&subject)).await?.find(&subject) {
            Some(Fact::Allocation { scheme, commitment, root, .. }) => Ok(Some(Allocated {
                allocation: allocation.clone(),
                stratum: stratum.clone(),
                index: *index,
                entry: *entry,
                scheme: scheme.clone(),
                commitment: commitment.0,
                root: root.map(|root| root.0),
            })),
            _ => Err(damaged().into()),
        }
    }

    /// Minimisation: everybody's levels up to this participant decide.
    async fn minimised(
        &self,
        study: Uuid,
        found: Allocated,
        secret: Secret,
    ) -> Result<pb::GetAllocationResponse, Problem> {
        let entries = self.store.whole_list(study, subject::List::Randomised(found.allocation.clone())).await?;
        let mut levels = Vec::new();
        for number in entries.into_iter().filter(|number| *number <= found.entry) {
            let randomise: Randomise = self.store.read(study, number).await?.command().ok_or_else(damaged)?;
            levels.push(randomise.levels);
        }
        let replayed = self.work.run(move || {
            let arm = replay(&found.scheme, &secret, &levels).ok().and_then(|arms| arms.last().cloned());
            Ok(answer(&found, &arm.ok_or_else(damaged)?, None))
        });
        replayed.await?
    }
}

/// A slot of the list, with its proof.
fn listed(found: &Allocated, secret: &Secret) -> Result<pb::GetAllocationResponse, Problem> {
    let list = List::generate(&found.scheme, secret).map_err(|_| damaged())?;
    let index = u32::try_from(found.index).map_err(|_| damaged())?;
    let root = found.root.filter(|root| *root == list.root()).ok_or_else(damaged)?;
    let Disclosure { slot, place, path } = list.disclose(&found.stratum, index).ok_or_else(damaged)?;
    let arm = Slot::parse(&slot.0).map_err(|_| damaged())?.arm;
    let proof = pb::SlotProof {
        slot: slot.0,
        place,
        path: path.iter().map(|hash| hash.0.0.to_vec()).collect(),
        root: root.0.to_vec(),
        size: list.len(),
        scheme: serde_json::to_vec(&found.scheme).unwrap_or_default(),
    };
    Ok(answer(found, &arm, Some(proof)))
}

fn answer(found: &Allocated, arm: &Name, proof: Option<pb::SlotProof>) -> pb::GetAllocationResponse {
    let allocation = found.allocation.to_string();
    pb::GetAllocationResponse { arm: arm.to_string(), allocation, entry: found.entry, proof }
}

fn unfit(error: CheckError) -> Problem {
    match error {
        CheckError::Scheme(error) => Problem::field("MALFORMED", "envelope.payload.scheme", error.to_string()),
        CheckError::Secret(error) => Problem::field("MALFORMED", "secret", error.to_string()),
        error => Problem::field("COMMITMENT_MISMATCH", "secret", error.to_string()),
    }
}
