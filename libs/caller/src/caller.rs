//! Who is calling.

use crate::{CredentialsError, oidc::Login};
use seal::id::{Name, Uuid};
use std::{fmt, sync::Arc};
use token::{ACCESS_HEADER, Token};
use tonic::codegen::Bytes;
use tonic::{Extensions, Request, metadata::MetadataMap};

/// A service of the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Member {
    /// Enrollment.
    Enrollment,
    /// Consent.
    Consent,
    /// Capture.
    Capture,
    /// Anchoring.
    Anchoring,
    /// A witness.
    Witness,
}

impl Member {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Enrollment, Self::Consent, Self::Capture, Self::Anchoring, Self::Witness];

    /// Its name in certificates and policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enrollment => "enrollment",
            Self::Consent => "consent",
            Self::Capture => "capture",
            Self::Anchoring => "anchoring",
            Self::Witness => "witness",
        }
    }
}

/// What a caller is: all that policies know of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nobody in particular.
    Anonymous,
    /// A program with the certificate `client`: known to the operator, and nobody in a study.
    Client,
    /// An actor with a token of their own key.
    ActorToken,
    /// An actor with a certificate.
    ActorCertificate,
    /// An actor with a token of an identity provider (OpenID Connect).
    ActorOidc,
    /// A service of the deployment, by its certificate.
    Service(Member),
    /// Any service of a deployment that is one process, by the token they share.
    Deployment,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Anonymous,
        Self::Client,
        Self::ActorToken,
        Self::ActorCertificate,
        Self::ActorOidc,
        Self::Service(Member::Enrollment),
        Self::Service(Member::Consent),
        Self::Service(Member::Capture),
        Self::Service(Member::Anchoring),
        Self::Service(Member::Witness),
        Self::Deployment,
    ];

    /// Its name in policies, logs and refusals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Client => "client",
            Self::ActorToken => "actor-token",
            Self::ActorCertificate => "actor-certificate",
            Self::ActorOidc => "actor-oidc",
            Self::Service(member) => member.name(),
            Self::Deployment => "deployment",
        }
    }
}

/// Who is calling, as far as the call itself shows. The gatekeeper puts it into a request's extensions; where it did not,
/// the caller is nobody. Whether an actor is known in a study, the facts of the study say.
#[derive(Clone, Default)]
pub struct Caller {
    who: Who,
    access: Option<Bytes>,
}

/// What a caller showed.
#[derive(Clone, Default)]
pub(crate) enum Who {
    #[default]
    Anonymous,
    Client,
    Token(Arc<Token>),
    Certified(Arc<Certified>),
    Oidc(Arc<Login>),
    Service(Member),
    Deployment,
}

/// How a caller shows to be an actor of a study.
pub enum Claim<'a> {
    /// By a token that the actor signed; its signature is still to be checked by their key.
    Signed(&'a Token),
    /// By the word of a certificate or an identity provider: the actor of this name.
    Vouched(Name),
}

/// An actor by a certificate.
pub(crate) struct Certified {
    pub(crate) name: Name,
    /// Where it is valid.
    pub(crate) studies: Vec<Uuid>,
}

impl Certified {
    /// Who it says its holder is in `study`; nobody in a study it does not name.
    pub(crate) fn actor(&self, study: Uuid) -> Option<&Name> {
        self.studies.contains(&study).then_some(&self.name)
    }
}

impl Caller {
    pub(crate) fn new(who: Who) -> Self {
        Self { who, access: None }
    }

    /// The caller of a request, and its message.
    pub fn take<T>(request: Request<T>) -> (Self, T) {
        let (metadata, extensions, message) = request.into_parts();
        (Self::of(&metadata, &extensions), message)
    }

    /// The caller of a request with this metadata and these extensions.
    pub fn of(metadata: &MetadataMap, extensions: &Extensions) -> Self {
        let who = extensions.get::<Self>().map(|caller| caller.who.clone()).unwrap_or_default();
        let access = metadata.get_bin(ACCESS_HEADER).and_then(|value| value.to_bytes().ok());
        Self { who, access }
    }

    /// What the caller is.
    pub fn kind(&self) -> Kind {
        match &self.who {
            Who::Anonymous => Kind::Anonymous,
            Who::Client => Kind::Client,
            Who::Token(_) => Kind::ActorToken,
            Who::Certified(_) => Kind::ActorCertificate,
            Who::Oidc(_) => Kind::ActorOidc,
            Who::Service(member) => Kind::Service(*member),
            Who::Deployment => Kind::Deployment,
        }
    }

    /// Which actor of `study` the caller claims to be at `now_ms`, and how they show it.
    pub fn claim(&self, study: Uuid, now_ms: u64) -> Result<Claim<'_>, CredentialsError> {
        match &self.who {
            Who::Token(token) => {
                token.holds(study, now_ms)?;
                Ok(Claim::Signed(token))
            }
            Who::Certified(certified) => {
                certified.actor(study).cloned().map(Claim::Vouched).ok_or(CredentialsError::Study)
            }
            Who::Oidc(login) => login.actor(study, now_ms).map(Claim::Vouched).ok_or(CredentialsError::Elsewhere),
            Who::Anonymous | Who::Client | Who::Service(_) | Who::Deployment => Err(CredentialsError::Missing),
        }
    }

    /// Whether a service of the deployment is calling. Which of them may call what, the gatekeeper decided already.
    pub fn is_service(&self) -> bool {
        matches!(self.who, Who::Service(_) | Who::Deployment)
    }

    /// The command `access-data` that came with the call, not yet read.
    pub fn access(&self) -> Option<&[u8]> {
        self.access.as_deref()
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({})", self.kind().name()) // never who: that may be a person's name
    }
}
