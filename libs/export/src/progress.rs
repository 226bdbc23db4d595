//! How far an audit is, as a bar on a terminal.

use audit::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar for each part of an audit in turn, or none at all.
pub struct Bars(ProgressBar);

impl Bars {
    /// Bars that are shown if `shown`.
    pub fn shown(shown: bool) -> Self {
        if !shown {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("  {prefix:<6} {bar:30} {pos}/{len} {msg} {elapsed}");
        Self(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }
}

impl Progress for Bars {
    fn begin(&self, part: &'static str) {
        self.0.set_length(0);
        self.0.set_prefix(part);
        self.0.set_message("");
        self.0.reset();
    }

    fn more(&self, entries: u64) {
        self.0.inc_length(entries);
    }

    fn reading(&self, service: &'static str) {
        self.0.set_message(service);
    }

    fn done(&self, entries: u64) {
        self.0.inc(entries);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}
