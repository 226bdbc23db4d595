//! What a call shows of who is calling.

use crate::{
    caller::{Caller, Certified, Member, Who},
    oidc::Oidc,
    service::ServiceToken,
};
use axum::extract::ConnectInfo;
use std::sync::Arc;
use tls::{CertifiedName, Peer, Presented, Transport};
use token::{Token, TokenError};
use tonic::codegen::http::{Extensions, HeaderMap, header::AUTHORIZATION};

/// The longest token, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 8_192;

/// Why credentials are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// There are none.
    #[error("no `authorization: Bearer` token, and no certificate of an actor")]
    Missing,
    /// The token is not one of a kind accepted.
    #[error(
        "neither an EdDSA JWT with the claims sub, aud, study, iat, exp nor a token of a configured identity provider"
    )]
    Malformed,
    /// The token is for another audience or study.
    #[error("for another audience or study")]
    Audience,
    /// The token is not valid now, or longer than allowed.
    #[error("expired, not yet valid, or an actor's own and valid for longer than five minutes")]
    Time,
    /// The key is not a valid key of the actor.
    #[error("the actor has no valid key in this study: unknown actor, wrong key file, or revoked key")]
    Key,
    /// The token is not signed by its identity provider with a key and an algorithm accepted from it.
    #[error("not signed by its identity provider with an accepted key and algorithm")]
    Provider,
    /// The identity provider does not speak for an actor here.
    #[error("the identity provider's account is mapped to no actor in this study")]
    Elsewhere,
    /// The certificate names nobody of this deployment.
    #[error("the certificate names no service or actor of this deployment")]
    Certificate,
    /// The certificate is an actor's, and does not name the study.
    #[error("the certificate does not name this study: use one that does, or a token")]
    Study,
    /// The certificate expired while the connection was open.
    #[error("the certificate has expired: connect with a new one")]
    Expired,
    /// The token of the deployment's services is not right.
    #[error("not the token that this deployment's services share")]
    Service,
}

impl From<TokenError> for CredentialsError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Malformed => Self::Malformed,
            TokenError::Audience => Self::Audience,
            TokenError::Time => Self::Time,
            TokenError::Key => Self::Key,
        }
    }
}

/// The credentials accepted beside certificates and actors' own tokens. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    /// The token of a deployment that is one process, over plaintext loopback connections only.
    pub services: ServiceToken,
    /// Tokens of identity providers.
    pub oidc: Option<Arc<Oidc>>,
}

impl Credentials {
    /// Who calls, by what a call shows. Bad credentials are never the same as none.
    pub fn examine(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        now_ms: u64,
    ) -> Result<Caller, CredentialsError> {
        self.who(headers, extensions, now_ms).map(Caller::new)
    }

    fn who(&self, headers: &HeaderMap, extensions: &Extensions, now_ms: u64) -> Result<Who, CredentialsError> {
        // A service that passes a token on speaks for that actor, and has no rights of its own meanwhile.
        if let Some(value) = headers.get(AUTHORIZATION) {
            let text = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
            let text = text.filter(|text| text.len() <= MAX_TOKEN_BYTES).ok_or(CredentialsError::Malformed)?;
            return self.bearer(text, now_ms);
        }
        let peer = extensions.get::<ConnectInfo<Peer>>().map(|info| &info.0).or_else(|| extensions.get::<Peer>());
        match peer.map(|peer| &peer.transport) {
            Some(Transport::Loopback) => self.neighbour(headers),
            Some(Transport::Tls(Some(presented))) => certified(presented, now_ms),
            Some(Transport::Plain | Transport::Tls(None)) | None => Ok(Who::Anonymous),
        }
    }

    fn bearer(&self, text: &str, now_ms: u64) -> Result<Who, CredentialsError> {
        match self.oidc.as_ref().and_then(|oidc| oidc.verify(text, now_ms)) {
            Some(login) => login.map(|login| Who::Oidc(Arc::new(login))),
            None => Ok(Who::Token(Arc::new(Token::parse(text, now_ms)?))),
        }
    }

    /// Who calls from this machine, without TLS.
    fn neighbour(&self, headers: &HeaderMap) -> Result<Who, CredentialsError> {
        match self.services.admits(headers) {
            None => Ok(Who::Anonymous),
            Some(true) => Ok(Who::Deployment),
            Some(false) => Err(CredentialsError::Service),
        }
    }
}

fn certified(presented: &Presented, now_ms: u64) -> Result<Who, CredentialsError> {
    if now_ms >= presented.expires_ms {
        return Err(CredentialsError::Expired);
    }
    match &presented.name {
        Some(CertifiedName::Actor { name, studies }) => {
            let studies = studies.iter().map(|study| study.parse()).collect::<Result<_, _>>();
            let certified = name.parse().and_then(|name| Ok(Certified { name, studies: studies? }));
            certified.map(|actor| Who::Certified(Arc::new(actor))).map_err(|_| CredentialsError::Certificate)
        }
        Some(CertifiedName::Service(name)) if name == "client" => Ok(Who::Client),
        Some(CertifiedName::Service(name)) => {
            let member = Member::ALL.into_iter().find(|member| member.name() == name);
            member.map(Who::Service).ok_or(CredentialsError::Certificate)
        }
        None => Err(CredentialsError::Certificate),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_outlives_its_certificate_is_nobodys() {
        let name = Some(CertifiedName::Service("capture".to_owned()));
        let presented = Presented { name, expires_ms: 1_000 };
        assert_eq!(Caller::new(certified(&presented, 999).unwrap()).kind().name(), "capture");
        assert_eq!(certified(&presented, 1_000).err(), Some(CredentialsError::Expired));
    }

    #[test]
    fn a_study_that_cannot_be_read_makes_the_certificate_nobodys() {
        let name = Some(CertifiedName::Actor { name: "dr-lee".to_owned(), studies: vec!["*".to_owned()] });
        assert_eq!(certified(&Presented { name, expires_ms: 1_000 }, 0).err(), Some(CredentialsError::Certificate));
    }
}
