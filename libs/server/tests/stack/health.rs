//! What the health service tells.

use crate::world::{World, eventually};
use server::{Checked, LIVE, Limits};
use std::{sync::Arc, sync::Mutex, time::Duration};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

const SERVICE: &str = "trialseal.anchoring.v1.AnchoringService";

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_ready_while_no_check_fails_and_live_all_the_while() {
    let found = Arc::new(Mutex::new([Checked::Ready, Checked::Ready]));
    let limits = Limits { check: Duration::from_millis(10), ..Limits::default() };
    let world = World::start(|parts| {
        let (database, witnesses) = (found.clone(), found.clone());
        let parts = parts.limits(limits).check("database", move || std::future::ready(database.lock().unwrap()[0]));
        parts.check("witnesses", move || std::future::ready(witnesses.lock().unwrap()[1]))
    })
    .await;
    let mut health = world.health().await;
    let mut told = async |name: &str| {
        let answer = health.check(HealthCheckRequest { service: name.to_owned() }).await.unwrap().into_inner();
        answer.status() == ServingStatus::Serving
    };
    for (checked, expected) in [
        ([Checked::Ready, Checked::Ready], [true, true, true, true]),
        ([Checked::Ready, Checked::Degraded], [true, true, true, false]),
        ([Checked::NotReady, Checked::Ready], [false, false, false, true]),
        ([Checked::Ready, Checked::Ready], [true, true, true, true]),
    ] {
        *found.lock().unwrap() = checked;
        eventually(&format!("{checked:?}"), async || {
            let told = [told("").await, told(SERVICE).await, told("database").await, told("witnesses").await];
            (told == expected).then_some(())
        })
        .await;
        assert!(told(LIVE).await);
    }
}
