//! A CSV file, plain or compressed with zstd or gzip.

use anyhow::{Context, Result, bail};
use rules::capture::reduced;
use std::{
    collections::HashMap,
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

    /// The names of the columns, no two of which look the same.
    pub(super) fn header(&mut self) -> Result<Vec<String>> {
        let header = self.reader.headers().with_context(|| format!("{}: the header", self.file.display()))?;
        let header: Vec<String> = header.iter().map(str::to_owned).collect();
        check_header(&header).with_context(|| self.name())?;
        Ok(header)
    }

    /// The next row and its number, from 1.
    pub(super) fn next(&mut self) -> Result<Option<(u64, csv::StringRecord)>> {
        self.row += 1;
        let mut record = csv::StringRecord::new();
        let read = self.reader.read_record(&mut record);
        let what = || format!("{}: row {} is truncated, damaged or not UTF-8", self.file.display(), self.row);
        Ok(read.with_context(what)?.then_some((self.row, record)))
    }
}

/// Checks that no two columns have the same name, or names that look the same. Columns without a name may be several.
pub(super) fn check_header(header: &[String]) -> Result<()> {
    let mut seen = HashMap::new();
    for (place, name) in (1..).zip(header) {
        let looks = reduced(name);
        if looks.is_empty() {
            continue;
        }
        if let Some((first, other)) = seen.insert(looks, (place, name)) {
            let place: usize = place;
            if other == name {
                bail!("columns {first} and {place} are both named {name:?}");
            }
            bail!("columns {first} and {place} are named {other:?} and {name:?}, which look the same");
        }
    }
    Ok(())
}
