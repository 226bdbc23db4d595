//! The forks that a witness has kept, for people and tools to read.

use crate::fork::is_fork;
use database::{Database, unsigned};
use sqlx::Row as _;
use tlog::{Hash, checkpoint::Checkpoint, note::Note};

/// Two checkpoints of one log that were kept because they contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The log's origin.
    pub origin: String,
    /// When it was kept, Unix milliseconds; 0 for what an older program kept.
    pub kept_ms: u64,
    /// The checkpoint that was cosigned, or came first, as a note signed by the log.
    pub held: String,
    /// The one that contradicts it, as a note signed by the log.
    pub offered: String,
    /// The consistency proof that came with the larger one; empty if both are of one size.
    pub proof: Vec<Hash>,
    /// Whether the two prove a fork. Older programs kept what came with any wrong proof, too.
    pub is_proven: bool,
}

/// What a witness has kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Forks, the oldest first.
    pub forks: Vec<Evidence>,
    /// How many checkpoints signed by a log came with a wrong proof, and wait until their size is cosigned.
    pub unreached: u64,
}

impl Kept {
    /// How many of the forks are proven.
    pub fn proven(&self) -> usize {
        self.forks.iter().filter(|fork| fork.is_proven).count()
    }
}

/// Reads what a witness has kept in its database, opened with [`crate::PART`].
///
/// # Errors
///
/// The database does not answer.
pub async fn kept(database: &Database) -> Result<Kept, sqlx::Error> {
    let rows = sqlx::query("SELECT origin, held, offered, proof, pair, kept FROM evidence ORDER BY id")
        .fetch_all(database.pool())
        .await?;
    let unreached: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM unreached").fetch_one(database.pool()).await?;
    let mut forks = Vec::new();
    for row in rows {
        let (held, offered): (String, String) = (row.try_get("held")?, row.try_get("offered")?);
        let proof: Option<String> = row.try_get("proof")?;
        let was_judged = row.try_get::<Option<Vec<u8>>, _>("pair")?.is_some();
        forks.push(Evidence {
            origin: row.try_get("origin")?,
            kept_ms: row.try_get::<Option<i64>, _>("kept")?.map_or(0, unsigned),
            is_proven: was_judged || contradict(&held, &offered),
            proof: proof.iter().flat_map(|proof| proof.lines()).filter_map(Hash::from_base64).collect(),
            held,
            offered,
        });
    }
    Ok(Kept { forks, unreached: unsigned(unreached) })
}

fn contradict(held: &str, offered: &str) -> bool {
    let parsed = |note: &str| Checkpoint::parse(&Note::parse(note.as_bytes()).ok()?.text).ok();
    let pair = parsed(held).zip(parsed(offered));
    pair.is_some_and(|(held, offered)| is_fork((held.size, held.root), (offered.size, offered.root), &[], &[]))
}
