//! Keys that replace others: an older key of the same actor vouches for each, or under rules 3 a registrar.

use super::consent::own;
use crate::published::{Vector, published};
use crate::world::{
    START_MS, World, key, policy_of,
    rotation::Rotation,
    study::{Consent, INVESTIGATOR, PARTICIPANT, SECOND, terms, values},
};
use seal::{
    bundle::Bundle,
    command::{ActorKind, Capacity},
    report::LinkName,
};

/// The bundle of a submission that was signed with the key of `signer`, after these rotations.
pub(crate) fn submitted(mut world: World, rotations: &[Rotation], signer: &str) -> Bundle {
    rotations.iter().for_each(|rotation| _ = world.replace_key(rotation));
    world.publish(Some(terms()));
    world.consent(&Consent { by: SECOND, ..own() });
    let submission = world.record(&world.submission(None), &[&key(signer)], Vec::new());
    world.bundle(submission, &values(), 0, None)
}

/// A study in which the second person holds the consent discussion, whose keys nobody replaces.
pub(crate) fn study(world: World) -> World {
    let mut world = world;
    if !world.third {
        world.delegate(SECOND, seal::task::OBTAIN_CONSENT);
    }
    world
}

const NEW: &str = "new key";

fn once() -> Rotation {
    Rotation::of(INVESTIGATOR, INVESTIGATOR, NEW)
}

fn of_participant(world: World, signers: &[&'static str]) -> Bundle {
    let mut world = study(world);
    let rotation = Rotation { signers: signers.to_vec(), ..Rotation::of(PARTICIPANT, PARTICIPANT, NEW) };
    world.replace_key(&rotation);
    world.publish(Some(terms()));
    world.consent(&Consent { by: SECOND, ..Consent::by(Capacity::Participant, &[NEW]) });
    let submission = world.submit(None);
    world.bundle(submission, &values(), 0, None)
}

fn chain() -> Vec<Rotation> {
    const NAMES: [&str; 7] = [INVESTIGATOR, "key 1", "key 2", "key 3", "key 4", "key 5", "key 6"];
    NAMES.windows(2).map(|pair| Rotation::of(INVESTIGATOR, pair[0], pair[1])).collect()
}

fn good() -> Vec<Vector> {
    let of = |rotation: Rotation| submitted(study(World::new()), &[rotation], NEW);
    vec![
        ("once", None, of(once())),
        ("once-with-the-old-key-alone", None, of(Rotation { signers: vec![INVESTIGATOR], ..once() })),
        ("six-times", None, submitted(study(World::new()), &chain(), "key 6")),
        ("of-a-participant", None, of_participant(World::new(), &[PARTICIPANT, NEW])),
        ("signed-with-the-old-key-that-is-still-valid", None, submitted(study(World::new()), &[once()], INVESTIGATOR)),
        // Before rules 3 nobody looks at when it was signed, nor at who confirmed it.
        ("signed-long-before", None, of(Rotation { signed_ms: -(START_MS as i64), ..once() })),
        ("confirmed-before-rules-3", None, { of(Rotation { confirmed: Some((SECOND, ActorKind::System)), ..once() }) }),
        ("under-rules-3", None, submitted(World::third(), &[once()], NEW)),
        ("six-times-under-rules-3", None, submitted(World::third(), &chain(), "key 6")),
        ("of-a-participant-under-rules-3", None, of_participant(World::third(), &[PARTICIPANT, NEW])),
    ]
}

fn bad() -> Vec<Vector> {
    let (signer, consent) = (Some(LinkName::Signer), Some(LinkName::Consent));
    let of = |rotation: Rotation| submitted(study(World::new()), &[rotation], NEW);
    let third = |rotation: Rotation| submitted(World::third(), &[rotation], NEW);
    let by = |signers: &[&'static str]| Rotation { signers: signers.to_vec(), ..once() };
    let mut broken = chain();
    broken[2].signers = vec![SECOND, "key 3"];
    let replaced = [once(), Rotation { ended: None, ..Rotation::of(INVESTIGATOR, NEW, "newer key") }];
    vec![
        ("signed-by-somebody-else", signer, of(by(&[SECOND, NEW]))),
        ("signed-with-the-new-key-alone", signer, of(by(&[NEW]))),
        (
            "of-somebody-else",
            signer,
            of(Rotation { actor: SECOND, signers: vec![SECOND, NEW], stated: INVESTIGATOR, ..once() }),
        ),
        ("of-another-key-than-the-state-says", signer, {
            submitted(study(World::new()), &[Rotation { stated_key: "stated key", ..once() }], "stated key")
        }),
        ("with-a-key-that-was-revoked", signer, of(Rotation { ended: Some(3), ..once() })),
        ("broken-in-the-middle", signer, submitted(study(World::new()), &broken, "key 6")),
        ("with-a-key-of-nobody", signer, submitted(study(World::new()), &replaced, "key 9")),
        ("of-a-participant-without-them", consent, of_participant(World::new(), &[SECOND, NEW])),
        ("without-the-new-key-under-rules-3", signer, third(by(&[INVESTIGATOR]))),
        ("recorded-a-day-after-under-rules-3", signer, third(Rotation { signed_ms: -86_400_001, ..once() })),
        ("signed-ahead-under-rules-3", signer, third(Rotation { signed_ms: 300_001, ..once() })),
    ]
}

/// The vectors of `docs/vectors/rotations`, made by `TRIALSEAL_WRITE_VECTORS=1 cargo test -p seal --test forged rotations`.
#[test]
fn the_vectors_of_rotations_are_these() {
    let policy = policy_of(&[&World::new(), &World::third()]);
    published("rotations/good", &policy, &good());
    published("rotations/bad", &policy, &bad());
}
