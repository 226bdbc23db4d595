//! Services and actors by their certificates.

use crate::port::*;
use caller::{Member, ServiceToken};
use permission::Gatekeeper;
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use std::{fs, path::Path, sync::Arc, time::Duration};
use tls::{Identity, pki};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tonic::Code;

fn made() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    pki::make(dir.path(), &[]).unwrap();
    dir
}

/// A client with a certificate of the authority in `dir` for `path`, valid for `life` from an hour ago.
fn client(dir: &Path, path: &str, life: Duration) -> Arc<ClientConfig> {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), KeyPair::from_pem(&read("ca.key")).unwrap()).unwrap();
    let mut params = CertificateParams::default();
    let uri = format!("spiffe://{}/trialseal/{path}", pki::TRUST_DOMAIN);
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(now_ms() - 3_600_000);
    params.not_after = params.not_before + life;
    let key = KeyPair::generate().unwrap();
    let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(read("ca.pem").as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
    let builder = builder.unwrap().with_root_certificates(roots);
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    Arc::new(builder.with_client_auth_cert(chain, key).unwrap())
}

#[tokio::test]
async fn a_service_calls_what_its_certificate_lets_it_and_nothing_else() {
    let dir = made();
    let gatekeeper = Gatekeeper::new().unwrap();
    let consent = open(&gatekeeper, Member::Consent, identity(dir.path(), "consent")).await;
    let enrollment = open(&gatekeeper, Member::Enrollment, identity(dir.path(), "enrollment")).await;
    let of = |name: &str| identity(dir.path(), name).rustls_client();
    for (caller, at, path, answer) in [
        ("capture", consent, DECIDE, Ok("capture - -".to_owned())),
        ("enrollment", consent, DECIDE, Ok("enrollment - -".to_owned())),
        ("anchoring", consent, DECIDE, Err(denied("anchoring"))),
        ("witness", consent, DECIDE, Err(denied("witness"))),
        ("client", consent, DECIDE, Err(denied("client"))),
        ("capture", enrollment, FACTS, Ok("capture - -".to_owned())),
        ("consent", enrollment, FACTS, Ok("consent - -".to_owned())),
        ("anchoring", enrollment, FACTS, Err(denied("anchoring"))),
        ("capture", consent, FACTS, Err(denied("capture"))),
        ("anchoring", consent, ENTRIES, Ok("anchoring - -".to_owned())),
        ("capture", consent, ENTRIES, Err(denied("capture"))),
        ("client", consent, HEALTH, Ok("client - -".to_owned())),
        ("witness", consent, HEALTH, Ok("witness - -".to_owned())),
        (
            "consent",
            enrollment,
            "/trialseal.nobody.v1.Nothing/Never",
            Err(Some((Code::Unimplemented, String::new(), Default::default()))),
        ),
    ] {
        assert_eq!(ask(at, of(caller), path, &[]).await, answer, "{caller} {path}");
    }
}

#[tokio::test]
async fn who_has_no_certificate_is_nobody() {
    let dir = made();
    let at = open(&Gatekeeper::new().unwrap(), Member::Capture, identity(dir.path(), "capture")).await;
    let nobody = Identity::client(&dir.path().join("ca.pem"), None).unwrap().rustls_client();
    assert_eq!(ask(at, nobody.clone(), SUBMIT, &[]).await, Ok("anonymous - -".to_owned()));
    assert_eq!(ask(at, nobody.clone(), HEALTH, &[]).await, Ok("anonymous - -".to_owned()));
    for path in [READ, FACTS, ENTRIES] {
        assert_eq!(ask(at, nobody.clone(), path, &[]).await, Err(unauthenticated()), "{path}");
    }
    assert_eq!(ask(at, nobody, "/", &[]).await, Err(unauthenticated()));
}

#[tokio::test]
async fn certificates_of_another_authority_or_of_the_past_get_no_answer() {
    let (dir, other) = (made(), made());
    let at = open(&Gatekeeper::new().unwrap(), Member::Consent, identity(dir.path(), "consent")).await;
    // It trusts the right authority and is of another: only what it presents is wrong.
    fs::copy(dir.path().join("ca.pem"), other.path().join("trusted.pem")).unwrap();
    let file = |kind: &str| other.path().join(format!("capture.{kind}"));
    let stranger = Identity::watch(&file("pem"), &file("key"), &other.path().join("trusted.pem")).unwrap();
    assert_eq!(ask(at, stranger.rustls_client(), DECIDE, &[]).await, Err(None));
    let hours = |hours: u64| client(dir.path(), "capture", Duration::from_secs(3_600 * hours));
    assert_eq!(ask(at, hours(2), DECIDE, &[]).await, Ok("capture - -".to_owned()));
    assert_eq!(ask(at, client(dir.path(), "capture", Duration::from_secs(60)), DECIDE, &[]).await, Err(None));
}

#[tokio::test]
async fn certificates_that_name_nobody_here_are_refused_and_not_taken_for_none() {
    let dir = made();
    let at = open(&Gatekeeper::new().unwrap(), Member::Capture, identity(dir.path(), "capture")).await;
    for path in [
        "portal",
        "actor/",
        "actor/has space",
        "actor/dr-lee/study/",
        "actor/dr-lee/study/*",
        "capture/extra",
        "Capture",
        "deployment",
        "anonymous",
        "",
    ] {
        let caller = client(dir.path(), path, Duration::from_secs(7_200));
        assert_eq!(ask(at, caller, SUBMIT, &[]).await, Err(unauthenticated()), "{path}");
    }
}

#[tokio::test]
async fn an_actor_with_a_certificate_needs_a_valid_key_in_the_study() {
    let dir = made();
    let gatekeeper = Gatekeeper::new().unwrap();
    let capture = open(&gatekeeper, Member::Capture, identity(dir.path(), "capture")).await;
    let anchoring = open(&gatekeeper, Member::Anchoring, identity(dir.path(), "anchoring")).await;
    for (actor, answer) in [
        ("dr-lee", "actor-certificate dr-lee dr-lee"),
        ("root", "actor-certificate - -"),
        ("dr-gone", "actor-certificate - -"),
        ("dr-unknown", "actor-certificate - -"),
        ("consent", "actor-certificate - -"),
    ] {
        pki::make_actor(dir.path(), actor, &[study(), other_study()].map(|study| study.to_string())).unwrap();
        let caller = identity(dir.path(), &format!("actor-{actor}")).rustls_client();
        assert_eq!(ask(capture, caller.clone(), READ, &[]).await, Ok(answer.to_owned()));
        assert_eq!(ask(capture, caller.clone(), FACTS, &[]).await, Err(denied("actor-certificate")));
        let bundle = "/trialseal.anchoring.v1.AnchoringService/GetBundle";
        assert_eq!(ask(anchoring, caller, bundle, &[]).await, Err(denied("actor-certificate")));
    }
}

#[tokio::test]
async fn a_certificate_is_an_actors_in_the_studies_it_names_only() {
    let dir = made();
    let at = open(&Gatekeeper::new().unwrap(), Member::Capture, identity(dir.path(), "capture")).await;
    let (one, other) = (study(), other_study());
    for (studies, answer) in [
        (format!("/study/{one}"), "actor-certificate dr-lee -"),
        (format!("/study/{other}"), "actor-certificate - dr-lee"),
        (format!("/study/{other}/{one}"), "actor-certificate dr-lee dr-lee"),
        (String::new(), "actor-certificate - -"),
    ] {
        let caller = client(dir.path(), &format!("actor/dr-lee{studies}"), Duration::from_secs(7_200));
        assert_eq!(ask(at, caller, READ, &[]).await, Ok(answer.to_owned()), "{studies}");
    }
}

#[tokio::test]
async fn the_token_of_services_counts_over_plaintext_on_this_machine_only() {
    let dir = made();
    let token = ServiceToken::new(&[7; 32]);
    let gatekeeper = Gatekeeper::new().unwrap().with_services(token);
    let (right, wrong) = (hex::encode([7; 32]), hex::encode([8; 32]));
    let with = |token: &str| [("x-trialseal-service", token.to_owned())];
    let loopback = open_plain(&gatekeeper, Member::Consent, "127.0.0.1:0").await;
    assert_eq!(ask_plain(loopback, DECIDE, &with(&right)).await, Ok("deployment - -".to_owned()));
    assert_eq!(ask_plain(loopback, FACTS, &with(&right)).await, Err(denied("deployment")));
    assert_eq!(ask_plain(loopback, DECIDE, &with(&wrong)).await, Err(unauthenticated()));
    assert_eq!(ask_plain(loopback, HEALTH, &with(&wrong)).await, Err(unauthenticated()));
    assert_eq!(ask_plain(loopback, DECIDE, &with("")).await, Err(unauthenticated()));
    assert_eq!(ask_plain(loopback, DECIDE, &[]).await, Err(unauthenticated()));
    // Reached over loopback, but open to everybody.
    let anywhere = open_plain(&gatekeeper, Member::Consent, "0.0.0.0:0").await;
    assert_eq!(ask_plain(anywhere, DECIDE, &with(&right)).await, Err(unauthenticated()));
    let tls = open(&gatekeeper, Member::Consent, identity(dir.path(), "consent")).await;
    let nobody = Identity::client(&dir.path().join("ca.pem"), None).unwrap().rustls_client();
    assert_eq!(ask(tls, nobody, DECIDE, &with(&right)).await, Err(unauthenticated()));
    // A gatekeeper without a token takes none.
    let without = open_plain(&Gatekeeper::new().unwrap(), Member::Consent, "127.0.0.1:0").await;
    assert_eq!(ask_plain(without, DECIDE, &with(&right)).await, Err(unauthenticated()));
    let absent = Gatekeeper::new().unwrap().with_services(ServiceToken::absent());
    let without = open_plain(&absent, Member::Consent, "127.0.0.1:0").await;
    assert_eq!(ask_plain(without, DECIDE, &with("")).await, Err(unauthenticated()));
}
