//! What can go wrong with objects. No error holds an address, a credential or what a store said: stores repeat in their
//! answers what they were asked with.

use std::{error::Error, io};

/// Why no objects can be kept.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is of no known form.
    #[error("must be file:///folder or s3://bucket/prefix")]
    Address,
    /// The folder cannot be made or used.
    #[error("the folder for objects cannot be created or used")]
    Folder(#[source] io::Error),
    /// The bucket's variables are incomplete, or one is not what it should be.
    #[error("the AWS_ variables do not configure access to the bucket")]
    Variables,
}

/// Why an object was not written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The name is not one of an object.
    #[error("not the name of an object")]
    Name,
    /// The object is larger than it may be.
    #[error("the object is too large")]
    TooLarge,
    /// The disk is full. Recovers by itself once there is space.
    #[error("no space left for objects")]
    Full,
    /// The store does not let us: its credentials or permissions are wrong.
    #[error("the object store refuses access: check its credentials and permissions")]
    Denied,
    /// The store does not answer, or answers that it cannot. Trying again is safe.
    #[error("the object store is unavailable")]
    Away,
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as Store;
        match &error {
            Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => Self::Denied,
            Store::InvalidPath { .. } => Self::Name,
            _ => match cause(&error) {
                Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Self::Full,
                Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => Self::Denied,
                _ => Self::Away,
            },
        }
    }
}

/// What the operating system said, if it is the cause.
fn cause(error: &object_store::Error) -> Option<io::ErrorKind> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}
