//! What a deployment tells of itself: one trace follows a submission, everything in the dashboard is measured, and no
//! value, name or secret is ever told.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod catalogue;
mod collector;
mod deployment;
mod secrecy;
mod trace;
