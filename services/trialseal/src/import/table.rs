//! A CSV file, plain or compressed with zstd or gzip.

use anyhow::{Context, Result};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// An open table.
pub(super) struct Table {
    file: PathBuf,
    reader: csv::Reader<Box<dyn Read + Send>>,
    row: u64,
}

impl Table {
    /// Opens a file; how it is compressed is seen from its first bytes.
    pub(super) fn open(file: &Path) -> Result<Self> {
        let shown = file.display();
        let mut input = BufReader::new(File::open(file).with_context(|| format!("{shown}"))?);
        let start = input.fill_buf().with_context(|| format!("{shown}"))?;
        let input: Box<dyn Read + Send> = if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Box::new(zstd::Decoder::with_buffer(input).with_context(|| format!("{shown}"))?)
        } else if start.starts_with(&[0x1f, 0x8b]) {
            Box::new(flate2::bufread::MultiGzDecoder::new(input))
        } else {
            Box::new(input)
        };
        Ok(Self { file: file.to_owned(), reader: csv::ReaderBuilder::new().from_reader(input), row: 0 })
    }

    /// The file's name.
    pub(super) fn name(&self) -> String {
        self.file.display().to_string()
    }

    /// The names of the columns.
    pub(super) fn header(&mut self) -> Result<Vec<String>> {
        let header = self.reader.headers().with_context(|| format!("{}: the header", self.file.display()))?;
        Ok(header.iter().map(str::to_owned).collect())
    }

    /// The next row and its number, from 1.
    pub(super) fn next(&mut self) -> Result<Option<(u64, csv::StringRecord)>> {
        self.row += 1;
        let mut record = csv::StringRecord::new();
        let read = self.reader.read_record(&mut record);
        let what = || format!("{}: row {} is truncated, damaged or not UTF-8", self.file.display(), self.row);
        Ok(read.with_context(what)?.then_some((self.row, record)))
    }

    /// Reads to the end and counts the rows.
    pub(super) fn count(mut self) -> Result<u64> {
        let mut rows = 0;
        while self.next()?.is_some() {
            rows += 1;
        }
        Ok(rows)
    }
}
