//! Who is calling.
//!
//! A caller is known by one of these, in this order:
//! - a token: a short-lived JWT (RFC 7519) that an actor signed with EdDSA (RFC 8037) by a key registered in the study, or a
//!   token of an identity provider (OpenID Connect Core 1.0);
//! - the secret that the services of a one-process deployment share, where no network lies between;
//! - a certificate, of a service, or of an actor in the studies it names.
//!
//! What this crate is *not*: it does not decide what a caller may do, and asks no other service.

mod caller;
mod credentials;
pub mod oidc;
mod service;

pub use caller::{Caller, Claim, Kind, Member};
pub use credentials::{Credentials, CredentialsError};
pub use service::ServiceToken;
