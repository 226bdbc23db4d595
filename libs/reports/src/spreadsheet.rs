//! CSV (RFC 4180) for people who open it in a spreadsheet: no cell is taken for a formula.
//!
//! A cell whose first visible character would begin a formula gets an apostrophe in front, and so does one that begins with an
//! apostrophe: whoever reads the file back takes one apostrophe off each cell that begins with one.

use anyhow::Result;
use seal::text::is_visible;

/// Writes a table, the header first.
pub(crate) fn csv<R: AsRef<[String]>>(header: &[&str], rows: impl IntoIterator<Item = R>) -> Result<String> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    csv.write_record(header)?;
    for row in rows {
        csv.write_record(row.as_ref().iter().map(|cell| harmless(cell)))?;
    }
    Ok(String::from_utf8(csv.into_inner()?)?)
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: &str) -> String {
    let first = cell.chars().find(|character| is_visible(*character));
    let formula = first.is_some_and(|first| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}\u{2212}'".contains(first));
    if formula || cell.starts_with(['\t', '\r', '\n', '\'']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_each_can_be_read_back() {
        let cells = [
            "=HYPERLINK(\"http://x\",\"y\")",
            "@SUM(1+1)",
            "=cmd|'/c calc'!A0",
            "+1",
            "-1",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{a0}=1",
            "\u{200b}=1",
            "\u{feff}@x",
            "\u{ff1d}1+1",
            "\u{ff0b}1",
            "\u{ff20}x",
            "\u{2212}1",
            "'=1",
            "'",
            "''",
            "plain",
            "a=b",
            "",
            "1-2",
            "\"=1\"",
            "x,=1",
            "line\n=1",
            "2026-01-01",
            "\u{ff0d}1",
        ];
        let row: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
        let text = csv(&vec!["x"; cells.len()], [row]).unwrap();
        let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        for (written, cell) in record.iter().zip(cells) {
            let first = written.chars().find(|character| is_visible(*character));
            assert!(
                !first.is_some_and(|first| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}\u{2212}".contains(first)),
                "{written:?}"
            );
            assert!(!written.starts_with(['\t', '\r', '\n']), "{written:?}");
            assert_eq!(written.strip_prefix('\'').unwrap_or(written), cell, "{written:?}");
        }
        assert_eq!(&record[cells.iter().position(|cell| *cell == "plain").unwrap()], "plain");
    }
}
