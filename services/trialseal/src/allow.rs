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
# Who may create studies, one root key per line. The enrollment service reloads this file within seconds.
#   trialseal allow-study --studies FILE --root-key ed25519:BASE64 [--until YYYY-MM-DD]
# appends a line such as
#   ed25519:BASE64 until 2027-01-31     (the last day, UTC; without `until` the permission does not expire)
# A line with only * lets anyone create studies: for testing only, because every study stays on the chain for ever.
";

/// Flags of `trialseal allow-study`.
#[derive(Args)]
pub struct AllowStudy {
    /// The list that the enrollment service reads, created if missing.
    #[arg(long, env = "TRIALSEAL_STUDIES")]
    studies: PathBuf,
    /// The public root key that the sponsor sent you (`trialseal key show`): ed25519:BASE64.
    #[arg(long)]
    root_key: PublicKey,
    /// The last day of the permission, YYYY-MM-DD (UTC). Default: it does not expire.
    #[arg(long)]
    until: Option<Date>,
}

impl AllowStudy {
    /// Adds the key to the list, and returns a message for the operator.
    pub fn run(self) -> Result<String> {
        let Self { studies, root_key, until } = self;
        let shown = studies.display();
        let text = match fs::read_to_string(&studies) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("{shown}"))?,
        };
        let list = CreatorList::parse(&text).with_context(|| format!("{shown}"))?;
        if list.last_day(&root_key) == Some(until) {
            return Ok(format!("{root_key} is already allowed in {shown}"));
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

/// Adds text to a file in one write, so that a concurrent reader never sees half a line.
fn append(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
