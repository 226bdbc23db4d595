//! Values at rest: one AES-256-GCM key per participant (NIST SP 800-38D), wrapped by a key-encryption key that is not
//! in any database. Destroying a participant's row makes everything sealed under it unreadable for good.

mod key;
mod store;

pub use key::{DataKey, MasterKey, SealedError};
pub use store::{Doomed, PART, Vault, VaultError};
