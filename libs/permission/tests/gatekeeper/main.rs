//! Real servers: certificates of every kind, tokens of every kind, and what each opens.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)] // a test may panic

mod certificates;
mod oidc;
mod port;
mod provider;
mod tokens;
