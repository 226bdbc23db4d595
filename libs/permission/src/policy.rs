//! Who may call what: the built-in table, or an operator's policies.
//!
//! Every question is answered when the policies are read, as there are so few kinds of callers: then a call costs a look-up,
//! and no policy can fail while somebody waits. What is not permitted is denied.

#[cfg(feature = "cedar")]
mod cedar;
#[cfg(feature = "cedar")]
mod files;

use caller::{Kind, Member};
use std::{
    collections::HashSet,
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
#[cfg(feature = "cedar")]
use watcher::Watched;

/// The most files of a directory of policies.
const MAX_FILES: usize = 64;
/// Every RPC there is, sorted.
pub const RPCS: &[&str] = include!(concat!(env!("OUT_DIR"), "/rpcs.rs"));
/// The built-in policies' every answer: what `policies/*.cedar` permit, as a test compares.
const BUILT_IN: &str = include_str!("../policies/matrix.txt");

/// Why policies cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// This program cannot read policies.
    #[error("policies need a program built with the feature `cedar`: `cargo build --features cedar`")]
    NotBuiltIn,
    /// The built-in table names what does not exist.
    #[error("the built-in policies cannot be read at {0:?}")]
    Table(&'static str),
    /// The directory or a file cannot be read.
    #[error("{}: cannot be read", path.display())]
    File {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There are none, too many or too large files.
    #[error("{}: no policies, more than {MAX_FILES} files, or a file that is too large", .0.display())]
    Files(PathBuf),
    /// A file is not Cedar.
    #[error("{file}: not a Cedar policy")]
    Syntax {
        /// The file's name.
        file: String,
        /// Where and why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A policy names what does not exist.
    #[error("the policies do not fit the schema")]
    Schema(#[source] Box<dyn Error + Send + Sync>),
}

/// What policies permit.
pub struct Policies(HashSet<(Kind, Member, &'static str)>);

impl Policies {
    /// The action of plain HTTP.
    pub const HTTP: &'static str = "http";

    /// The built-in policies.
    pub fn built_in() -> Result<Self, PolicyError> {
        let (mut permitted, mut at) = (HashSet::new(), None);
        for line in BUILT_IN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix("  ") {
                Some(row) => permitted.extend(permissions(at, row).ok_or(PolicyError::Table(line))?),
                None => at = Some(named(Member::ALL, Member::name, line).ok_or(PolicyError::Table(line))?),
            }
        }
        Ok(Self(permitted))
    }

    /// Whether a caller of this kind may do `action`, one of [`Self::action`]'s answers, at the service `at`.
    pub fn permits(&self, caller: Kind, at: Member, action: &'static str) -> bool {
        self.0.contains(&(caller, at, action))
    }

    /// The action that a request's path stands for. Nothing if it has the form of an RPC's, and is none.
    pub fn action(path: &str) -> Option<&'static str> {
        let path = path.strip_prefix('/').unwrap_or(path);
        if let Ok(place) = RPCS.binary_search(&path) {
            return RPCS.get(place).copied();
        }
        let like_an_rpc = path.split_once('/').is_some_and(|(service, _)| service.contains('.'));
        (!like_an_rpc).then_some(Self::HTTP)
    }
}

/// What a row of the built-in table permits at a service: `action: caller caller …`, or `action: nobody`.
fn permissions(at: Option<Member>, row: &str) -> Option<Vec<(Kind, Member, &'static str)>> {
    let (at, (action, callers)) = (at?, row.rsplit_once(": ")?);
    let action = RPCS.iter().copied().chain([Policies::HTTP]).find(|known| *known == action)?;
    let callers = callers.split(' ').filter(|name| *name != "nobody");
    callers.map(|name| Some((named(Kind::ALL, Kind::name, name)?, at, action))).collect()
}

fn named<T: Copy>(all: impl IntoIterator<Item = T>, name_of: fn(T) -> &'static str, name: &str) -> Option<T> {
    all.into_iter().find(|one| name_of(*one) == name)
}

/// Where policies come from.
#[derive(Clone)]
pub(crate) enum Source {
    BuiltIn(Arc<Policies>),
    #[cfg(feature = "cedar")]
    Files(Arc<Watched<Policies>>),
}

impl Source {
    pub(crate) fn built_in() -> Result<Self, PolicyError> {
        Policies::built_in().map(|policies| Self::BuiltIn(Arc::new(policies)))
    }

    /// The policies in a directory, which is looked at again every `every`. Needs a tokio runtime.
    #[cfg(feature = "cedar")]
    pub(crate) fn watch(directory: &Path, every: Duration) -> Result<Self, PolicyError> {
        let directory = directory.to_owned();
        Watched::start("policies", every, move || files::read(&directory), files::parse).map(Self::Files)
    }

    #[cfg(not(feature = "cedar"))]
    pub(crate) fn watch(_: &Path, _: Duration) -> Result<Self, PolicyError> {
        Err(PolicyError::NotBuiltIn)
    }

    pub(crate) fn current(&self) -> Arc<Policies> {
        match self {
            Self::BuiltIn(policies) => policies.clone(),
            #[cfg(feature = "cedar")]
            Self::Files(watched) => watched.current(),
        }
    }
}

#[cfg(all(test, not(feature = "cedar")))]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_cedar_says_which_feature_policies_need() {
        let watched = Source::watch(Path::new("policies"), Duration::from_secs(1));
        let error = watched.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("`cedar`"), "{error}");
    }
}
