//! An audit: the whole chain and whole studies, recomputed from stored bytes.
//!
//! Nothing a server says is believed: every hash, root, signature, basis and rule is checked again here, by replaying the
//! journals through the same pure rules the services decide by. Where the bytes come from is a [`Source`]: an [`Export`] is
//! one, which needs no server and no runtime; whoever embeds the audit may write another. The clock is the caller's.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = seal::policy::Policy::parse(&std::fs::read_to_string("policy.txt")?)?;
//! let export = audit::Export::open("export".as_ref())?;
//! let report = export.audit(&policy, &[], 1_795_219_200_000, &())?;
//! print!("{}", audit::readable(&report));
//! # Ok(())
//! # }
//! ```

mod capture;
mod chain;
mod error;
mod folder;
mod line;
mod manifest;
mod order;
mod people;
mod progress;
mod provable;
pub mod receipts;
#[cfg(test)]
mod remarks_tests;
mod replay;
mod report;
mod source;
mod study;

pub use error::AuditError;
pub use folder::{Export, ExportError};
pub use manifest::{FORMAT, MANIFEST, Manifest};
pub use progress::Progress;
pub use report::{Finding, Report, readable};
pub use source::{Source, StoredEntry, Wanted};
pub use study::lengths;

use seal::{id::Uuid, policy::Policy, receipt::Receipt};

/// What is audited, and by what.
#[derive(Clone, Copy)]
pub struct Audit<'a> {
    /// What is relied on.
    pub policy: &'a Policy,
    /// The studies to replay.
    pub studies: &'a [Uuid],
    /// Receipts whose promises must have been kept.
    pub receipts: &'a [Receipt],
    /// The auditor's clock when the audit begins, Unix milliseconds.
    pub now_ms: u64,
}

impl Audit<'_> {
    /// Audits the chain, the studies and the receipts, read from `source`.
    ///
    /// # Errors
    ///
    /// Something could not be read. What is wrong with what was read is a finding.
    pub async fn run<S: Source>(&self, source: &S, progress: &impl Progress) -> Result<Report, AuditError> {
        let mut report = Report::default();
        progress.begin("chain");
        let blocks = chain::check(source, self.policy, &mut report, progress).await?;
        progress.end();
        for study in self.studies {
            progress.begin("study");
            study::check(source, *study, self, &blocks, (&mut report, progress)).await?;
            progress.end();
        }
        receipts::check(source, self, &blocks, &mut report).await?;
        report.clean = report.found == 0;
        Ok(report)
    }
}
