//! Actors by an identity provider.

use crate::{port::*, provider::Provider};
use caller::{
    Member,
    oidc::{Oidc, OidcError},
};
use permission::Gatekeeper;
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, sync::atomic::Ordering::Relaxed, time::Duration};
use token::issue;
use tokio::time::{Instant, sleep};

const ISSUER: &str = "https://id.example.org/trial";

fn written(jwks: &str, more: &str) -> String {
    format!("[[provider]]\nissuer = \"{ISSUER}\"\naudience = \"trialseal\"\njwks = \"{jwks}\"\n{more}\n")
}

fn oidc(text: &str) -> Result<Oidc, OidcError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("oidc.toml");
    fs::write(&file, text).unwrap();
    Oidc::open(&file)
}

/// A service that knows the provider, with these lines more about it.
async fn knowing(provider: &Provider, more: &str) -> SocketAddr {
    let text = written(&format!("http://{}/jwks", provider.address), more);
    let gatekeeper = Gatekeeper::new().unwrap().with_oidc(oidc(&text).unwrap());
    let at = open_plain(&gatekeeper, Member::Capture, "127.0.0.1:0").await;
    let good = provider.sign(&header("EdDSA", "ed"), &claims());
    eventually("the keys are fetched", async || ask_plain(at, SUBMIT, &bearer(&good)).await.is_ok()).await;
    at
}

async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is().await {
        assert!(Instant::now() < until, "{what}: not within a minute");
        sleep(Duration::from_millis(20)).await; // between two questions; the answer is what is waited for
    }
}

fn header(algorithm: &str, kid: &str) -> Value {
    json!({ "alg": algorithm, "typ": "JWT", "kid": kid })
}

fn claims() -> Value {
    let now = now_ms() / 1_000;
    json!({ "iss": ISSUER, "aud": "trialseal", "sub": "dr-lee", "iat": now, "exp": now + 600 })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[tokio::test]
async fn a_providers_token_is_taken_only_if_everything_about_it_is_right() {
    let provider = Provider::start().await;
    let at = knowing(&provider, "").await;
    let now = now_ms() / 1_000;
    let ed = |claims: Value| provider.sign(&header("EdDSA", "ed"), &claims);
    let good = Ok("actor-oidc dr-lee dr-lee".to_owned());
    for (token, answer) in [
        (ed(claims()), good.clone()),
        (provider.sign(&header("ES256", "ec"), &claims()), good.clone()),
        (provider.sign(&header("RS256", "rsa"), &claims()), good.clone()),
        (ed(with("aud", json!(["other", "trialseal"]))), good.clone()),
        (ed(with("nbf", json!(now - 5))), good.clone()),
        // Within the leeway of thirty seconds.
        (ed(with("exp", json!(now - 10))), good.clone()),
        (ed(with("nbf", json!(now + 10))), good.clone()),
        // A valid account whose actor has no valid key, or none at all.
        (ed(with("sub", json!("dr-gone"))), Ok("actor-oidc - -".to_owned())),
        (ed(with("sub", json!("dr-unknown"))), Ok("actor-oidc - -".to_owned())),
    ] {
        assert_eq!(ask_plain(at, READ, &bearer(&token)).await, answer, "{token}");
    }
    let mut stolen = ed(claims());
    stolen.truncate(stolen.len() - 4);
    for (why, token) in [
        ("wrong audience", ed(with("aud", json!("elsewhere")))),
        ("no audience", ed(without("aud"))),
        ("empty audience", ed(with("aud", json!([])))),
        ("unknown issuer", ed(with("iss", json!("https://id.example.org/other")))),
        ("a list of issuers", ed(with("iss", json!([ISSUER, "https://id.example.org/other"])))),
        ("no issuer", ed(without("iss"))),
        ("expired", ed(with("exp", json!(now - 60)))),
        ("no expiry", ed(without("exp"))),
        ("expiry as text", ed(with("exp", json!("never")))),
        ("not yet", ed(with("nbf", json!(now + 60)))),
        ("not yet, as text", ed(with("nbf", json!("soon")))),
        ("no account", ed(without("sub"))),
        ("an account that is no name", ed(with("sub", json!(" dr-lee")))),
        ("an account that is a number", ed(with("sub", json!(5)))),
        ("alg none", provider.sign(&header("none", "ed"), &claims())),
        ("alg None", provider.sign(&header("None", "ed"), &claims())),
        ("HS256 with the public key", provider.sign(&header("HS256", "ed"), &claims())),
        ("HS256 with the public RSA key", provider.sign(&header("HS256", "rsa"), &claims())),
        ("HS256 with the set's own secret", provider.sign(&header("HS256", "shared"), &claims())),
        ("another key's algorithm", provider.sign(&header("EdDSA", "ec"), &claims())),
        ("not the algorithm of the key", provider.sign(&header("PS256", "rsa"), &claims())),
        ("not a signing key", provider.sign(&header("EdDSA", "enc"), &claims())),
        ("unknown key", provider.sign(&header("EdDSA", "new"), &claims())),
        ("no kid", provider.sign(&json!({ "alg": "EdDSA" }), &claims())),
        (
            "something critical that is not understood",
            provider.sign(&json!({ "alg": "EdDSA", "kid": "ed", "crit": ["x"], "x": 1 }), &claims()),
        ),
        ("a key of its own", {
            let own = Provider::start().await;
            let mut header = header("EdDSA", "ed");
            header["jwk"] = own.keys()["keys"][0].clone();
            own.sign(&header, &claims())
        }),
        ("another provider's", Provider::start().await.sign(&header("EdDSA", "ed"), &claims())),
        ("cut short", stolen),
    ] {
        assert_eq!(ask_plain(at, READ, &bearer(&token)).await, Err(unauthenticated()), "{why}");
    }
}

#[tokio::test]
async fn accounts_are_the_actors_that_are_written_down() {
    let provider = Provider::start().await;
    let token = |claims: Value| bearer(&provider.sign(&header("EdDSA", "ed"), &claims));
    let lee = || token(with("email", json!("lee@example.org")));
    let at = knowing(&provider, "[provider.actors]\n\"dr-lee\" = \"dr-lee\"\n\"x\" = \"dr-lee\"").await;
    assert_eq!(ask_plain(at, READ, &token(with("sub", json!("x")))).await, Ok("actor-oidc dr-lee dr-lee".to_owned()));
    assert_eq!(ask_plain(at, READ, &token(with("sub", json!("dr-gone")))).await, Err(unauthenticated()));
    let one = format!("[provider.studies.\"{}\"]\n\"lee@example.org\" = \"dr-lee\"", other_study());
    let text = format!("claim = \"email\"\n{one}");
    let text = written(&format!("http://{}/jwks", provider.address), &text);
    let gatekeeper = Gatekeeper::new().unwrap().with_oidc(oidc(&text).unwrap());
    let at = open_plain(&gatekeeper, Member::Capture, "127.0.0.1:0").await;
    eventually("the keys are fetched", async || ask_plain(at, SUBMIT, &lee()).await.is_ok()).await;
    assert_eq!(ask_plain(at, READ, &lee()).await, Ok("actor-oidc - dr-lee".to_owned()));
    let stranger = token(with("email", json!("stranger@example.org")));
    assert_eq!(ask_plain(at, READ, &stranger).await, Ok("actor-oidc - -".to_owned()));
    assert_eq!(ask_plain(at, READ, &token(claims())).await, Err(unauthenticated()), "no email");
}

#[tokio::test]
async fn only_the_algorithms_written_down_count() {
    let provider = Provider::start().await;
    let at = knowing(&provider, "algorithms = [\"EdDSA\"]").await;
    let ec = provider.sign(&header("ES256", "ec"), &claims());
    assert_eq!(ask_plain(at, READ, &bearer(&ec)).await, Err(unauthenticated()));
}

#[tokio::test]
async fn keys_are_fetched_again_when_a_new_one_is_used_and_kept_while_the_provider_is_away() {
    let provider = Provider::start().await;
    let mut renewed = provider.keys();
    renewed["keys"][0]["kid"] = json!("ed-2");
    let at = knowing(&provider, "").await;
    let (old, new) = (bearer(&provider.sign(&header("EdDSA", "ed"), &claims())), header("EdDSA", "ed-2"));
    let new = bearer(&provider.sign(&new, &claims()));
    *provider.served.lock().unwrap() = Some(json!({ "keys": "none" }));
    assert_eq!(ask_plain(at, READ, &new).await, Err(unauthenticated()));
    let asked = provider.asked.load(Relaxed);
    eventually("the provider is asked twice", async || {
        provider.asked.load(Relaxed) > asked + 1 || {
            drop(ask_plain(at, READ, &new).await);
            false
        }
    })
    .await;
    assert!(ask_plain(at, READ, &old).await.is_ok());
    *provider.served.lock().unwrap() = Some(renewed);
    eventually("the new key is fetched", async || ask_plain(at, READ, &new).await.is_ok()).await;
    assert_eq!(ask_plain(at, READ, &old).await, Err(unauthenticated()), "the provider took the old key away");
}

#[tokio::test]
async fn a_file_of_keys_does_without_a_server() {
    let provider = Provider::start().await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("keys.json"), provider.keys().to_string()).unwrap();
    fs::write(dir.path().join("oidc.toml"), written("keys.json", "")).unwrap();
    let oidc = Oidc::open(&dir.path().join("oidc.toml")).unwrap();
    let gatekeeper = Gatekeeper::new().unwrap().with_oidc(oidc);
    let at = open_plain(&gatekeeper, Member::Capture, "127.0.0.1:0").await;
    let token = bearer(&provider.sign(&header("ES256", "ec"), &claims()));
    assert_eq!(ask_plain(at, READ, &token).await, Ok("actor-oidc dr-lee dr-lee".to_owned()));
    let own = issue(&"dr-lee".parse().unwrap(), study(), &key_of("dr-lee"), now_ms());
    assert_eq!(ask_plain(at, READ, &bearer(&own)).await, Ok("actor-token dr-lee -".to_owned()));
}

#[tokio::test]
async fn a_file_of_providers_that_is_not_right_is_refused_at_the_start() {
    let good = "http://127.0.0.1:1/jwks";
    assert!(oidc(&written(good, "")).is_ok());
    let twice = format!("{}{}", written(good, ""), written(good, ""));
    for (why, text) in [
        ("nothing", String::new()),
        ("not TOML", "[[provider".to_owned()),
        ("an unknown word", written(good, "audiance = \"x\"")),
        ("a shared secret", written(good, "algorithms = [\"HS256\"]")),
        ("no algorithm", written(good, "algorithms = []")),
        ("an endless leeway", written(good, "leeway_seconds = 301")),
        ("plaintext over a network", written("http://id.example.org/jwks", "")),
        ("plaintext by a name", written("http://localhost/jwks", "")),
        ("another scheme", written("ftp://127.0.0.1/jwks", "")),
        ("a file that is not there", written("keys.json", "")),
        ("twice the same", twice),
        ("both kinds of accounts", written(good, "[provider.actors]\n[provider.studies]")),
        ("an empty claim", written(good, "claim = \"\"")),
        ("a name that is none", written(good, "[provider.actors]\nx = \" a\"")),
    ] {
        assert!(oidc(&text).is_err(), "{why}");
    }
}
