//! What a service is reached at: URLs, each standing for all addresses of its host.

use crate::Settings;
use std::net::SocketAddr;
use tls::Identity;
use tokio::net::lookup_host;
use tonic::{codegen::http::Uri, transport::Endpoint};

/// Why a channel cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// An address is not a URL.
    #[error("{0:?} is not the URL of a service, such as http://127.0.0.1:7401")]
    Url(String),
    /// An address asks for TLS, and nothing says whom to trust.
    #[error("{0:?} needs a certificate authority to trust")]
    Authority(String),
}

/// One URL of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    origin: Uri,
    host: String,
    port: u16,
}

impl Target {
    /// The targets in a comma-separated list.
    pub(crate) fn parse_all(urls: &str, tls: bool) -> Result<Vec<Self>, AddressError> {
        urls.split(',').map(|url| Self::parse(url.trim(), tls)).collect()
    }

    fn parse(url: &str, tls: bool) -> Result<Self, AddressError> {
        let wrong = || AddressError::Url(url.to_owned());
        let origin: Uri = url.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let port = match origin.scheme_str() {
            Some("http") => 80,
            Some("https") if tls => 443,
            Some("https") => return Err(AddressError::Authority(url.to_owned())),
            _ => return Err(wrong()),
        };
        let host = origin.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = origin.port_u16().unwrap_or(port);
        Ok(Self { origin, host, port })
    }

    /// All addresses of the host now; none if its name is not known.
    pub(crate) async fn resolve(&self) -> Vec<SocketAddr> {
        lookup_host((self.host.as_str(), self.port)).await.map(Iterator::collect).unwrap_or_default()
    }

    /// How one of its addresses is connected to.
    pub(crate) fn endpoint(
        &self,
        address: SocketAddr,
        identity: Option<&Identity>,
        settings: &Settings,
    ) -> Option<Endpoint> {
        let scheme = self.origin.scheme_str()?;
        if scheme == "http" && !tls::may_be_plain(address) {
            tracing::error!(%address, "not called: beyond loopback TLS is needed (https)");
            return None;
        }
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
            .ok()?
            .origin(self.origin.clone())
            .tcp_nodelay(true)
            .connect_timeout(settings.connect)
            .http2_keep_alive_interval(settings.ping)
            .keep_alive_timeout(settings.ping_timeout)
            .keep_alive_while_idle(true);
        match identity {
            Some(identity) if scheme == "https" => {
                let config = identity.client_config().domain_name(self.host.clone());
                endpoint
                    .tls_config(config)
                    .inspect_err(|error| tracing::warn!(%error, "certificates cannot be used"))
                    .ok()
            }
            _ => Some(endpoint),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_url_of_a_list_is_a_target() {
        let targets =
            Target::parse_all("http://127.0.0.1:7401, https://capture.example/,http://[::1]:80", true).unwrap();
        let places: Vec<(&str, u16)> = targets.iter().map(|target| (target.host.as_str(), target.port)).collect();
        assert_eq!(places, [("127.0.0.1", 7401), ("capture.example", 443), ("::1", 80)]);
    }

    #[test]
    fn nobody_is_called_in_the_clear_beyond_loopback() {
        let target = |url| Target::parse_all(url, false).unwrap().remove(0);
        let endpoint = |url, address: &str| target(url).endpoint(address.parse().unwrap(), None, &Settings::default());
        assert!(endpoint("http://capture:7403", "127.0.0.1:7403").is_some());
        assert!(endpoint("http://capture:7403", "[::1]:7403").is_some());
        assert!(endpoint("http://capture:7403", "192.0.2.1:7403").is_none());
        assert!(endpoint("http://capture:7403", "0.0.0.0:7403").is_none());
    }

    #[test]
    fn what_is_no_url_or_needs_an_authority_is_refused() {
        for url in ["", "127.0.0.1:7401", "ftp://a", "http://", "http://a,,http://b", "http://a b"] {
            assert!(matches!(Target::parse_all(url, true), Err(AddressError::Url(_))), "{url:?}");
        }
        assert_eq!(Target::parse_all("https://a", false), Err(AddressError::Authority("https://a".to_owned())));
    }
}
