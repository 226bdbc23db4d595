//! Receipts as tests keep them, in JSON: what a client was told, for judges in other languages too.

#![allow(dead_code, missing_docs, unreachable_pub)] // each test uses its own part

use seal::{
    receipt::Receipt,
    text::{Base64, Hex},
};
use serde::{Deserialize, Serialize};

/// A receipt with the names of `docs/PROOF.md`, section 16.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    pub entry: Base64,
    pub index: u64,
    pub path: Vec<Hex>,
    pub note: String,
}

impl From<&Receipt> for Told {
    fn from(receipt: &Receipt) -> Self {
        let path = receipt.path.iter().map(|hash| Hex(*hash)).collect();
        Self { entry: Base64(receipt.entry.clone()), index: receipt.index, path, note: receipt.note.clone() }
    }
}

impl From<Told> for Receipt {
    fn from(told: Told) -> Self {
        let path = told.path.into_iter().map(|hash| hash.0).collect();
        Self { entry: told.entry.0, index: told.index, path, note: told.note }
    }
}
