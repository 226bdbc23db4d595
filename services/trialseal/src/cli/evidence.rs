//! `trialseal witness evidence`: the forks that a witness has kept.

use super::print;
use crate::process::PlainBackends;
use anyhow::{Context, Result};
use clap::Args;
use database::Database;
use serde_json::json;
use tlog::{checkpoint::Checkpoint, note::Note};
use verify::time;
use witness::evidence::{Evidence, Kept, kept};

/// Flags of `trialseal witness evidence`.
#[derive(Args)]
pub(super) struct ShowEvidence {
    /// The witness's database: sqlite:///path or postgres://user:password@host/name.
    #[arg(long, env = "TRIALSEAL_DATABASE", hide_env_values = true)]
    database: String,
    #[command(flatten)]
    plain: PlainBackends,
    /// Print as JSON, including the signed notes and the proofs.
    #[arg(long)]
    json: bool,
}

impl ShowEvidence {
    /// Prints what was kept.
    pub(super) async fn run(self) -> Result<()> {
        self.plain.check("--database", database::is_private(&self.database))?;
        let database = Database::open(&existing(&self.database), &witness::PART).await.context("--database")?;
        let kept = kept(&database).await.context("the witness's database cannot be read")?;
        let forks: Vec<_> = kept.forks.iter().map(as_json).collect();
        let all = json!({ "proven": kept.proven(), "forks": forks, "unreached": kept.unreached });
        print(self.json, &all, |_| readable(&kept))
    }
}

/// The URL of a database that is there: none is made by looking at it.
fn existing(url: &str) -> String {
    let is_file = url.starts_with("sqlite:") && !url.contains('?');
    if is_file { format!("{url}?mode=rw") } else { url.to_owned() }
}

fn as_json(fork: &Evidence) -> serde_json::Value {
    let Evidence { origin, kept_ms, held, offered, proof, is_proven } = fork;
    let proof: Vec<String> = proof.iter().map(|hash| hash.to_base64()).collect();
    json!({ "origin": origin, "kept": kept_ms, "held": held, "offered": offered, "proof": proof, "proven": is_proven })
}

fn readable(kept: &Kept) -> String {
    let mut text = String::new();
    for fork in &kept.forks {
        let (mark, what) = if fork.is_proven {
            ('✗', "the log signed two checkpoints that contradict each other")
        } else {
            ('!', "recorded by an older program with a wrong proof, which proves nothing")
        };
        text += &format!("  {mark} {}: {what}\n", fork.origin.escape_debug());
        text += &format!("      held     {}\n      offered  {}\n", shown(&fork.held), shown(&fork.offered));
        if fork.kept_ms > 0 {
            text += &format!("      kept     {}\n", time(fork.kept_ms));
        }
    }
    if kept.unreached > 0 {
        text +=
            &format!("  {} signed checkpoints came with a wrong proof and will be compared later\n", kept.unreached);
    }
    let proven = kept.proven();
    text + &if proven == 0 { "NO FORK\n".to_owned() } else { format!("{proven} PROOFS OF A FORK\n") }
}

/// A checkpoint in a line.
fn shown(note: &str) -> String {
    let checkpoint = Note::parse(note.as_bytes()).ok().and_then(|note| Checkpoint::parse(&note.text).ok());
    checkpoint.map_or_else(|| "?".to_owned(), |of| format!("{} entries, root {}", of.size, of.root.to_base64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_readable_and_nothing_is_said_to_be_nothing() {
        let note = "log.example\n5\nT8kGT072p1h+0TZCVpaD/cegDsss222jYMBFzOEUUGk=\n\n— log.example AAAAAAAA\n";
        let fork = |is_proven| Evidence {
            origin: "log.example\u{1b}".to_owned(),
            kept_ms: 1_767_225_601_000,
            held: note.to_owned(),
            offered: note.to_owned(),
            proof: Vec::new(),
            is_proven,
        };
        let text = readable(&Kept { forks: vec![fork(true), fork(false)], unreached: 3 });
        assert!(text.contains("5 entries, root T8kG") && text.contains("2026-01-01T00:00:01Z"), "{text}");
        assert!(text.ends_with("1 PROOFS OF A FORK\n") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(readable(&Kept::default()), "NO FORK\n");
    }
}
