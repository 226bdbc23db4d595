//! Witnesses that misbehave, over real HTTP, against the publishing of the chain.

mod liar;
mod world;

use liar::Lie;
use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};
use tlog::policy::VerifiedCheckpoint;
use world::{World, key};

/// So long a witness that does not answer is waited for where nobody can go on without it: longer than a test takes.
const FOR_EVER: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn one_witness_that_misbehaves_in_any_way_costs_nothing_but_its_cosignature() {
    for lie in Lie::ALL {
        let mut world = World::new(3, 2).await;
        world.pace.witness_patience = FOR_EVER;
        let mut running = world.open().await;
        running.cosigned_by_all(&["w0", "w1", "w2"]).await;
        world.witnesses[1].lie(lie);
        for _ in 0..3 {
            running.publishes_without_waiting(lie).await;
            assert_eq!(running.cosigned_by().await, ["w0", "w2"], "{lie:?}");
        }
        // After a restart it is met anew, and must cost no more then.
        let mut running = world.open().await;
        for _ in 0..2 {
            running.publishes_without_waiting(lie).await;
            assert_eq!(running.cosigned_by().await, ["w0", "w2"], "{lie:?} after a restart");
        }
        assert!(running.chain.halted().is_none(), "{lie:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quorum_is_what_the_policy_says_and_not_a_number() {
    let mut world = World::new(4, 1).await;
    world.pace.witness_patience = FOR_EVER;
    let lines = world.policy.split("group").next().unwrap().to_owned();
    world.policy =
        lines + "group cro any w0 w1\ngroup regulator any w2 w3\ngroup both all cro regulator\nquorum both\n";
    let mut running = world.open().await;
    running.cosigned_by_all(&["w0", "w1", "w2", "w3"]).await;
    for number in [1, 2] {
        world.witnesses[number].lie(Lie::Hangs);
    }
    running.publishes_without_waiting(Lie::Hangs).await;
    assert_eq!(running.cosigned_by().await, ["w0", "w3"]);
    let size = running.chain.size();
    world.witnesses[3].lie(Lie::WrongSignature);
    world.witnesses[1].lie(Lie::None);
    running.grow().await;
    running.chain.publish().await.unwrap_err();
    assert_eq!(running.published().await.checkpoint.size, size, "two of one group are no quorum");
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_beside_a_good_cosignature_is_left_out_and_the_good_one_counts() {
    for lie in Lie::BESIDE {
        let world = World::new(3, 3).await;
        let mut running = world.open().await;
        world.witnesses[1].lie(lie);
        running.publishes().await;
        assert_eq!(running.cosigned_by().await, ["w0", "w1", "w2"], "{lie:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_refuses_is_asked_ever_less_often_and_counts_again_without_a_restart() {
    let refusals = [Lie::Status(422), Lie::Status(400), Lie::Status(429), Lie::Status(503), Lie::WrongSignature];
    for lie in [&refusals[..], &[Lie::Hangs]].concat() {
        let mut world = World::new(3, 2).await;
        if lie == Lie::Hangs {
            world.pace.witness_patience = Duration::from_millis(500);
        }
        let mut running = world.open().await;
        running.cosigned_by_all(&["w0", "w1", "w2"]).await;
        world.witnesses[1].lie(lie);
        world.witnesses[1].forget_counts();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            running.publishes_in_the_end().await;
        }
        // Pauses of at least 250, 500, 1,000 ms: the first question, and three more at most, each asked again if the size
        // that it cosigned last was another.
        let asked = world.witnesses[1].asked();
        assert!((1..=7).contains(&asked), "{lie:?}: asked {asked} times in two seconds");
        world.witnesses[1].lie(Lie::None);
        let until = Instant::now() + Duration::from_secs(60);
        while running.cosigned_by().await != ["w0", "w1", "w2"] {
            assert!(Instant::now() < until, "{lie:?}: it does not count again");
            running.publishes_in_the_end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_quorum_the_chain_waits_and_goes_on_by_itself() {
    let world = World::new(3, 2).await;
    let mut running = world.open().await;
    running.cosigned_by_all(&["w0", "w1", "w2"]).await;
    let size = running.chain.size();
    world.witnesses[0].lie(Lie::Status(422));
    world.witnesses[1].lie(Lie::WrongSignature);
    running.grow().await;
    for _ in 0..5 {
        running.chain.publish().await.unwrap_err();
    }
    assert_eq!(running.published().await.checkpoint.size, size, "no quorum, no checkpoint");
    world.witnesses[0].lie(Lie::None);
    running.catches_up().await;
    assert_eq!((running.chain.size(), running.cosigned_by().await), (size + 1, vec!["w0".to_owned(), "w2".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_witness_that_the_quorum_needs_is_waited_for() {
    let world = World::new(2, 2).await;
    let mut running = world.open().await;
    world.witnesses[1].lie(Lie::Slow(Duration::from_millis(700)));
    running.publishes_in_the_end().await;
    running.publishes_in_the_end().await;
    assert_eq!(running.cosigned_by().await, ["w0", "w1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_are_sent_the_chains_own_signature_alone_after_a_restart_too() {
    let world = World::new(6, 6).await;
    for _ in 0..3 {
        let mut running = world.open().await;
        for _ in 0..3 {
            running.publishes().await;
        }
    }
    let (_, note) = world.open().await.note().await.unwrap();
    assert!(note.len() > 16_384, "the published note holds all cosignatures: {} bytes", note.len());
    for witness in &world.witnesses {
        let largest = witness.largest_body();
        assert!(largest > 0 && largest <= 10 << 10, "{largest} bytes, of which deployed witnesses read 10,240");
        assert!(witness.others_signatures() == 0, "signatures of others were sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_to_know_more_stops_the_chain_only_under_its_own_signature() {
    // Rolled back: the witness shows a checkpoint that the chain signed and the database does not hold.
    let world = World::new(3, 1).await;
    let mut running = world.open().await;
    running.publishes().await;
    running.publishes().await;
    running.publishes().await;
    for sql in ["DELETE FROM block WHERE place > 0", "DELETE FROM checkpoint WHERE size > 1"] {
        sqlx::query(sql).execute(running.store.database.writing()).await.unwrap();
    }
    drop(running);
    for witness in [0, 2] {
        world.witnesses[witness].lie(Lie::Status(500)); // one that remembers is enough
    }
    let mut running = world.open().await;
    running.grow().await;
    running.chain.publish().await.unwrap_err();
    assert!(running.chain.halted().is_some(), "one witness that shows it is enough");
    assert_eq!(running.published().await.checkpoint.size, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_chain_has_its_checkpoint_cosigned_anew() {
    let mut world = World::new(3, 2).await;
    world.pace.refresh = Duration::from_secs(1);
    let mut running = world.open().await;
    running.publishes().await;
    let first = running.published().await;
    let until = Instant::now() + Duration::from_secs(60);
    let since = |verified: &VerifiedCheckpoint| world.policy().cosigned_since(&verified.cosigned_by).unwrap();
    loop {
        running.chain.publish().await.unwrap();
        let now = running.published().await;
        assert_eq!(now.checkpoint, first.checkpoint);
        if since(&now) > since(&first) {
            break;
        }
        assert!(Instant::now() < until, "it is never cosigned anew");
        tokio::time::sleep(Duration::from_millis(20)).await; // between two looks
    }
    // A witness that is away leaves the old one in place, and the chain as it is.
    world.witnesses[0].lie(Lie::Status(500));
    world.witnesses[1].lie(Lie::Status(500));
    while running.chain.publish().await.is_ok() {
        assert!(Instant::now() < until, "without the quorum it says so");
        tokio::time::sleep(Duration::from_millis(20)).await; // between two looks
    }
    assert!(!running.chain.is_behind(), "no block waits");
    running.published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_witness_is_asked_more_often_than_the_rate() {
    let mut world = World::new(1, 1).await;
    world.pace.witness_rate = NonZeroU32::new(60).unwrap();
    let mut running = world.open().await;
    let begun = Instant::now();
    for _ in 0..3 {
        running.publishes_in_the_end().await;
    }
    // Asked at once, a second and two seconds later; and it was met.
    assert!(begun.elapsed() >= Duration::from_millis(1_900), "{:?}", begun.elapsed());
    assert_eq!(world.witnesses[0].asked(), 4);
}
