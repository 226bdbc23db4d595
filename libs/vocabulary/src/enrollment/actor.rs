//! Ends of keys and delegations.

use crate::task::Task;
use seal::{id::Name, key::KeyId, payload};

payload! {
    /// Revokes a key at once. By its own actor, or with the task `register_actors`.
    "revoke-key" RevokeKey: ends {
        /// The key.
        key: KeyId,
        /// Why, in words.
        reason: Name,
    }
}

payload! {
    /// Ends a delegation before its time. By who holds the task at that site, or by the delegate.
    "end-delegation" EndDelegation: ends {
        /// Who held the task.
        actor: Name,
        /// The task.
        task: Task,
        /// The site the delegation names.
        site: Name,
        /// Which one: the entry that granted it. Required under rules 3, where several may be on the log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delegation: Option<u64>,
        /// Why, in words.
        reason: Name,
    }
}
