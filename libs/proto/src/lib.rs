//! Code generated from `proto/`: messages, clients, servers. No logic.

#![allow(missing_docs, clippy::all, clippy::needless_pass_by_value, unused_qualifications, unreachable_pub)]

/// The descriptors of all packages, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

macro_rules! packages {
    ($($name:ident),*) => {$(
        pub mod $name {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/trialseal.", stringify!($name), ".v1.rs"));
            }
            pub use v1::*;
        }
    )*};
}

packages!(types, enrollment, consent, capture, anchoring, journal);
