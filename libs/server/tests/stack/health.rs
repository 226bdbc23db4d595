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
        let (storage, quorum) = (found.clone(), found.clone());
        let parts = parts.limits(limits).check("storage", move || std::future::ready(storage.lock().unwrap()[0]));
        parts.check("quorum", move || std::future::ready(quorum.lock().unwrap()[1]))
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
            let told = [told("").await, told(SERVICE).await, told("storage").await, told("quorum").await];
            (told == expected).then_some(())
        })
        .await;
        assert!(told(LIVE).await);
        eventually(&format!("{checked:?} is measured"), async || {
            let text = telemetry::prometheus_text();
            let shows = |gauge: &str, check: &str, one: bool| {
                let series = format!("trialseal_server_{gauge}{{check=\"{check}\"");
                text.lines().any(|line| line.starts_with(&series) && line.ends_with(if one { " 1" } else { " 0" }))
            };
            let shown = ["storage", "quorum"].iter().zip(checked).all(|(check, found)| {
                shows("ready", check, found != Checked::NotReady)
                    && shows("degraded", check, found == Checked::Degraded)
            });
            shown.then_some(())
        })
        .await;
    }
}
