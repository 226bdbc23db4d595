//! A study as it stands.

use super::{Inner, act};
use crate::{
    domain::state_name,
    store::{Recorded, damaged},
};
use access::Caller;
use proto::enrollment as pb;
use seal::{
    command::{AddArm, AddProtocolVersion, AddSite, Approval, CommitAllocation},
    fact::{Fact, Facts, List, Subject},
    id::{Name, Uuid},
};
use server::Problem;

impl Inner {
    pub(super) async fn get_study(
        &self,
        from: &Caller,
        request: pb::GetStudyRequest,
    ) -> Result<pb::GetStudyResponse, Problem> {
        let (study, _) = self.caller(from, &request.study).await?;
        let mut needs = vec![Subject::Study, Subject::StudyState, Subject::CriteriaInForce];
        needs.extend(limits(&Name::all_sites()));
        let facts = self.find(study, &needs).await?;
        let (Some(Fact::Study { name, .. }), Some(Fact::StudyState { state, changed, .. })) =
            (facts.find(&Subject::Study), facts.find(&Subject::StudyState))
        else {
            return Err(damaged());
        };
        let criteria = match facts.find(&Subject::CriteriaInForce) {
            Some(Fact::CriteriaInForce { version }) => version.to_string(),
            _ => String::new(),
        };
        let acts = self.acts(study, List::Study).await?;
        Ok(pb::GetStudyResponse {
            name: name.to_string(),
            rules: facts.rules().unwrap_or_default(),
            state: state_name(*state).to_owned(),
            changed: Some(self.act(study, *changed).await?),
            protocol: self.acts(study, List::Protocols).await?.iter().filter_map(protocol).collect(),
            arms: acts.iter().filter_map(arm).collect(),
            sites: self.sites(study).await?,
            enrolment: Some(enrolment(&facts, &Name::all_sites())),
            criteria_in_force: criteria,
            allocations: self.allocations(study, &acts).await?,
        })
    }

    async fn acts(&self, study: Uuid, list: List) -> Result<Vec<Recorded>, Problem> {
        let mut acts = Vec::new();
        for number in self.store.whole_list(study, list).await? {
            acts.push(self.store.read(study, number).await?);
        }
        Ok(acts)
    }

    async fn sites(&self, study: Uuid) -> Result<Vec<pb::Site>, Problem> {
        let mut sites = Vec::new();
        for added in self.acts(study, List::Sites).await? {
            if let Some(AddSite { site, title, .. }) = added.command() {
                sites.push(self.site(study, &site, &title).await?);
            }
        }
        Ok(sites)
    }

    async fn site(&self, study: Uuid, site: &Name, title: &Name) -> Result<pb::Site, Problem> {
        let (place, approved) = (Subject::Site(site.clone()), Subject::SiteApproval(site.clone()));
        let needs: Vec<Subject> = [place.clone(), approved.clone()].into_iter().chain(limits(site)).collect();
        let facts = self.find(study, &needs).await?;
        let Some(Fact::Site { state: Some(state), changed, .. }) = facts.find(&place) else { return Err(damaged()) };
        let (approved_protocol, approval) = match facts.find(&approved) {
            Some(Fact::SiteApproval { protocol, approval, .. }) => (protocol.to_string(), Some(board(approval))),
            _ => (String::new(), None),
        };
        Ok(pb::Site {
            site: site.to_string(),
            title: title.to_string(),
            state: state_name(*state).to_owned(),
            changed: Some(self.act(study, *changed).await?),
            approved_protocol,
            approval,
            enrolment: Some(enrolment(&facts, site)),
        })
    }

    async fn allocations(&self, study: Uuid, acts: &[Recorded]) -> Result<Vec<pb::Allocation>, Problem> {
        let mut allocations = Vec::new();
        for committed in acts {
            let Some(CommitAllocation { allocation, scheme, commitment, root, .. }) = committed.command() else {
                continue;
            };
            let (subject, list) =
                (Subject::Allocation(allocation.clone()), Subject::List(List::Randomised(allocation.clone())));
            let facts = self.find(study, &[subject.clone(), list.clone()]).await?;
            let revealed = match facts.find(&subject) {
                Some(Fact::Allocation { revealed: Some(number), .. }) => Some(self.act(study, *number).await?),
                _ => None,
            };
            allocations.push(pb::Allocation {
                allocation: allocation.to_string(),
                scheme: serde_json::to_vec(&scheme).unwrap_or_default(),
                commitment: commitment.0.0.to_vec(),
                root: root.map(|root| root.0.0.to_vec()).unwrap_or_default(),
                committed: Some(act(committed)),
                randomised: facts.count(&list),
                revealed,
            });
        }
        Ok(allocations)
    }
}

fn limits(site: &Name) -> [Subject; 2] {
    [Subject::Cap(site.clone()), Subject::Enrolled(site.clone())]
}

fn enrolment(facts: &Facts, site: &Name) -> pb::Enrolment {
    let cap = match facts.find(&Subject::Cap(site.clone())) {
        Some(Fact::Cap { participants, .. }) => Some(*participants),
        _ => None,
    };
    pb::Enrolment { enrolled: facts.count(&Subject::Enrolled(site.clone())), cap }
}

fn protocol(recorded: &Recorded) -> Option<pb::ProtocolVersion> {
    let AddProtocolVersion { version, document, effective, amends, approval, .. } = recorded.command()?;
    Some(pb::ProtocolVersion {
        version: version.to_string(),
        document: document.0.0.to_vec(),
        effective_ms: effective,
        amends: amends.map(|version| version.to_string()).unwrap_or_default(),
        approval: approval.as_ref().map(board),
        recorded: Some(act(recorded)),
    })
}

fn arm(recorded: &Recorded) -> Option<pb::Arm> {
    let AddArm { arm, title, .. } = recorded.command()?;
    Some(pb::Arm { arm: arm.to_string(), title: title.to_string() })
}

fn board(Approval { reference, date, body }: &Approval) -> pb::Approval {
    pb::Approval {
        body: body.as_ref().map(ToString::to_string).unwrap_or_default(),
        reference: reference.to_string(),
        date: date.to_string(),
    }
}
