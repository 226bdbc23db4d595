//! An identity provider: keys made here, signatures made here, a key set served over HTTP.

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::{KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaKeyPair,
    },
};
use axum::{Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::net::TcpListener;

/// A provider with a key of each kind.
pub struct Provider {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
    /// What it serves as its key set.
    pub served: Arc<Mutex<Option<Value>>>,
    /// How often it was asked for it.
    pub asked: Arc<AtomicUsize>,
    pub address: SocketAddr,
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (served, asked): (Arc<Mutex<Option<Value>>>, Arc<AtomicUsize>) = Default::default();
        let (shown, counted) = (served.clone(), asked.clone());
        let keys = move || async move {
            counted.fetch_add(1, Relaxed);
            shown.lock().unwrap().as_ref().map(Value::to_string).ok_or("not now")
        };
        let router = Router::new().route("/jwks", get(keys));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let provider = Self { ed: Ed25519KeyPair::generate().unwrap(), ec, rsa, served, asked, address };
        *provider.served.lock().unwrap() = Some(provider.keys());
        provider
    }

    /// The key set.
    pub fn keys(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = self.ec.public_key().as_ref();
        let rsa = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
        json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": text(self.ed.public_key().as_ref()) },
            { "kty": "EC", "crv": "P-256", "kid": "ec", "x": text(&point[1..33]), "y": text(&point[33..]) },
            { "kty": "RSA", "kid": "rsa", "alg": "RS256", "n": text(&rsa.n), "e": text(&rsa.e) },
            { "kty": "oct", "kid": "shared", "k": text(self.ed.public_key().as_ref()) },
            { "kty": "OKP", "crv": "Ed25519", "kid": "enc", "use": "enc", "x": text(self.ed.public_key().as_ref()) },
            { "kty": "unheard-of", "kid": "odd" },
            "nonsense",
        ] })
    }

    /// A token with this header and these claims, signed by what the header's `alg` says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", text(header), text(claims));
        let random = SystemRandom::new();
        let signature = match header["alg"].as_str().unwrap() {
            "EdDSA" => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            "ES256" => self.ec.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            "RS256" | "PS256" => {
                let encoding = if header["alg"] == "RS256" { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(encoding, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            // The classic: a public key as if it were a shared secret.
            "HS256" => {
                let public = match header["kid"].as_str().unwrap() {
                    "rsa" => AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(self.rsa.public_key())
                        .unwrap()
                        .as_ref()
                        .to_vec(),
                    _ => self.ed.public_key().as_ref().to_vec(),
                };
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), message.as_bytes()).as_ref().to_vec()
            }
            _ => Vec::new(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
