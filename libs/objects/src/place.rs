//! Where objects are: a folder or a bucket.

use crate::OpenError;
use object_store::local::LocalFileSystem;
use std::{ffi::OsString, path::Path};

/// A folder whose files are durable before a write returns: the file, its name, and the folders made for it.
pub(crate) fn folder(path: &Path) -> Result<LocalFileSystem, OpenError> {
    owner::make_directory(path).map_err(OpenError::Folder)?;
    let opened = LocalFileSystem::new_with_prefix(path).map_err(std::io::Error::other).map_err(OpenError::Folder)?;
    Ok(opened.with_fsync(true))
}

/// The bucket and the prefix of `s3://bucket/prefix`.
pub(crate) fn bucket(url: &str) -> Option<(&str, &str)> {
    let place = url.strip_prefix("s3://")?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    (!bucket.is_empty()).then_some((bucket, prefix.trim_end_matches('/')))
}

/// Those of a process's variables that are about S3. What is not Unicode is none of them.
pub(crate) fn variables(all: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    let text = all.into_iter().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    text.filter(|(key, _)| key.starts_with("AWS_")).collect()
}
