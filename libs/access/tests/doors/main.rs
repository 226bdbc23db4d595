//! Real servers: certificates of every kind, tokens of every kind, and what each opens.

#![allow(clippy::unwrap_used)]

mod certificates;
mod oidc;
mod port;
mod provider;
mod tokens;
