//! Where the services of a deployment are.

use crate::ClientError;
use channel::{Channel, Settings};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tls::Identity;

/// Where the services of a deployment are reached: URLs, several of one service separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The enrollment service.
    pub enrollment: String,
    /// The consent service.
    pub consent: String,
    /// The capture service.
    pub capture: String,
    /// The anchoring service; the chain's tiles are served there too.
    pub anchoring: String,
    /// The witnesses.
    pub witnesses: Vec<String>,
    /// By which certificates services with `https` addresses are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
}

/// The files of a client's certificates, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFiles {
    /// The authority that the services' certificates are checked against.
    pub ca: PathBuf,
    /// The client's own certificate and key, if it has any.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnFiles>,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnFiles {
    /// The certificate chain, the own certificate first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Why a file of endpoints cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointsError {
    /// The file cannot be read.
    #[error("cannot be read")]
    Unreadable(#[source] io::Error),
    /// It is not the JSON of [`Endpoints`].
    #[error("not an endpoints file")]
    Malformed(#[source] serde_json::Error),
}

impl Endpoints {
    /// Reads the file `endpoints.json` of a deployment. Relative names of certificates' files are found beside it.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not one of endpoints.
    pub fn read(file: &Path) -> Result<Self, EndpointsError> {
        let text = fs::read(file).map_err(EndpointsError::Unreadable)?;
        let endpoints: Self = serde_json::from_slice(&text).map_err(EndpointsError::Malformed)?;
        Ok(endpoints.in_folder(file.parent().unwrap_or(Path::new(""))))
    }

    /// The same, with files whose names are relative found in `folder`.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        if let Some(tls) = &mut self.tls {
            let own = tls.own.iter_mut().flat_map(|own| [&mut own.certificate, &mut own.key]);
            for file in std::iter::once(&mut tls.ca).chain(own) {
                *file = folder.join(&*file);
            }
        }
        self
    }

    /// The certificates named, read.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, ClientError> {
        let Some(TlsFiles { ca, own }) = &self.tls else { return Ok(None) };
        let own = own.as_ref().map(|own| (own.certificate.as_path(), own.key.as_path()));
        Ok(Some(Identity::client(ca, own)?))
    }
}

/// A channel to a service, connected when first used.
pub(crate) fn channel(urls: &str, identity: Option<Identity>) -> Result<Channel, ClientError> {
    Ok(Channel::new(urls, identity, Settings::default())?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"{"enrollment":"http://a","consent":"http://b","capture":"http://c,http://d","anchoring":"http://e","witnesses":[]}"#;

    #[test]
    fn a_file_without_certificates_stays_as_it_was() {
        let endpoints: Endpoints = serde_json::from_str(PLAIN).unwrap();
        assert_eq!(endpoints.tls, None);
        assert_eq!(serde_json::to_string(&endpoints).unwrap(), PLAIN);
    }

    #[test]
    fn certificates_are_found_beside_the_file_that_names_them() {
        let with = |tls: &str| PLAIN.replace(r#""witnesses":[]"#, &format!(r#""witnesses":[],"tls":{tls}"#));
        let read = |text: &str| serde_json::from_str::<Endpoints>(text).unwrap().in_folder(Path::new("/etc/trialseal"));
        let tls = read(&with(r#"{"ca":"ca.pem"}"#)).tls.unwrap();
        assert_eq!(tls, TlsFiles { ca: "/etc/trialseal/ca.pem".into(), own: None });
        let text = with(r#"{"ca":"/ca.pem","certificate":"pki/client.pem","key":"/run/client.key"}"#);
        let own = OwnFiles { certificate: "/etc/trialseal/pki/client.pem".into(), key: "/run/client.key".into() };
        assert_eq!(read(&text).tls.unwrap(), TlsFiles { ca: "/ca.pem".into(), own: Some(own) });
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Endpoints>(&text).unwrap()).unwrap(), text);
    }
}
