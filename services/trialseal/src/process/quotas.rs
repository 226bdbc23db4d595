//! How much a study may store.

use clap::Args;
use journal::Quota;

/// Quotas of the recording services, for each study at each of them.
#[derive(Args, Debug, Clone, Copy)]
pub struct Quotas {
    /// How many bytes a study may store at a service, entries and everything stored with them; 0: no limit.
    #[arg(long, env = "TRIALSEAL_STUDY_BYTES", default_value_t = Quota::default().bytes)]
    study_bytes: u64,
    /// How many entries a study may have at a service; 0: no limit.
    #[arg(long, env = "TRIALSEAL_STUDY_ENTRIES", default_value_t = Quota::default().entries)]
    study_entries: u64,
}

impl Quotas {
    /// As the journals take it.
    pub fn quota(self) -> Quota {
        Quota { bytes: self.study_bytes, entries: self.study_entries }
    }
}
