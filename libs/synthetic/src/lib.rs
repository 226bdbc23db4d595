//! A synthetic study, set up over gRPC: for the demo, the benchmark and tests. Everything in it is made up.

use anyhow::Result;
use client::{Access, Client, Reader, new_key, new_pseudonym, new_study, new_uuid, now_ms};
use seal::{
    datapoint::Datapoint,
    id::{Name, Uuid},
    key::SecretKey,
    sha256,
};
use std::str::FromStr;
use vocabulary::command::{
    ActivateSite, ActorKind, AddProtocolVersion, AddSite, Approval, Capacity, Collected, CreateStudy, DefineForms,
    Delegate, EnrolParticipant, EventDef, FormDef, FormInstance, GiveConsent, ItemDef, ItemType, Manner, Notice, Offer,
    Provision, PublishDocument, RULES, RecordSiteApproval, RegisterActor, SetStudyState, State, Submission, Task,
    Terms, Training, WithdrawConsent, WithdrawalScope,
};

const YEAR_MS: u64 = 365 * 24 * 3_600 * 1_000;

/// A person with a key.
pub struct Actor {
    /// Their identifier.
    pub name: Name,
    /// Their key.
    pub key: SecretKey,
}

/// An enrolled participant.
pub struct Participant {
    /// The pseudonym.
    pub name: Name,
    /// Their site.
    pub site: Name,
    /// Their key.
    pub key: SecretKey,
}

/// A study and who works on it.
pub struct Study {
    /// Its identifier.
    pub id: Uuid,
    /// Who holds the root key: the sponsor.
    pub root: Actor,
    /// The principal investigator, at every site.
    pub investigator: Actor,
    /// The coordinator who captures, at every site.
    pub coordinator: Actor,
    /// Who audits.
    pub auditor: Actor,
}

/// A name known to be good.
pub fn name(text: &str) -> Result<Name> {
    Ok(Name::from_str(text)?)
}

impl Study {
    /// Creates a study: its actors, their delegations, a protocol version and a consent document.
    pub async fn create(client: &Client, title: &str) -> Result<Self> {
        let root_key = new_key()?;
        let study = Self {
            id: new_study(&root_key.public())?,
            root: Actor { name: Name::root(), key: root_key },
            investigator: Actor { name: name("dr-imani")?, key: new_key()? },
            coordinator: Actor { name: name("coordinator-lund")?, key: new_key()? },
            auditor: Actor { name: name("auditor-vega")?, key: new_key()? },
        };
        let Self { id, root, .. } = &study;
        let (study_id, by, time) = (*id, root.name.clone(), now_ms());
        let create = CreateStudy {
            study: study_id,
            request: new_uuid()?,
            by: by.clone(),
            time,
            name: name(title)?,
            root_key: root.key.public(),
            rules: Some(RULES),
            tokens: false,
        };
        client.record(&create, &[&root.key]).await?;
        let protocol = AddProtocolVersion {
            study: study_id,
            request: new_uuid()?,
            by: by.clone(),
            time,
            version: name("1.0")?,
            document: sha256(&[b"synthetic protocol 1.0"]).into(),
            effective: time,
            amends: None,
            approval: Some(approval()?),
        };
        client.record(&protocol, &[&root.key]).await?;
        let open = SetStudyState {
            study: study_id,
            request: new_uuid()?,
            by: by.clone(),
            time,
            state: State::Open,
            reason: name("protocol 1.0 is approved (synthetic)")?,
            seen: None,
        };
        client.record(&open, &[&root.key]).await?;
        for actor in [&study.investigator, &study.coordinator, &study.auditor] {
            study.register(client, actor).await?;
        }
        let everywhere = Name::all_sites();
        for task in [Task::Enrol, Task::ObtainConsent, Task::Capture, Task::Read] {
            study.delegate(client, root, &study.investigator, task, &everywhere).await?;
        }
        study.delegate(client, root, &study.auditor, Task::Audit, &everywhere).await?;
        let offers = [("data_collection", true), ("genetics", false), ("recontact", false)];
        let offers = offers.map(|(provision, mandatory)| offer(provision, mandatory));
        let terms = terms(offers.into_iter().collect::<Result<_>>()?)?;
        study.publish(client, "1.0", terms).await?;
        Ok(study)
    }

    /// Publishes a version of the study's informed consent form, of whose file this makes a sentence.
    pub async fn publish(&self, client: &Client, version: &str, terms: Terms) -> Result<()> {
        let file = format!("Synthetic informed consent form, version {version}.\n").into_bytes();
        let document = PublishDocument {
            study: self.id,
            request: new_uuid()?,
            by: Name::root(),
            time: now_ms(),
            document: name("ICF")?,
            version: name(version)?,
            language: name("en")?,
            content: sha256(&[&file]).into(),
            approval: approval()?,
            terms: Some(terms),
        };
        client.publish(&document, file, &[&self.root.key]).await?;
        Ok(())
    }

    /// The policy line by which verifiers pin this study.
    pub fn policy_line(&self) -> String {
        format!("study {} {}\n", self.id, self.root.key.public())
    }

    /// The auditor, reading everybody's data, which is recorded.
    pub fn reader(&self) -> Reader {
        let access = name("audit").ok().map(Access::everybody);
        Reader { access, ..self.reads(&self.auditor) }
    }

    /// Somebody of a site, reading.
    pub fn reads(&self, actor: &Actor) -> Reader {
        Reader { study: self.id, actor: actor.name.clone(), key: actor.key.clone(), access: None }
    }

    /// Registers an actor.
    pub async fn register(&self, client: &Client, actor: &Actor) -> Result<()> {
        let register = RegisterActor {
            study: self.id,
            request: new_uuid()?,
            by: Name::root(),
            time: now_ms(),
            actor: actor.name.clone(),
            kind: ActorKind::Person,
            key: actor.key.public(),
            site: None,
        };
        client.record(&register, &[&self.root.key, &actor.key]).await?;
        Ok(())
    }

    /// Delegates a task for a year less a day for each step from the root.
    pub async fn delegate(&self, client: &Client, by: &Actor, to: &Actor, task: Task, site: &Name) -> Result<()> {
        let now = now_ms();
        let day = YEAR_MS / 365;
        let steps = if by.name.as_str() == Name::ROOT { 0 } else { 1 };
        let delegate = Delegate {
            study: self.id,
            request: new_uuid()?,
            by: by.name.clone(),
            time: now,
            actor: to.name.clone(),
            task: task.into(),
            site: site.clone(),
            from: if steps == 0 { now - day } else { now },
            until: now + YEAR_MS - steps * day,
            training: Some(Training {
                reference: name("ICH-GCP E6(R3) certificate (synthetic)")?,
                completed: name("2026-01-10")?,
                certificate: None,
            }),
            seen: None,
        };
        client.record(&delegate, &[&by.key]).await?;
        Ok(())
    }

    /// Adds a site, records its approval and opens it. The investigator is of that site and reads there; the coordinator captures, by the
    /// investigator's delegation, so that a proof shows a chain of two.
    pub async fn open_site(&self, client: &Client, site: &str, title: &str) -> Result<Name> {
        let (by, site) = (Name::root(), name(site)?);
        let add = AddSite {
            study: self.id,
            request: new_uuid()?,
            by: by.clone(),
            time: now_ms(),
            site: site.clone(),
            title: name(title)?,
        };
        client.record(&add, &[&self.root.key]).await?;
        let approve = RecordSiteApproval {
            study: self.id,
            request: new_uuid()?,
            by: by.clone(),
            time: now_ms(),
            site: site.clone(),
            protocol: name("1.0")?,
            approval: approval()?,
            seen: None,
        };
        client.record(&approve, &[&self.root.key]).await?;
        let (request, time) = (new_uuid()?, now_ms());
        let activate = ActivateSite { study: self.id, request, by, time, site: site.clone(), reason: None, seen: None };
        client.record(&activate, &[&self.root.key]).await?;
        for task in [Task::ObtainConsent, Task::Read] {
            self.delegate(client, &self.root, &self.investigator, task, &site).await?;
        }
        self.delegate(client, &self.investigator, &self.coordinator, Task::Capture, &site).await?;
        Ok(site)
    }

    /// Enrols a participant.
    pub async fn enrol(&self, client: &Client, site: &Name) -> Result<Participant> {
        let participant = Participant { name: new_pseudonym()?, site: site.clone(), key: new_key()? };
        let enrol = EnrolParticipant {
            study: self.id,
            request: new_uuid()?,
            by: self.investigator.name.clone(),
            time: now_ms(),
            participant: participant.name.clone(),
            site: site.clone(),
            key: participant.key.public(),
            late: None,
        };
        client.record(&enrol, &[&self.investigator.key, &participant.key]).await?;
        Ok(participant)
    }

    /// Records a participant's consent to what is mandatory, labelled synthetic.
    pub async fn consent(&self, client: &Client, participant: &Participant) -> Result<()> {
        let consent = self.consent_to(participant, "1.0", vec![Provision::data_collection()])?;
        client.record(&consent, &[&participant.key, &self.investigator.key]).await?;
        Ok(())
    }

    /// A consent the participant will sign with their own key, and the investigator.
    pub fn consent_to(
        &self,
        participant: &Participant,
        version: &str,
        provisions: Vec<Provision>,
    ) -> Result<GiveConsent> {
        let capacity = Capacity::Participant;
        Ok(GiveConsent {
            study: self.id,
            request: new_uuid()?,
            by: self.investigator.name.clone(),
            time: now_ms(),
            participant: participant.name.clone(),
            site: participant.site.clone(),
            document: name("ICF")?,
            version: name(version)?,
            language: name("en")?,
            provisions,
            synthetic: true,
            manner: Some(Manner { capacity, witness: None, remote: None, answers: Vec::new() }),
            seen: None,
            late: None,
        })
    }

    /// Defines forms.
    pub async fn define(&self, client: &Client, version: &str, forms: Vec<FormDef>) -> Result<()> {
        self.define_with(client, version, forms, Vec::new()).await
    }

    /// Defines forms, and the study events; none: any.
    pub async fn define_with(
        &self,
        client: &Client,
        version: &str,
        forms: Vec<FormDef>,
        events: Vec<EventDef>,
    ) -> Result<()> {
        let define = DefineForms {
            study: self.id,
            request: new_uuid()?,
            by: Name::root(),
            time: now_ms(),
            version: name(version)?,
            forms,
            events,
        };
        client.record(&define, &[&self.root.key]).await?;
        Ok(())
    }

    /// A withdrawal the participant will sign with their own key; what was collected is kept.
    pub fn withdrawal(&self, participant: &Participant, scope: WithdrawalScope) -> Result<WithdrawConsent> {
        Ok(WithdrawConsent {
            study: self.id,
            request: new_uuid()?,
            by: participant.name.clone(),
            time: now_ms(),
            participant: participant.name.clone(),
            site: participant.site.clone(),
            provisions: Vec::new(),
            scope: Some(scope),
            collected: Some(Collected::Kept),
            late: None,
        })
    }

    /// An unsigned header of a first submission by the coordinator.
    pub fn header(&self, participant: &Participant, event: &str, form: &str, repeat: u32) -> Result<Submission> {
        Ok(Submission {
            study: self.id,
            request: new_uuid()?,
            by: self.coordinator.name.clone(),
            time: now_ms(),
            site: participant.site.clone(),
            instance: FormInstance {
                participant: participant.name.clone(),
                event: name(event)?,
                event_repeat: 0,
                form: name(form)?,
                form_repeat: repeat,
            },
            forms_version: name("1")?,
            root: sha256(&[]).into(),
            count: 0,
            collected: None,
            corrects: None,
            reason: None,
            provision: None,
            late: None,
        })
    }
}

/// A synthetic ethics board's approval.
pub fn approval() -> Result<Approval> {
    Ok(Approval {
        reference: name("IRB-2026-001 (synthetic)")?,
        date: name("2026-01-15")?,
        body: Some(name("Central ethics committee (synthetic)")?),
    })
}

/// A provision a document offers, until it is withdrawn.
pub fn offer(provision: &str, mandatory: bool) -> Result<Offer> {
    Ok(Offer { provision: provision.parse()?, mandatory, days: None })
}

/// The terms of a document in use from now on, for adults who sign themselves.
pub fn terms(provisions: Vec<Offer>) -> Result<Terms> {
    Ok(Terms {
        title: name("Informed consent form (synthetic)")?,
        sites: Vec::new(),
        effective: now_ms(),
        provisions,
        quiz: None,
        supersedes: Vec::new(),
        reconsent: None,
        parents: 0,
        representative: false,
        remote: false,
        deferral_ms: None,
        notice: Some(Notice {
            controller: name("Example Sponsor (synthetic)")?,
            contact: Some(name("study desk of the site")?),
            storage: vec![name("this machine")?],
            retention: Some(name("25 years")?),
            jurisdiction: None,
            lawful_basis: None,
        }),
        site_device: false,
    })
}

/// A text item without further rules.
pub fn text_item(item: &str) -> Result<ItemDef> {
    Ok(ItemDef {
        item: name(item)?,
        kind: ItemType::Text,
        max_length: None,
        min: None,
        max: None,
        codes: Vec::new(),
        mandatory: false,
    })
}

/// A value without a unit.
pub fn value(item: &str, value: &str) -> Datapoint {
    Datapoint {
        nonce: [0; 16],
        item: item.to_owned(),
        repeat: String::new(),
        value: value.to_owned(),
        unit: String::new(),
    }
}
