//! Code generated from `proto/`: messages, clients, servers. No logic.
//!
//! It is kept in `src/generated`, so that whoever builds this needs no protobuf compiler, not even one written in Rust. A test
//! generates it again and compares; `just generate` writes it anew.

#![allow(missing_docs, clippy::all, clippy::needless_pass_by_value, unused_qualifications, unreachable_pub)]

/// The descriptors of all packages, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");

macro_rules! packages {
    ($($name:ident),*) => {$(
        pub mod $name {
            pub mod v1 {
                include!(concat!("generated/trialseal.", stringify!($name), ".v1.rs"));
            }
            pub use v1::*;
        }
    )*};
}

packages!(types, enrollment, consent, capture, anchoring, journal);
