//! Actors by tokens of their own key.

use crate::port::*;
use caller::Member;
use permission::Gatekeeper;
use tls::pki;
use token::issue;

#[tokio::test]
async fn a_token_opens_its_study_and_no_other() {
    let at = open_plain(&Gatekeeper::new().unwrap(), Member::Capture, "127.0.0.1:0").await;
    let token = |actor: &str, key: &str, study, ms| issue(&actor.parse().unwrap(), study, &key_of(key), ms);
    let now = now_ms();
    for (token, answer) in [
        (token("dr-lee", "dr-lee", study(), now), Ok("actor-token dr-lee -")),
        (token("dr-lee", "dr-lee", other_study(), now), Ok("actor-token - dr-lee")),
        (token("dr-gone", "dr-gone", study(), now), Ok("actor-token - -")),
        (token("dr-lee", "somebody", study(), now), Ok("actor-token - -")),
        (token("somebody", "dr-lee", study(), now), Ok("actor-token - -")),
        (token("dr-lee", "dr-lee", study(), now - 301_000), Err(unauthenticated())),
        (token("dr-lee", "dr-lee", study(), now + 60_000), Err(unauthenticated())),
        ("nonsense".to_owned(), Err(unauthenticated())),
        ("a".repeat(9_000), Err(unauthenticated())),
        (String::new(), Err(unauthenticated())),
    ] {
        assert_eq!(ask_plain(at, READ, &bearer(&token)).await, answer.map(str::to_owned), "{token}");
    }
    let good = token("dr-lee", "dr-lee", study(), now);
    assert_eq!(ask_plain(at, FACTS, &bearer(&good)).await, Err(denied("actor-token")));
    let basic = [("authorization", "Basic ZHItbGVlOng=".to_owned())];
    assert_eq!(ask_plain(at, SUBMIT, &basic).await, Err(unauthenticated()));
}

#[tokio::test]
async fn a_service_that_passes_a_token_on_is_that_actor_and_has_no_rights_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    pki::make(dir.path(), &[]).unwrap();
    let at = open(&Gatekeeper::new().unwrap(), Member::Capture, identity(dir.path(), "capture")).await;
    let anchoring = identity(dir.path(), "anchoring").rustls_client();
    let token = bearer(&issue(&"dr-lee".parse().unwrap(), study(), &key_of("dr-lee"), now_ms()));
    assert_eq!(ask(at, anchoring.clone(), READ, &token).await, Ok("actor-token dr-lee -".to_owned()));
    let list = "/trialseal.journal.v1.JournalService/ListStreams";
    assert_eq!(ask(at, anchoring.clone(), list, &[]).await, Ok("anchoring - -".to_owned()));
    assert_eq!(ask(at, anchoring.clone(), list, &token).await, Err(denied("actor-token")));
    assert_eq!(ask(at, anchoring, READ, &[]).await, Err(denied("anchoring")));
}
