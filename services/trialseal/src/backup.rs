//! `trialseal backup`: a consistent copy of a data directory, while it is in use.
//!
//! Each database is copied as of one moment, in an order in which nothing copied rests on what was not: witnesses before
//! the chain they cosigned, the chain before the journals it is over, a journal before those whose states it rests on, the
//! participants' keys after whatever is encrypted by them. So a restored copy contradicts itself nowhere. The chain's files
//! are not copied: they are made again from its blocks. Keys are not copied either: whoever finds a backup with its master
//! key has the values.

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// The databases of a data directory, in the order they are copied. Those of the witnesses come first.
const DATABASES: [&str; 5] =
    ["anchoring.sqlite", "capture.sqlite", "consent.sqlite", "enrollment.sqlite", "vault.sqlite"];
/// What else is needed to start on the copy.
const FILES: [&str; 1] = ["FORMAT"];

/// What was copied, and what was not.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The databases, in the order they were copied.
    pub databases: Vec<String>,
    /// How many documents.
    pub documents: usize,
    /// The files that must be kept elsewhere: without them the copy is of no use.
    pub keys: Vec<PathBuf>,
}

/// Copies a data directory to a new folder.
pub async fn write(data: &Path, output: &Path) -> Result<Report> {
    let names = databases(data)?;
    owner::new_directory(output).with_context(|| format!("{}: cannot make the folder", output.display()))?;
    for name in &names {
        copy_database(&data.join(name), &output.join(name)).await?;
    }
    // A document is on the disk before the command that names it is recorded, so these are all that the journal names.
    let documents = copy_files(&data.join("documents"), &output.join("documents"))?;
    for name in FILES {
        copy_file(&data.join(name), &output.join(name))?;
    }
    sync(output)?;
    Ok(Report { databases: names, documents, keys: files(&data.join("keys"))? })
}

fn databases(data: &Path) -> Result<Vec<String>> {
    let witness = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        (name.starts_with("witness-") && name.ends_with(".sqlite")).then(|| name.to_owned())
    };
    let mut names: Vec<String> = files(data)?.iter().filter_map(witness).collect();
    for name in DATABASES {
        ensure!(data.join(name).exists(), "{}: not a data directory: {name} is missing", data.display());
        names.push(name.to_owned());
    }
    Ok(names)
}

/// A copy of one moment, whatever is written meanwhile.
async fn copy_database(from: &Path, to: &Path) -> Result<()> {
    let shown = || format!("{}", from.display());
    let options = SqliteConnectOptions::new().filename(from).busy_timeout(std::time::Duration::from_secs(30));
    let mut database = SqliteConnection::connect_with(&options).await.with_context(shown)?;
    let target = to.to_str().with_context(|| format!("{}: not a name SQLite can use", to.display()))?.to_owned();
    owner::file(to).with_context(|| format!("{}", to.display()))?; // SQLite fills an empty one
    sqlx::query("VACUUM INTO ?").bind(target).execute(&mut database).await.with_context(shown)?;
    database.close().await.with_context(shown)?;
    File::open(to).and_then(|file| file.sync_all()).with_context(|| format!("{}", to.display()))
}

fn copy_files(from: &Path, to: &Path) -> Result<usize> {
    owner::new_directory(to).with_context(|| format!("{}", to.display()))?;
    let files = files(from)?;
    for file in &files {
        copy_file(file, &to.join(file.file_name().unwrap_or_default()))?;
    }
    sync(to)?;
    Ok(files.len())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let copy = || {
        let mut copy = owner::new_file(to)?;
        io::copy(&mut File::open(from)?, &mut copy)?;
        copy.sync_all()
    };
    let copied = copy();
    copied.with_context(|| format!("{}", from.display()))
}

/// The files in a folder, not those below it.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let shown = || format!("{}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(shown)? {
        let path = entry.with_context(shown)?.path();
        files.extend(path.is_file().then_some(path));
    }
    files.sort();
    Ok(files)
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| format!("{}", folder.display()))
}

/// A report as people read it.
pub fn readable(report: &Report) -> String {
    let mut text = format!("{} databases, {} documents\n", report.databases.len(), report.documents);
    text += "Not copied, but needed for a restore: keep these in a different place from the data\n";
    for key in &report.keys {
        text += &format!("  {}\n", key.display());
    }
    text
}
