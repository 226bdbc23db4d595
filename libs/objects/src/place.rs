//! Where objects are: a folder or a bucket.

use crate::OpenError;
use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    local::LocalFileSystem,
};
use std::{ffi::OsString, path::Path, time::Duration};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(8);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How often a request is tried again, and until when. S3's writes are whole or not at all, so all of ours may be.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(2), base: 2. },
    max_retries: 4,
    retry_timeout: Duration::from_secs(10),
};

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

/// A bucket, reached as the variables say.
pub(crate) fn s3<K: AsRef<str>, V: Into<String>>(
    bucket: &str,
    variables: impl IntoIterator<Item = (K, V)>,
) -> Result<AmazonS3, OpenError> {
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_retry(RETRIES);
    let mut client = ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(CONNECT);
    for (key, value) in variables {
        let Ok(key) = key.as_ref().to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else { continue };
        match key {
            AmazonS3ConfigKey::Client(key) => client = client.with_config(key, value),
            key => builder = builder.with_config(key, value),
        }
    }
    builder.with_client_options(client).build().map_err(|_| OpenError::Variables)
}

/// Those of a process's variables that are about S3. What is not Unicode is none of them.
pub(crate) fn variables(all: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    let text = all.into_iter().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    text.filter(|(key, _)| key.starts_with("AWS_")).collect()
}
