//! The delegation log.

use super::{Inner, act, name};
use crate::store::OpenedEntry;
use caller::Caller;
use problem::Problem;
use proto::enrollment as pb;
use record::Page;
use seal::id::Name;
use vocabulary::{
    command::{Delegate, EndDelegation, Task, Training},
    subject::List,
};

impl Inner {
    pub(super) async fn list_delegations(
        &self,
        from: &Caller,
        request: pb::ListDelegationsRequest,
    ) -> Result<pb::ListDelegationsResponse, Problem> {
        let (study, caller) = self.caller(from, &request.study).await?;
        let mut page = Page::parse(request.page_size, &request.page_token)?;
        let site = match request.site.as_str() {
            "" => None,
            text => Some(name("site", text)?),
        };
        match &site {
            Some(site) => self.must_hold(&caller, study, &Task::ALL, site).await?,
            None => {
                let tasks = [Task::Audit, Task::ManageStudy];
                self.must_hold(&caller, study, &tasks, &Name::all_sites()).await?;
            }
        }
        let entries = self.store.list(study, List::Delegations, page.after, page.size).await?;
        let mut events = Vec::with_capacity(entries.len());
        let covers = |at: &str| site.as_ref().is_none_or(|site| at == site.as_str() || at == Name::ALL_SITES);
        for number in &entries {
            match event(&self.store.read(study, *number).await?).filter(|event| covers(&event.site)) {
                None => page.passes(*number),
                Some(event) if page.takes(*number, &event) => events.push(event),
                Some(_) => break,
            }
        }
        Ok(pb::ListDelegationsResponse { events, next_page_token: page.next(entries.len()) })
    }
}

fn event(recorded: &OpenedEntry) -> Option<pb::DelegationEvent> {
    if let Some(granted) = recorded.command::<Delegate>() {
        let Delegate { actor, task, site, from, until, training, .. } = granted;
        return Some(pb::DelegationEvent {
            actor: actor.to_string(),
            task: task.to_string(),
            site: site.to_string(),
            act: Some(act(recorded)),
            ended: false,
            from_ms: from,
            until_ms: until,
            training: training.map(training_message),
            delegation: None,
        });
    }
    let EndDelegation { actor, task, site, delegation, .. } = recorded.command()?;
    Some(pb::DelegationEvent {
        actor: actor.to_string(),
        task: task.to_string(),
        site: site.to_string(),
        act: Some(act(recorded)),
        ended: true,
        delegation,
        ..pb::DelegationEvent::default()
    })
}

fn training_message(Training { reference, completed, certificate }: Training) -> pb::Training {
    pb::Training {
        reference: reference.to_string(),
        completed: completed.to_string(),
        certificate: certificate.map(|hash| hash.0.0.to_vec()).unwrap_or_default(),
    }
}
