//! Whom a certificate names.

use rustls::pki_types::CertificateDer;
use std::fmt;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

/// The longest SPIFFE-ID, in bytes (SPIFFE-ID section 2.3).
const MAX_ID: usize = 2_048;

/// Whom a certificate names, in the deployment's own trust domain.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum CertifiedName {
    /// A service of the deployment, or `client`, a program that calls it: `/trialseal/<service>`.
    Service(String),
    /// A person or system that acts in studies: `/trialseal/actor/<name>`.
    Actor(String),
}

impl fmt::Debug for CertifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertifiedName::Service(service) => write!(f, "Service({service})"),
            CertifiedName::Actor(_) => f.write_str("Actor"), // may be a person's name
        }
    }
}

/// What a caller's certificate says. Its signature was verified against the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Whom it names; nothing if that is nobody of this deployment.
    pub name: Option<CertifiedName>,
    /// Until when it is valid, Unix milliseconds. A connection may outlive it.
    pub expires_ms: u64,
}

/// The trust domain and path of the one SPIFFE-ID among a certificate's names.
pub(crate) fn spiffe_id(certificate: &X509Certificate<'_>) -> Option<(String, String)> {
    let names = certificate.subject_alternative_name().ok()??;
    let mut uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let (uri, None) = (uris.next()?, uris.next()) else { return None }; // an X.509-SVID has exactly one
    if uri.len() > MAX_ID {
        return None;
    }
    let (domain, path) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    let proper = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    (!domain.is_empty() && domain.chars().all(proper)).then(|| (domain.to_owned(), path.to_owned()))
}

/// What the certificate of a caller says, read for members of `trust_domain`.
pub(crate) fn presented(certificate: &CertificateDer<'_>, trust_domain: Option<&str>) -> Option<Presented> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let (_, expires_ms) = period(&certificate);
    let name = spiffe_id(&certificate)
        .filter(|(domain, _)| trust_domain == Some(domain))
        .and_then(|(_, path)| certified(path.strip_prefix("trialseal/")?));
    Some(Presented { name, expires_ms })
}

fn certified(path: &str) -> Option<CertifiedName> {
    let proper = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c); // of a path's segments, SPIFFE-ID section 2.2
    let part = |text: &str| (!text.is_empty() && text.chars().all(proper)).then(|| text.to_owned());
    match path.strip_prefix("actor/") {
        Some(actor) => part(actor).map(CertifiedName::Actor),
        None => part(path).map(CertifiedName::Service),
    }
}

/// From when and until when a certificate is valid, Unix milliseconds.
pub(crate) fn period(certificate: &X509Certificate<'_>) -> (u64, u64) {
    let ms = |seconds: i64| u64::try_from(seconds).unwrap_or_default().saturating_mul(1_000);
    let validity = certificate.validity();
    (ms(validity.not_before.timestamp()), ms(validity.not_after.timestamp()))
}
