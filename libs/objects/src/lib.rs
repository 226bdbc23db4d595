//! Files that never change under a name: tiles and documents, on disk or S3.
//!
//! A name stands for the same bytes for good, so writing it again is always safe: that is how what a crash, a full disk or
//! a lost bucket left behind is healed. The one exception is [`Objects::replace`], for a chain's `checkpoint`.
//!
//! What this crate is *not*: it lists nothing and deletes nothing.

#[cfg(feature = "s3")]
mod bucket;
#[cfg(not(feature = "s3"))]
#[path = "unbuilt.rs"]
mod bucket;
mod error;
mod place;

pub use error::{ObjectError, OpenError};

use futures_util::TryStreamExt;
use object_store::{Attribute, Attributes, GetResult, ObjectStore, ObjectStoreExt, PutOptions, path::Path as Name};
use std::{future::Future, path::Path, sync::Arc, time::Duration};
use tokio::time::timeout;

/// The largest object, in bytes: above a full entry bundle of a chain, 256 entries of 65,535 bytes.
pub const MAX_OBJECT_BYTES: usize = 32 << 20;
/// After this time an operation is given up, retries and all.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long caches may keep what never changes (RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// How long caches may keep what is replaced.
const REPLACED: &str = "max-age=1";

/// A folder or a bucket's prefix. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Name,
    /// Whether objects carry their caching rules: a folder's files cannot.
    labelled: bool,
}

impl Objects {
    /// Opens `file:///folder` (the path as it is, without percent-encoding) or `s3://bucket/prefix`. For S3 the standard
    /// variables say where and as whom: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_ALLOW_HTTP` and whatever else `object_store::aws::AmazonS3ConfigKey` knows. No connection is made yet.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the address is of neither form, the folder cannot be made or the variables contradict themselves.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_with(url, place::variables(std::env::vars_os()))
    }

    /// [`Objects::open`] with other variables than the environment's.
    ///
    /// # Errors
    ///
    /// As [`Objects::open`].
    pub fn open_with<K, V>(url: &str, variables: impl IntoIterator<Item = (K, V)>) -> Result<Self, OpenError>
    where
        K: AsRef<str>,
        V: Into<String>,
    {
        if let Some(folder) = url.strip_prefix("file://").filter(|path| path.starts_with('/')) {
            return Self::folder(Path::new(folder));
        }
        let (bucket, prefix) = place::bucket(url).ok_or(OpenError::Address)?;
        let prefix = Name::parse(prefix).map_err(|_| OpenError::Address)?;
        Ok(Self { store: bucket::open(bucket, variables)?, prefix, labelled: true })
    }

    /// Opens a folder, which is made if it does not exist.
    ///
    /// # Errors
    ///
    /// [`OpenError::Folder`] if it cannot be made or used.
    pub fn folder(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { store: Arc::new(place::folder(path)?), prefix: Name::default(), labelled: false })
    }

    /// Keeps `bytes` under `name` for good; durable when this returns. The name must stand for these bytes alone: keeping
    /// them again is safe and mends a damaged copy.
    ///
    /// # Errors
    ///
    /// [`ObjectError`]; then the name holds what it held, or `bytes`.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), ObjectError> {
        self.write(name, bytes, IMMUTABLE).await
    }

    /// Replaces what is under `name`, whole or not at all; durable when this returns.
    ///
    /// # Errors
    ///
    /// As [`Objects::put`].
    pub async fn replace(&self, name: &str, bytes: Vec<u8>) -> Result<(), ObjectError> {
        self.write(name, bytes, REPLACED).await
    }

    /// What is under `name`, if there is anything, of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`ObjectError`]; [`ObjectError::TooLarge`] if it is larger than `limit`.
    pub async fn get(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, ObjectError> {
        let name = self.name(name)?;
        patiently("get", async {
            match self.store.get(&name).await {
                Ok(found) => read(found, limit).await.map(Some),
                Err(error) => absent(error),
            }
        })
        .await
    }

    /// How many bytes are under `name`, if there is anything.
    ///
    /// # Errors
    ///
    /// [`ObjectError`] if that cannot be told.
    pub async fn size(&self, name: &str) -> Result<Option<u64>, ObjectError> {
        let name = self.name(name)?;
        patiently("size", async {
            match self.store.head(&name).await {
                Ok(found) => Ok(Some(found.size)),
                Err(error) => absent(error),
            }
        })
        .await
    }

    async fn write(&self, name: &str, bytes: Vec<u8>, caching: &'static str) -> Result<(), ObjectError> {
        if bytes.len() > MAX_OBJECT_BYTES {
            return Err(ObjectError::TooLarge);
        }
        let name = self.name(name)?;
        let mut attributes = Attributes::new();
        if self.labelled {
            attributes.insert(Attribute::CacheControl, caching.into());
        }
        let options = PutOptions { attributes, ..PutOptions::default() };
        patiently("put", async {
            self.store.put_opts(&name, bytes.into(), options).await?;
            Ok(())
        })
        .await
    }

    fn name(&self, name: &str) -> Result<Name, ObjectError> {
        let name = Name::parse(name).ok().filter(|name| !name.as_ref().is_empty()).ok_or(ObjectError::Name)?;
        Ok(self.prefix.parts().chain(name.parts()).collect())
    }
}

fn absent<T>(error: object_store::Error) -> Result<Option<T>, ObjectError> {
    match error {
        object_store::Error::NotFound { .. } => Ok(None),
        error => Err(error.into()),
    }
}

async fn patiently<T>(
    name: &'static str,
    operation: impl Future<Output = Result<T, ObjectError>>,
) -> Result<T, ObjectError> {
    let done = timeout(PATIENCE, operation).await.unwrap_or(Err(ObjectError::Away));
    done.inspect_err(|_| telemetry::meters().objects.of(name))
}

/// Reads an object, of which the store's own word on its size is not believed.
async fn read(found: GetResult, limit: usize) -> Result<Vec<u8>, ObjectError> {
    if found.meta.size > limit as u64 {
        return Err(ObjectError::TooLarge);
    }
    let (mut bytes, mut parts) = (Vec::new(), found.into_stream());
    while let Some(part) = parts.try_next().await? {
        if bytes.len() + part.len() > limit {
            return Err(ObjectError::TooLarge);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Objects").field("s3", &self.labelled).finish_non_exhaustive()
    }
}
