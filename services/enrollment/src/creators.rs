//! Who may create studies: those the operator knows. Everybody else is refused the same, whether or not there is a study.
//!
//! A study is on the chain for ever, and whoever creates one decides about everything in it. So the operator lists the root
//! keys that may; the file is read again when it changes.

use jiff::{civil::Date, tz::TimeZone};
use moka::sync::Cache;
use seal::key::{KeyId, PublicKey};
use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use watcher::{Contents, Watched};

/// The largest list, in bytes.
const MAX_BYTES: u64 = 4 << 20;
/// The time over which created studies are counted.
const HOUR: Duration = Duration::from_secs(3_600);
/// The most keys and addresses that are counted at once.
const COUNTED: u64 = 100_000;

/// Why a list of root keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CreatorsError {
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than 4 MiB.
    #[error("{}: larger than 4 MiB", .0.display())]
    TooLarge(PathBuf),
    /// A line is none that is known.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is expected there.
        what: &'static str,
    },
}

/// The root keys that may create studies, as a file lists them: `ed25519:BASE64` on a line of its own, if need be followed
/// by `until YYYY-MM-DD`, the last day (UTC); `*` for anybody; comments after `#`. Of two lines about a key the last counts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CreatorList {
    keys: HashMap<KeyId, Option<Date>>,
    anybody: bool,
}

impl CreatorList {
    /// Reads a list.
    pub fn parse(text: &str) -> Result<Self, CreatorsError> {
        let mut list = Self::default();
        for (place, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            let wrong = |what| CreatorsError::Line { line: place + 1, what };
            let key = |text: &str| text.parse::<PublicKey>().map_err(|_| wrong("a root key is `ed25519:` and base64"));
            match words[..] {
                [] => {}
                ["*"] => list.anybody = true,
                [root] => {
                    list.keys.insert(key(root)?.id(), None);
                }
                [root, "until", day] => {
                    let day = day.parse().map_err(|_| wrong("the last day is written YYYY-MM-DD"))?;
                    list.keys.insert(key(root)?.id(), Some(day));
                }
                _ => return Err(wrong("one root key, `until` and a day after it if need be; or `*` for anybody")),
            }
        }
        Ok(list)
    }

    /// The last day of a key that is listed; nothing if it is not, and no day if its leave has no end.
    pub fn last_day(&self, root: &PublicKey) -> Option<Option<Date>> {
        self.keys.get(&root.id()).copied()
    }

    /// Whether nobody may create a study.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.anybody
    }

    /// Whether `root` may create a study at `now_ms` (Unix milliseconds).
    fn permits(&self, root: &PublicKey, now_ms: u64) -> bool {
        let ended = |day: Date| match day.tomorrow().and_then(|next| next.to_zoned(TimeZone::UTC)) {
            Ok(end) => u64::try_from(end.timestamp().as_millisecond()).is_ok_and(|end| now_ms >= end),
            Err(_) => false, // the last day there is
        };
        self.anybody || self.last_day(root).is_some_and(|day| !day.is_some_and(ended))
    }
}

/// Who may create studies, and how many an hour. Cheap to clone.
#[derive(Clone)]
pub struct Creators {
    who: Who,
    /// 0: as many as they like.
    per_hour: u32,
    created: Cache<Counted, Arc<AtomicU32>>,
}

#[derive(Clone)]
enum Who {
    Nobody,
    Anybody,
    Listed(Arc<Watched<CreatorList>>),
}

/// Whose studies are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Counted {
    Root(KeyId),
    Address(IpAddr),
}

/// Why a study is not created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotNow {
    /// The root key has no leave.
    NotPermitted,
    /// It, or its address, created as many studies within the hour as it may.
    TooMany,
}

impl Creators {
    fn new(who: Who) -> Self {
        Self { who, per_hour: 0, created: Cache::builder().max_capacity(COUNTED).time_to_live(HOUR).build() }
    }

    /// Nobody, which is said in the log: an operator may not have meant it.
    pub fn nobody() -> Self {
        tracing::warn!("nobody may create studies: pass --studies with the list of root keys that may");
        Self::new(Who::Nobody)
    }

    /// Whoever asks: where only people of this machine can.
    pub fn anybody() -> Self {
        Self::new(Who::Anybody)
    }

    /// Those whom the file `list` names, read again when it changes. Needs a tokio runtime.
    pub fn listed(list: &Path) -> Result<Self, CreatorsError> {
        let list = list.to_owned();
        let watched = Watched::start("studies", watcher::POLL, move || read(&list), parse)?;
        if watched.current().is_empty() {
            tracing::warn!("nobody may create studies: the list of root keys is empty");
        }
        Ok(Self::new(Who::Listed(watched)))
    }

    /// So many studies within an hour for each root key and each address, in this process; 0: as many as they like.
    pub fn at_most(self, per_hour: u32) -> Self {
        Self { per_hour, ..self }
    }

    /// Takes leave for one study. `root` must have signed for it: nobody uses up what somebody else may.
    pub(crate) fn take(&self, root: &PublicKey, address: Option<IpAddr>, now_ms: u64) -> Result<(), NotNow> {
        let permitted = match &self.who {
            Who::Nobody => false,
            Who::Anybody => true,
            Who::Listed(list) => list.current().permits(root, now_ms),
        };
        if !permitted {
            return Err(NotNow::NotPermitted);
        }
        let counted = [Some(Counted::Root(root.id())), address.map(|from| Counted::Address(from.to_canonical()))];
        let full =
            |of: Counted| self.created.get_with(of, Arc::default).fetch_add(1, Ordering::Relaxed) >= self.per_hour;
        if self.per_hour > 0 && counted.into_iter().flatten().any(full) {
            return Err(NotNow::TooMany);
        }
        Ok(())
    }
}

fn read(list: &Path) -> Result<Contents, CreatorsError> {
    let mut content = Vec::new();
    let read = File::open(list).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
    let size = read.map_err(|source| CreatorsError::File { path: list.to_owned(), source })?;
    if size as u64 > MAX_BYTES {
        return Err(CreatorsError::TooLarge(list.to_owned()));
    }
    Ok(Contents::new(vec![content]))
}

fn parse(contents: &Contents) -> Result<CreatorList, CreatorsError> {
    let text = contents.iter().flatten().copied().collect();
    let text =
        String::from_utf8(text).map_err(|_| CreatorsError::Line { line: 1, what: "the list is text (UTF-8)" })?;
    CreatorList::parse(&text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use seal::key::SecretKey;

    const DAY_MS: u64 = 24 * 3_600_000;

    fn root(seed: u8) -> PublicKey {
        SecretKey::from_seed(&[seed; 32]).public()
    }

    #[test]
    fn a_listed_key_may_until_the_end_of_its_last_day_and_the_last_line_about_it_counts() {
        let [plain, dated, twice] = [root(1), root(2), root(3)];
        let text = format!(
            "# sponsors\n\n{plain}  # by mail\n{dated} until 1970-01-02\n{twice} until 1970-01-01\n{twice} until 1970-01-03\n"
        );
        let list = CreatorList::parse(&text).unwrap();
        assert!(list.permits(&plain, u64::MAX / 2));
        assert!(list.permits(&dated, 2 * DAY_MS - 1) && !list.permits(&dated, 2 * DAY_MS));
        assert!(list.permits(&twice, 3 * DAY_MS - 1) && !list.permits(&twice, 3 * DAY_MS));
        assert!(!list.permits(&root(4), 0));
        assert!(!list.is_empty() && CreatorList::parse("# nobody\n").unwrap().is_empty());
        assert!(CreatorList::parse("*\n").unwrap().permits(&root(4), 0));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let good = root(1).to_string();
        for bad in [
            "ed25519:AAAA",
            "root",
            "* *",
            &format!("{good} until"),
            &format!("{good} until never"),
            &format!("{good} x"),
        ] {
            let error = CreatorList::parse(&format!("{good}\n{bad}\n")).unwrap_err().to_string();
            assert!(error.starts_with("line 2: ") && !error.contains("AAAA"), "{bad}: {error}");
        }
    }

    #[test]
    fn so_many_an_hour_for_each_root_key_and_each_address() {
        let creators = Creators::anybody().at_most(2);
        let [here, there] = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])];
        assert_eq!(creators.take(&root(1), Some(here), 0), Ok(()));
        assert_eq!(creators.take(&root(1), None, 0), Ok(()));
        assert_eq!(creators.take(&root(1), Some(there), 0), Err(NotNow::TooMany), "the root key's are used up");
        assert_eq!(creators.take(&root(2), Some(here), 0), Ok(()));
        assert_eq!(creators.take(&root(3), Some(here), 0), Err(NotNow::TooMany), "the address's are used up");
        assert_eq!(creators.take(&root(4), Some(there), 0), Ok(()), "a refused one takes nothing of an address");
        assert_eq!(Creators::nobody().take(&root(1), None, 0), Err(NotNow::NotPermitted));
        let unbounded = Creators::anybody();
        assert!((0..100).all(|_| unbounded.take(&root(1), Some(here), 0).is_ok()));
    }
}
