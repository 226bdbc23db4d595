//! What anyone runs once the secret is public.

use crate::list::{List, ListError};
use seal::Hash;
use vocabulary::allocation::{Method, Scheme, SchemeError, Secret, SecretError, commitment};

/// Why a revealed secret is not the one that was committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The scheme cannot be used.
    #[error("the scheme cannot be used")]
    Scheme(#[from] SchemeError),
    /// The secret does not go with the scheme.
    #[error("the secret does not go with the scheme")]
    Secret(#[from] SecretError),
    /// Scheme and secret give another commitment.
    #[error("scheme and secret give another commitment")]
    Commitment,
    /// Scheme and secret give a list with another root.
    #[error("scheme and secret give a list with another root")]
    Root,
    /// A list was not committed to: without its root, disclosures proved nothing.
    #[error("the method makes a list, and its root is missing")]
    RootMissing,
    /// A root was committed to that is of no list.
    #[error("minimisation makes no list, and there is a root")]
    RootWithoutList,
}

/// Whether the revealed scheme and secret are those of the commitment, and give the list with this root. `root` is none
/// for minimisation, and only then; compare the arms given with [`crate::replay`].
pub fn check(scheme: &Scheme, secret: &Secret, committed: &Hash, root: Option<&Hash>) -> Result<(), CheckError> {
    scheme.check()?;
    secret.check(scheme)?;
    if commitment(scheme, secret) != *committed {
        return Err(CheckError::Commitment);
    }
    match (&scheme.method, root) {
        (Method::Minimisation { .. }, None) => Ok(()),
        (Method::Minimisation { .. }, Some(_)) => Err(CheckError::RootWithoutList),
        (_, None) => Err(CheckError::RootMissing),
        (_, Some(root)) => check_root(&List::generate(scheme, secret)?, root),
    }
}

fn check_root(list: &List, root: &Hash) -> Result<(), CheckError> {
    if list.root() == *root { Ok(()) } else { Err(CheckError::Root) }
}

impl From<ListError> for CheckError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Scheme(error) => Self::Scheme(error),
            ListError::Secret(error) => Self::Secret(error),
            ListError::Minimisation => Self::RootWithoutList,
        }
    }
}
