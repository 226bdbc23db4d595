//! Whom a certificate names.

use rustls::pki_types::CertificateDer;
use std::{collections::BTreeSet, fmt};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

/// The longest SPIFFE-ID, in bytes (SPIFFE-ID section 2.3).
const MAX_ID: usize = 2_048;

/// The most studies a certificate may name.
const MAX_STUDIES: usize = 32;

/// Whom a certificate names, in the deployment's own trust domain.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum CertifiedName {
    /// A service of the deployment, or `client`, a program that calls it: `/trialseal/<service>`.
    Service(String),
    /// A person or system that acts in studies: `/trialseal/actor/<name>/study/<uuid>`, with further studies as further
    /// segments: `/study/<uuid>/<uuid>`.
    Actor {
        /// The actor's name.
        name: String,
        /// The studies it is valid in: different UUIDs in lower case, at most 32. None: it is valid in no study.
        studies: Vec<String>,
    },
}

impl fmt::Debug for CertifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertifiedName::Service(service) => write!(f, "Service({service})"),
            CertifiedName::Actor { .. } => f.write_str("Actor"), // may be a person's name
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

/// Whom a path names, without its first segment `trialseal`.
pub(crate) fn certified(path: &str) -> Option<CertifiedName> {
    match path.strip_prefix("actor/") {
        Some(actor) => self::actor(actor),
        None => segment(path).map(CertifiedName::Service),
    }
}

fn actor(path: &str) -> Option<CertifiedName> {
    let (name, studies) = match path.split_once('/') {
        Some((name, rest)) => (name, studies(rest.strip_prefix("study/")?)?),
        None => (path, Vec::new()),
    };
    Some(CertifiedName::Actor { name: segment(name)?, studies })
}

fn studies(path: &str) -> Option<Vec<String>> {
    let studies: Vec<&str> = path.split('/').collect();
    let different = studies.iter().collect::<BTreeSet<_>>().len() == studies.len();
    let good = studies.len() <= MAX_STUDIES && different && studies.iter().all(|study| is_uuid(study));
    good.then(|| studies.into_iter().map(str::to_owned).collect())
}

/// A segment of a path (SPIFFE-ID section 2.2).
fn segment(text: &str) -> Option<String> {
    let proper = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (!text.is_empty() && text.chars().all(proper)).then(|| text.to_owned())
}

/// A UUID in its canonical spelling (RFC 9562 section 4), lower case only.
fn is_uuid(text: &str) -> bool {
    let proper = |(at, c): (usize, char)| match at {
        8 | 13 | 18 | 23 => c == '-',
        _ => matches!(c, '0'..='9' | 'a'..='f'),
    };
    text.len() == 36 && text.chars().enumerate().all(proper)
}

/// From when and until when a certificate is valid, Unix milliseconds.
pub(crate) fn period(certificate: &X509Certificate<'_>) -> (u64, u64) {
    let ms = |seconds: i64| u64::try_from(seconds).unwrap_or_default().saturating_mul(1_000);
    let validity = certificate.validity();
    (ms(validity.not_before.timestamp()), ms(validity.not_after.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "01234567-89ab-4def-8123-456789abcdef";
    const TWO: &str = "11234567-89ab-4def-8123-456789abcdef";

    fn named(studies: &[&str]) -> Option<CertifiedName> {
        certified(&format!("actor/dr-lee/study/{}", studies.join("/")))
    }

    fn actor(name: &str, studies: &[&str]) -> Option<CertifiedName> {
        let studies = studies.iter().map(|study| (*study).to_owned()).collect();
        Some(CertifiedName::Actor { name: name.to_owned(), studies })
    }

    #[test]
    fn an_actor_is_named_with_their_studies() {
        assert!(named(&[ONE]) == actor("dr-lee", &[ONE]));
        assert!(named(&[TWO, ONE]) == actor("dr-lee", &[TWO, ONE]));
        assert!(certified("actor/dr-lee") == actor("dr-lee", &[]));
        assert!(certified("actor/study") == actor("study", &[]));
        assert!(certified(&format!("actor/study/study/{ONE}")) == actor("study", &[ONE]));
    }

    #[test]
    fn studies_that_are_not_exactly_so_name_nobody() {
        let (upper, braced, short) = (ONE.to_uppercase(), format!("{{{ONE}}}"), ONE.replace('-', ""));
        let (wide, moved) = ("０".repeat(12), ONE.replacen("-89", "8-9", 1));
        let all: &[&[&str]] = &[
            &[],
            &[""],
            &[ONE, ""],
            &["", ONE],
            &[ONE, ONE],
            &[&upper],
            &[&braced],
            &[&short],
            &[&wide],
            &[&moved],
            &["*"],
            &[ONE, "study", TWO],
            &[ONE, "actor", "dr-kim"],
        ];
        for studies in all {
            assert!(named(studies).is_none(), "{studies:?}");
        }
        for path in
            ["actor/dr-lee/", "actor/dr-lee/study", "actor/dr-lee/studies/", "actor//study/", "actor/dr-lee//study/"]
        {
            assert!(certified(path).is_none() && certified(&format!("{path}{ONE}")).is_none(), "{path}");
        }
        assert!(certified(&format!("capture/study/{ONE}")).is_none());
    }

    #[test]
    fn the_number_of_studies_is_bounded() {
        let studies: Vec<String> = (0..=MAX_STUDIES).map(|n| format!("{n:08}{}", &ONE[8..])).collect();
        let studies: Vec<&str> = studies.iter().map(String::as_str).collect();
        assert!(named(&studies[..MAX_STUDIES]).is_some());
        assert!(named(&studies).is_none());
    }
}
