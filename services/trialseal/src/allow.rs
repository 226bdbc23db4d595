//! `trialseal allow-study`: the list of root keys that may create studies, in an operator's hands.

use anyhow::{Context, Result};
use clap::Args;
use enrollment::CreatorList;
use jiff::civil::Date;
use seal::key::PublicKey;
use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

/// What a new list says: nobody may.
pub const EMPTY_LIST: &str = "\
# Who may create studies, one root key a line. The enrollment service reads this file again within seconds.
#   trialseal allow-study --studies FILE --root-key ed25519:BASE64 [--until YYYY-MM-DD]
# appends a line such as
#   ed25519:BASE64 until 2027-01-31     (that day, UTC, is the last; without `until` there is no end)
# A line with * alone lets anybody create studies: for testing only, because every study is on the chain for ever.
";

/// Flags of `trialseal allow-study`.
#[derive(Args)]
pub struct AllowStudy {
    /// The list that the enrollment service reads, made if it does not exist.
    #[arg(long, env = "TRIALSEAL_STUDIES")]
    studies: PathBuf,
    /// The public root key that the sponsor sent you (`trialseal key show`): ed25519:BASE64.
    #[arg(long)]
    root_key: PublicKey,
    /// The last day on which it may, YYYY-MM-DD (UTC). Without an end unless given.
    #[arg(long)]
    until: Option<Date>,
}

impl AllowStudy {
    /// Adds the key to the list, and says what came of it.
    pub fn run(self) -> Result<String> {
        let Self { studies, root_key, until } = self;
        let shown = studies.display();
        let text = match fs::read_to_string(&studies) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("{shown}"))?,
        };
        let list = CreatorList::parse(&text).with_context(|| format!("{shown}"))?;
        if list.last_day(&root_key) == Some(until) {
            return Ok(format!("{root_key} was allowed before in {shown}"));
        }
        let ended = until.map(|day| format!(" until {day}")).unwrap_or_default();
        let (head, gap) = match &*text {
            "" => (EMPTY_LIST, ""),
            text if text.ends_with('\n') => ("", ""),
            _ => ("", "\n"),
        };
        append(&studies, &format!("{head}{gap}{root_key}{ended}\n")).with_context(|| format!("{shown}"))?;
        Ok(format!("{root_key} may create studies{ended}: {shown}"))
    }
}

/// Adds text to a file in one write, so that whoever reads it meanwhile finds no half of a line.
fn append(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
