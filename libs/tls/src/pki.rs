//! A certificate authority for development and tests: not for production, where an organisation's own issues them.

use crate::{TlsError, name::certified};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

/// The trust domain of the certificates made here.
pub const TRUST_DOMAIN: &str = "trialseal.example";
/// For whom certificates are made: the services, and programs that call them.
pub const NAMES: [&str; 6] = ["enrollment", "consent", "capture", "anchoring", "witness", "client"];

const DAY: Duration = Duration::from_secs(86_400);
const AUTHORITY_LIFE: Duration = DAY.saturating_mul(3_650);
const LIFE: Duration = DAY.saturating_mul(90);

/// Writes into `dir`: the authority as `ca.pem` with `ca.key`, and for each of [`NAMES`] `<name>.pem` with `<name>.key`.
/// The folder and the keys are readable by their owner only. The authority stays when there is one; the others are made anew.
///
/// A certificate is valid for its name, for `localhost` and loopback, and at each of `hosts`: a DNS name or IP address; or,
/// beginning with a dot, a suffix to its name (`.trialseal.svc`: `capture.trialseal.svc`).
pub fn make(dir: &Path, hosts: &[String]) -> Result<(), TlsError> {
    let authority = Authority::open(dir)?;
    for name in NAMES {
        let mut params = params(name, &format!("trialseal/{name}"))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if name != "client" {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
            let always = [name, "localhost", "127.0.0.1", "::1"].map(str::to_owned);
            for host in always.iter().chain(hosts) {
                params.subject_alt_names.push(host_name(name, host)?);
            }
        }
        authority.issue(dir, name, &params)?;
    }
    Ok(())
}

/// Writes into `dir`, which holds the authority, a certificate for an actor in `studies` (different UUIDs in lower case, 1
/// to 32): `actor-<name>.pem` with `actor-<name>.key`.
pub fn make_actor(dir: &Path, actor: &str, studies: &[String]) -> Result<(), TlsError> {
    let path = format!("actor/{actor}/study/{}", studies.join("/"));
    if certified(&path).is_none() {
        return Err(TlsError::Actor);
    }
    let mut params = params(actor, &format!("trialseal/{path}"))?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Authority::open(dir)?.issue(dir, &format!("actor-{actor}"), &params)
}

struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    fn open(dir: &Path) -> Result<Self, TlsError> {
        owner::directory(dir, &["ca.pem", "ca.key"])
            .map_err(|source| TlsError::File { path: dir.to_owned(), source })?;
        let (certificate, key) = (dir.join("ca.pem"), dir.join("ca.key"));
        if !key.exists() {
            let (pem, made) = Self::make()?;
            write(&key, made.as_bytes(), 0o600)?;
            write(&certificate, pem.as_bytes(), 0o644)?;
        }
        let pem = text(&certificate)?;
        let key = KeyPair::from_pem(&text(&key)?).map_err(TlsError::Make)?;
        Ok(Self(Issuer::from_ca_cert_pem(&pem, key).map_err(TlsError::Make)?))
    }

    fn make() -> Result<(String, Zeroizing<String>), TlsError> {
        let key = KeyPair::generate().map_err(TlsError::Make)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Trialseal development authority");
        valid_for(&mut params, AUTHORITY_LIFE);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(TlsError::Make)?;
        Ok((certificate.pem(), Zeroizing::new(key.serialize_pem())))
    }

    fn issue(&self, dir: &Path, file: &str, params: &CertificateParams) -> Result<(), TlsError> {
        let key = KeyPair::generate().map_err(TlsError::Make)?;
        let certificate = params.signed_by(&key, &self.0).map_err(TlsError::Make)?;
        write(&dir.join(format!("{file}.key")), Zeroizing::new(key.serialize_pem()).as_bytes(), 0o600)?;
        write(&dir.join(format!("{file}.pem")), certificate.pem().as_bytes(), 0o644)
    }
}

fn params(name: &str, path: &str) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    valid_for(&mut params, LIFE);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let uri = format!("spiffe://{TRUST_DOMAIN}/{path}").try_into().map_err(TlsError::Make)?;
    params.subject_alt_names.push(SanType::URI(uri));
    Ok(params)
}

fn host_name(name: &str, host: &str) -> Result<SanType, TlsError> {
    if let Ok(address) = host.parse() {
        return Ok(SanType::IpAddress(address));
    }
    let host = if host.starts_with('.') { format!("{name}{host}") } else { host.to_owned() };
    Ok(SanType::DnsName(host.try_into().map_err(TlsError::Make)?))
}

/// Makes `params` valid for `life` from now, or rather from an hour ago: clocks differ.
fn valid_for(params: &mut CertificateParams, life: Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(Duration::from_secs(3_600));
    params.not_after = date_time_ymd(1970, 1, 1) + now + life;
}

fn text(path: &Path) -> Result<Zeroizing<String>, TlsError> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

/// Writes a file and puts it in place at once: who reads it meanwhile sees the old one or the new one.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), TlsError> {
    let part = PathBuf::from(format!("{}.part", path.display()));
    let written = || -> io::Result<()> {
        drop(fs::remove_file(&part));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    written().map_err(|source| TlsError::File { path: path.to_owned(), source })
}
