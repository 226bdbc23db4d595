//! A study as it stands.

use super::{Inner, act};
use crate::{
    domain::state_name,
    store::{OpenedEntry, damaged},
};
use caller::Caller;
use problem::Problem;
use prost::Message;
use proto::enrollment as pb;
use record::Page;
use seal::id::{Name, Uuid};
use vocabulary::{
    command::{AddArm, AddProtocolVersion, AddSite, Approval, CommitAllocation},
    fact::{self, Fact, Facts},
    subject::{self, List, Subject},
};

/// The lists that a study is made of, in the order in which they are answered.
const LISTS: [List; 3] = [List::Protocols, List::Study, List::Sites];
/// Entries of a list looked up at once.
const PAGE: u32 = 500;

impl Inner {
    pub(super) async fn get_study(
        &self,
        from: &Caller,
        request: pb::GetStudyRequest,
    ) -> Result<pb::GetStudyResponse, Problem> {
        let (study, _) = self.caller(from, &request.study).await?;
        let mut needs = vec![subject::study(), subject::study_state(), subject::criteria_in_force()];
        needs.extend(limits(&Name::all_sites()));
        let facts = self.find(study, &needs).await?;
        let (Some(Fact::Study { name, .. }), Some(Fact::StudyState { state, changed, .. })) =
            (facts.find(&subject::study()), facts.find(&subject::study_state()))
        else {
            return Err(damaged().into());
        };
        let criteria = match facts.find(&subject::criteria_in_force()) {
            Some(Fact::CriteriaInForce { version }) => version.to_string(),
            _ => String::new(),
        };
        let mut answer = pb::GetStudyResponse {
            name: name.to_string(),
            rules: facts.rules().unwrap_or_default(),
            state: state_name(*state).to_owned(),
            changed: Some(self.act(study, *changed).await?),
            enrolment: Some(enrolment(&facts, &Name::all_sites())),
            criteria_in_force: criteria,
            ..pb::GetStudyResponse::default()
        };
        answer.next_page_token = self.parts(study, &request.page_token, &mut answer).await?;
        Ok(answer)
    }

    /// Adds the parts of a study after `token`, as many as a page takes, and gives the token to go on from.
    async fn parts(&self, study: Uuid, token: &str, answer: &mut pb::GetStudyResponse) -> Result<String, Problem> {
        let (first, mut after) = place(token)?;
        let mut page = Page::parse(0, "")?;
        for (index, list) in LISTS.iter().enumerate().skip(first) {
            loop {
                let found = self.store.list(study, list.clone(), after, PAGE).await?;
                for number in &found {
                    let recorded = self.store.read(study, *number).await?;
                    if !self.part(study, list, &recorded, &mut page, answer).await? {
                        let after = after.map_or_else(String::new, |number| number.to_string());
                        return Ok(format!("{index}.{after}"));
                    }
                    after = Some(*number);
                }
                if found.len() < PAGE as usize {
                    break;
                }
            }
            after = None;
        }
        Ok(String::new())
    }

    /// Adds what one entry of a list is, unless the page is full.
    async fn part(
        &self,
        study: Uuid,
        list: &List,
        recorded: &OpenedEntry,
        page: &mut Page,
        answer: &mut pb::GetStudyResponse,
    ) -> Result<bool, Problem> {
        let number = recorded.entry.number;
        match list {
            List::Protocols => Ok(add(page, number, protocol(recorded), &mut answer.protocol)),
            List::Sites => {
                let Some(AddSite { site, title, .. }) = recorded.command() else { return Ok(true) };
                let site = self.site(study, &site, &title).await?;
                Ok(add(page, number, Some(site), &mut answer.sites))
            }
            _ => match arm(recorded) {
                Some(arm) => Ok(add(page, number, Some(arm), &mut answer.arms)),
                None => {
                    let allocation = self.allocation(study, recorded).await?;
                    Ok(add(page, number, allocation, &mut answer.allocations))
                }
            },
        }
    }

    async fn site(&self, study: Uuid, site: &Name, title: &Name) -> Result<pb::Site, Problem> {
        let (place, approved) = (subject::site(site), subject::site_approval(site));
        let needs: Vec<Subject> = [place.clone(), approved.clone()].into_iter().chain(limits(site)).collect();
        let facts = self.find(study, &needs).await?;
        let Some(Fact::Site(fact::Site { state: Some(state), changed, .. })) = facts.find(&place) else {
            return Err(damaged().into());
        };
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

    async fn allocation(&self, study: Uuid, committed: &OpenedEntry) -> Result<Option<pb::Allocation>, Problem> {
        let Some(CommitAllocation { allocation, scheme, commitment, root, .. }) = committed.command() else {
            return Ok(None);
        };
        let (subject, list) = (subject::allocation(&allocation), subject::list(&List::Randomised(allocation.clone())));
        let facts = self.find(study, &[subject.clone(), list.clone()]).await?;
        let revealed = match facts.find(&subject) {
            Some(Fact::Allocation { revealed: Some(number), .. }) => Some(self.act(study, *number).await?),
            _ => None,
        };
        Ok(Some(pb::Allocation {
            allocation: allocation.to_string(),
            scheme: serde_json::to_vec(&scheme).unwrap_or_default(),
            commitment: commitment.0.0.to_vec(),
            root: root.map(|root| root.0.0.to_vec()).unwrap_or_default(),
            committed: Some(act(committed)),
            randomised: facts.count(&list),
            revealed,
        }))
    }
}

/// Which list a page begins in, and after which of its entries.
fn place(token: &str) -> Result<(usize, Option<u64>), Problem> {
    let parse = |token: &str| {
        let (list, after) = token.split_once('.')?;
        let after = if after.is_empty() { None } else { Some(after.parse().ok()?) };
        Some((list.parse().ok().filter(|list| *list < LISTS.len())?, after))
    };
    if token.is_empty() {
        return Ok((0, None));
    }
    parse(token).ok_or_else(|| Problem::field("MALFORMED", "page_token", "not a page token of this call"))
}

/// Adds a row, unless the page is full.
fn add<T: Message>(page: &mut Page, number: u64, row: Option<T>, rows: &mut Vec<T>) -> bool {
    let Some(row) = row else { return true };
    let taken = page.takes(number, &row);
    if taken {
        rows.push(row);
    }
    taken
}

fn limits(site: &Name) -> [Subject; 2] {
    [subject::cap(site), subject::enrolled(site)]
}

fn enrolment(facts: &Facts, site: &Name) -> pb::Enrolment {
    let cap = match facts.find(&subject::cap(site)) {
        Some(Fact::Cap { participants, .. }) => Some(*participants),
        _ => None,
    };
    pb::Enrolment { enrolled: facts.count(&subject::enrolled(site)), cap }
}

fn protocol(recorded: &OpenedEntry) -> Option<pb::ProtocolVersion> {
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

fn arm(recorded: &OpenedEntry) -> Option<pb::Arm> {
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
