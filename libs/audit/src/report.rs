//! What an audit found, and what it looked at.

use seal::id::{Service, Uuid};
use serde::Serialize;
use std::time::Duration;
use verify::fresh;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The study, if it is about one.
    pub study: Option<Uuid>,
    /// The journal, if it is about one.
    pub service: Option<Service>,
    /// The entry, if it is about one.
    pub entry: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What an audit found, and what it looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing was found.
    pub clean: bool,
    /// Since when the quorum stands by the latest checkpoint, POSIX seconds; none without a checkpoint or a quorum.
    pub cosigned_since: Option<u64>,
    /// Published checkpoints recomputed and verified.
    pub checkpoints: u64,
    /// Blocks on the chain.
    pub blocks: u64,
    /// Entries read, hashed and replayed.
    pub entries: u64,
    /// Of those, entries not on the chain yet.
    pub waiting: u64,
    /// Entries that rest on what could not be read or replayed, and were not judged: see the findings before them.
    pub unjudged: u64,
    /// Commands whose signatures were verified; what was erased has none left.
    pub commands: u64,
    /// State roots recomputed.
    pub state_roots: u64,
    /// Values of forms hashed; neither those taken out nor answers of screenings.
    pub datapoints: u64,
    /// Values that were taken out, by two persons entitled to.
    pub redacted: u64,
    /// Submissions whose participant was erased.
    pub erased: u64,
    /// Screenings evaluated again from their answers.
    pub screenings: u64,
    /// Allocations recomputed from revealed secrets.
    pub allocations: u64,
    /// The oldest decision an entry rests on, in milliseconds past the state that superseded it.
    pub oldest_decision_ms: u64,
    /// The longest an entry took into a block, in milliseconds. Receipts promise a bound; time stopped counts as well.
    pub slowest_anchoring_ms: u64,
    /// Receipts compared with the journals and the chain.
    pub receipts: u64,
    /// What is wrong. At most 1,000 are listed.
    pub findings: Vec<Finding>,
    /// How many findings there are.
    pub found: u64,
    /// What the rules of a study allow and a reader should know: signatures long before their entries or out of order, and
    /// rights that cannot be proven or soon cannot. At most 1,000 are listed; an audit with remarks may be clean.
    pub remarks: Vec<Finding>,
    /// How many remarks there are.
    pub remarked: u64,
}

const MAX_LISTED: usize = 1_000;

impl Report {
    pub(crate) fn find(
        &mut self,
        study: Option<Uuid>,
        service: Option<Service>,
        entry: Option<u64>,
        what: impl Into<String>,
    ) {
        self.found += 1;
        if self.findings.len() < MAX_LISTED {
            self.findings.push(Finding { study, service, entry, what: what.into() });
        }
    }

    /// Demands that the quorum cosigned the latest checkpoint at most `max_age` before `now`, in POSIX seconds.
    pub fn demand_fresh(&mut self, max_age: Duration, now: u64) {
        if let Err(reason) = fresh(self.cosigned_since, max_age, now) {
            self.find(None, None, None, format!("the latest checkpoint is not fresh: {reason}"));
            self.clean = false;
        }
    }

    pub(crate) fn remark(&mut self, study: Uuid, service: Service, entry: u64, what: String) {
        self.remarked += 1;
        if self.remarks.len() < MAX_LISTED {
            let (study, service, entry) = (Some(study), Some(service), Some(entry));
            self.remarks.push(Finding { study, service, entry, what });
        }
    }
}

/// A report as people read it.
pub fn readable(report: &Report) -> String {
    let mut text = format!(
        "  {} checkpoints, {} blocks, {} entries ({} not on the chain yet), {} datapoints\n  {} values taken out, {} \
         submissions erased, {} screenings evaluated, {} allocations recomputed\n  {} commands verified, {} \
         state roots recomputed, oldest decision {} ms, slowest into a block {} ms\n",
        report.checkpoints,
        report.blocks,
        report.entries,
        report.waiting,
        report.datapoints,
        report.redacted,
        report.erased,
        report.screenings,
        report.allocations,
        report.commands,
        report.state_roots,
        report.oldest_decision_ms,
        report.slowest_anchoring_ms
    );
    if report.unjudged > 0 {
        text += &format!("  {} entries depend on these findings and were not checked\n", report.unjudged);
    }
    for (mark, listed, all) in [('✗', &report.findings, report.found), ('!', &report.remarks, report.remarked)] {
        for Finding { study, service, entry, what } in listed {
            text += &format!("  {mark} ");
            for part in [
                study.map(|s| format!("study {s} ")),
                service.map(|s| format!("{s} ")),
                entry.map(|e| format!("entry {e} ")),
            ] {
                text += &part.unwrap_or_default();
            }
            text = format!("{}: {what}\n", text.trim_end());
        }
        let listed = listed.len() as u64;
        if all > listed {
            text += &format!("  … and {} more\n", all - listed);
        }
    }
    text + if report.clean { "AUDIT CLEAN\n" } else { "AUDIT FOUND DAMAGE\n" }
}
