//! Where the story takes place, and what an insider gets hold of there.

use client::Endpoints;
use database::Database;
use vault::Vault;

/// A running deployment.
pub struct Stage {
    /// Where its services are reached.
    pub endpoints: Endpoints,
    /// The policy that verifies the chain and the receipts, without any study: the text of both its files.
    pub policy: String,
    /// The database of capture, for the insider.
    pub capture: Database,
    /// The keys of what is in it, for the insider.
    pub vault: Vault,
}
