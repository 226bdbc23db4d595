//! What became of a table, and of each row that was not recorded.

use serde::Serialize;

/// A row that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The row, from 1, not counting the header.
    pub row: u64,
    /// The line of the file it begins at, from 1.
    pub line: u64,
    /// The column that is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The reason, as in the capture service's `ErrorReason`; `ROW` if the row itself cannot be used, `ROWS_DIFFER` if another
    /// row says something else about the same form instance.
    pub reason: String,
    /// What is wrong and what to do, without values.
    pub message: String,
}

/// What became of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows in the table.
    pub rows: u64,
    /// Rows recorded by this run.
    pub recorded: u64,
    /// Rows that were recorded before: by an earlier run, or because the table has them twice.
    pub recorded_before: u64,
    /// Datapoints recorded by this run.
    pub datapoints: u64,
    /// Rows that were refused, in their order.
    pub refused: Vec<Refused>,
    /// Whether it was told to stop before the end. Every row that had been sent by then is counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
}

impl Report {
    /// Rows that nothing was done about.
    pub fn left(&self) -> u64 {
        let done = self.recorded + self.recorded_before + self.refused.len() as u64;
        self.rows.saturating_sub(done)
    }

    /// One line that says what was done.
    pub fn summary(&self) -> String {
        let Self { rows, recorded, recorded_before, datapoints, refused, .. } = self;
        let refused = refused.len();
        let mut line = format!(
            "{rows} rows: {recorded} recorded ({datapoints} datapoints), {recorded_before} recorded before, {refused} refused"
        );
        if self.left() > 0 {
            line += &format!(", {} left: run the same command again to continue", self.left());
        }
        line
    }

    /// What was done, and each row that was refused.
    pub fn readable(&self) -> String {
        let mut text = self.summary() + "\n";
        for Refused { row, line, column, reason, message } in &self.refused {
            let column = column.as_ref().map(|column| format!(", column {column}")).unwrap_or_default();
            text += &format!("  row {row} (line {line}){column}: {reason}: {message}\n");
        }
        text
    }
}
