//! Sites: added, approved, opened, paused, closed.

use super::{
    Changes, Next, Refusal, Rule, approval, first_rules, grown, must_be_new, must_exist, needing, newest, on_newest,
    present_rules, study, study_exists,
};
use seal::{dsse::Envelope, id::Name};
use vocabulary::{
    authority::authorise,
    command::{ActivateSite, AddSite, CloseSite, PauseSite, Payload, RecordSiteApproval, State, Task},
    fact::{self, Fact, Facts},
    subject::{self, List, Subject},
};

impl Rule for AddSite {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [subject::site(&self.site), subject::list(&List::Sites)];
        needing(self, envelope, (Task::ManageStudy, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        if self.site.as_str() == Name::ALL_SITES {
            return Err(Refusal::Malformed { field: "site", what: "`*` is reserved for all sites" });
        }
        let subject = subject::site(&self.site);
        must_be_new(facts, &subject, "site")?;
        if first_rules(facts) {
            return Ok(vec![(
                subject,
                Fact::Site(fact::Site { open: false, changed: next.number, state: None, newest: None }),
            )]);
        }
        Ok(enter(facts, &self.site, State::Planned, (envelope, next)))
    }
}

impl Rule for RecordSiteApproval {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [
            subject::site(&self.site),
            subject::site_approval(&self.site),
            subject::protocol(&self.protocol),
            subject::list(&List::Sites),
        ];
        needing(self, envelope, (Task::ManageStudy, &self.site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &self.site, next.time)?;
        must_exist(facts, &subject::site(&self.site), "site")?;
        must_exist(facts, &subject::protocol(&self.protocol), "protocol version")?;
        approval::check(&self.approval, next)?;
        if self.approval.body.is_none() {
            return Err(Refusal::Malformed { field: "approval.body", what: "required: the board that approved it" });
        }
        let (protocol, approval) = (self.protocol.clone(), self.approval.clone());
        let subject = subject::site_approval(&self.site);
        on_newest(self, facts, &subject)?;
        let fact = Fact::SiteApproval { protocol, approval, recorded: next.number, newest: newest(facts, envelope) };
        Ok(vec![(subject, fact), grown(facts, &List::Sites)])
    }
}

impl Rule for ActivateSite {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [subject::site_approval(&self.site), subject::study_state()];
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
                on_newest(self, facts, &subject::site(&self.site))?;
            }
            from @ (State::Open | State::Closed) => {
                return Err(Refusal::SiteStateNotPermitted { from, to: State::Open });
            }
        }
        facts.find(&subject::site_approval(&self.site)).ok_or(Refusal::SiteNotApproved)?;
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
    let more = [subject::site(site), subject::list(&List::Sites)];
    needing(command, envelope, (Task::ManageStudy, site), more)
}

fn must_say_why(reason: Option<&Name>) -> Result<(), Refusal> {
    reason.map(|_| ()).ok_or(Refusal::Malformed { field: "reason", what: "a reason is required" })
}

/// Where a site stands.
pub(super) fn state(facts: &Facts, site: &Name) -> Result<State, Refusal> {
    match facts.find(&subject::site(site)) {
        Some(Fact::Site(fact::Site { state: Some(state), .. })) => Ok(*state),
        _ => Err(Refusal::NotFound("site")),
    }
}

/// Data are captured at a paused site too.
fn enter(facts: &Facts, site: &Name, state: State, (envelope, next): (&Envelope, Next)) -> Changes {
    let open = matches!(state, State::Open | State::Paused);
    let fact =
        Fact::Site(fact::Site { open, changed: next.number, state: Some(state), newest: newest(facts, envelope) });
    vec![(subject::site(site), fact), grown(facts, &List::Sites)]
}

/// Opens or closes a site under the first rules.
fn switch(facts: &Facts, site: &Name, open: bool, next: Next) -> Result<Changes, Refusal> {
    let subject = subject::site(site);
    match facts.find(&subject) {
        Some(Fact::Site(fact::Site { open: now, .. })) if *now == open => Err(Refusal::SiteStateUnchanged),
        Some(_) => {
            Ok(vec![(subject, Fact::Site(fact::Site { open, changed: next.number, state: None, newest: None }))])
        }
        None => Err(Refusal::NotFound("site")),
    }
}
