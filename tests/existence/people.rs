//! Who works in the study, and who asks.

use crate::support::World;
use client::{entry_number, new_key, new_representative, now_ms};
use seal::{id::Name, key::SecretKey};
use synthetic::{Actor, Participant, Study, name};
use vocabulary::command::{
    ActorKind, Delegate, EndDelegation, GrantAccess, Provision, RegisterActor, RegisterRepresentative, Relation,
    RevokeKey, Task,
};

macro_rules! command {
    ($study:expr, $by:expr, $type:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {
        $type { study: $study.id, request: client::new_uuid().unwrap(), by: $by.clone(), time: client::now_ms(), $($field $(: $value)?),* }
    };
}

pub(crate) use command;

/// Somebody who asks.
pub(crate) struct Asker {
    /// What they are, in words.
    pub(crate) kind: &'static str,
    pub(crate) name: Name,
    pub(crate) key: SecretKey,
    /// Whether they show who they are when they read.
    pub(crate) shows: bool,
    /// Whether they are an actor of the study with a valid key.
    pub(crate) of_study: bool,
    /// The site where they hold tasks.
    pub(crate) holds_at: Option<Name>,
    /// A participant of whom they may know.
    pub(crate) knows: Option<(Name, Name)>,
    /// A second person who signs with them.
    pub(crate) partner: Option<(Name, SecretKey)>,
}

/// The tasks of somebody who works at a site.
const WORK: [Task; 9] = [
    Task::Enrol,
    Task::ObtainConsent,
    Task::Capture,
    Task::Read,
    Task::SeeAllocation,
    Task::Unblind,
    Task::Redact,
    Task::Erase,
    Task::RecordLate,
];

pub(crate) fn actor(text: &str) -> Actor {
    Actor { name: name(text).unwrap(), key: new_key().unwrap() }
}

/// Registers an actor with all the work of a site, and gives the entries that delegated it.
pub(crate) async fn worker(world: &World, who: &Actor, site: &Name) -> Vec<(Task, u64)> {
    let study = &world.study;
    study.register(&world.client, who).await.unwrap();
    let mut delegated = Vec::new();
    for task in WORK {
        let (from, until) = (now_ms() - 3_600_000, now_ms() + 86_400_000);
        let (actor, site, training, seen) = (who.name.clone(), site.clone(), None, None);
        let delegate =
            command!(study, study.root.name, Delegate { actor, task: task.into(), site, from, until, training, seen });
        let receipt = world.client.record(&delegate, &[&study.root.key]).await.unwrap();
        delegated.push((task, entry_number(&receipt).unwrap()));
    }
    delegated
}

/// Somebody who acts for a participant.
pub(crate) async fn represent(world: &World, participant: &Participant, second: &Actor) -> Actor {
    let by = &world.study.investigator;
    let found = Actor { name: new_representative().unwrap(), key: new_key().unwrap() };
    let command = command!(
        world.study,
        by.name,
        RegisterRepresentative {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            actor: found.name.clone(),
            relation: Relation::LegalRepresentative,
            key: found.key.public(),
            second: Some(second.name.clone()),
            grounds: Some(name("a court's order (synthetic)").unwrap()),
            until: Some(now_ms() + 86_400_000),
        }
    );
    world.client.record(&command, &[&by.key, &second.key, &found.key]).await.unwrap();
    found
}

/// A participant's grant.
pub(crate) async fn grant(world: &World, participant: &Participant, grant: &str, grantee: &Actor) {
    let command = command!(
        world.study,
        participant.name,
        GrantAccess {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            grant: name(grant).unwrap(),
            grantee: grantee.name.clone(),
            categories: vec![Provision::data_collection()],
            purpose: name("research").unwrap(),
            from: now_ms() - 1_000,
            until: now_ms() + 86_400_000,
            uses: None,
            seen: None,
        }
    );
    world.client.record(&command, &[&participant.key]).await.unwrap();
}

/// Who works at the site everybody asks about.
pub(crate) struct Staff {
    pub(crate) nurse: Actor,
    pub(crate) colleague: Actor,
    pub(crate) device: Actor,
    /// Whose key was revoked.
    left: Actor,
    /// Whose tasks have ended.
    past: Actor,
    /// The entry by which the nurse captures.
    pub(crate) delegated: u64,
}

impl Staff {
    pub(crate) async fn new(world: &World) -> Self {
        let (study, site) = (&world.study, &world.site);
        let (nurse, colleague) = (actor("nurse-of-701"), actor("colleague-of-701"));
        let (left, past, device) = (actor("somebody-who-left"), actor("somebody-of-before"), actor("tablet-of-701"));
        let delegated = worker(world, &nurse, site).await;
        let delegated = delegated.iter().find(|(task, _)| *task == Task::Capture).unwrap().1;
        worker(world, &colleague, site).await;
        worker(world, &left, site).await;
        for (task, entry) in worker(world, &past, site).await {
            let (actor, site, delegation) = (past.name.clone(), site.clone(), Some(entry));
            let reason = name("moved").unwrap();
            let end = command!(study, study.root.name, EndDelegation { actor, task, site, delegation, reason });
            world.client.record(&end, &[&study.root.key]).await.unwrap();
        }
        let (key, reason) = (left.key.public().id(), name("left").unwrap());
        let revoke = command!(study, study.root.name, RevokeKey { key, reason });
        world.client.record(&revoke, &[&study.root.key]).await.unwrap();
        let (actor, kind, key, site) =
            (device.name.clone(), ActorKind::Device, device.key.public(), Some(site.clone()));
        let register = command!(study, study.root.name, RegisterActor { actor, kind, key, site });
        world.client.record(&register, &[&study.root.key, &device.key]).await.unwrap();
        Self { nurse, colleague, device, left, past, delegated }
    }
}

fn asker(kind: &'static str, actor: &Actor) -> Asker {
    let (name, key) = (actor.name.clone(), actor.key.clone());
    Asker { kind, name, key, shows: true, of_study: true, holds_at: None, knows: None, partner: None }
}

/// Every kind of caller who may not know of the first participant.
pub(crate) async fn askers(world: &World, staff: &Staff) -> Vec<Asker> {
    let b = &world.participants[1];
    let of_another = represent(world, b, &staff.nurse).await;
    let (grantee, idle) = (actor("researcher-of-b"), actor("somebody-idle"));
    world.study.register(&world.client, &grantee).await.unwrap();
    world.study.register(&world.client, &idle).await.unwrap();
    grant(world, b, "grant-of-b", &grantee).await;
    let outside = Study::create(&world.client, "ANOTHER").await.unwrap();
    let knows = Some((b.name.clone(), b.site.clone()));
    let b = Actor { name: b.name.clone(), key: b.key.clone() };
    vec![
        Asker { shows: false, of_study: false, ..asker("nobody", &actor("nobody-at-all")) },
        Asker { of_study: false, ..asker("a key registered nowhere", &actor("a-stranger")) },
        Asker { of_study: false, ..asker("an actor of another study", &outside.coordinator) },
        Asker { of_study: false, ..asker("an actor whose key was revoked", &staff.left) },
        asker("an actor without any task", &idle),
        asker("an actor whose tasks at the site have ended", &staff.past),
        elsewhere(world).await,
        Asker { knows: knows.clone(), ..asker("another participant", &b) },
        Asker { knows, ..asker("a representative of another participant", &of_another) },
        asker("somebody to whom another participant granted access", &grantee),
    ]
}

/// Somebody of another site, with a participant of theirs and a colleague.
async fn elsewhere(world: &World) -> Asker {
    let study = &world.study;
    let site = study.open_site(&world.client, "702", "Another site (synthetic)").await.unwrap();
    let (nurse, partner) = (actor("nurse-of-702"), actor("colleague-of-702"));
    worker(world, &nurse, &site).await;
    worker(world, &partner, &site).await;
    let theirs = study.enrol(&world.client, &site).await.unwrap();
    study.consent(&world.client, &theirs).await.unwrap();
    Asker {
        holds_at: Some(site.clone()),
        knows: Some((theirs.name, site)),
        partner: Some((partner.name, partner.key)),
        ..asker("an actor with tasks at another site", &nurse)
    }
}
