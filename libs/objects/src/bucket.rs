//! A bucket of S3.

use crate::OpenError;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
};
use std::{sync::Arc, time::Duration};

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

/// A bucket, reached as the variables say.
pub(crate) fn open<K: AsRef<str>, V: Into<String>>(
    bucket: &str,
    variables: impl IntoIterator<Item = (K, V)>,
) -> Result<Arc<dyn ObjectStore>, OpenError> {
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_retry(RETRIES);
    let mut client = ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(CONNECT);
    for (key, value) in variables {
        let Ok(key) = key.as_ref().to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else { continue };
        match key {
            AmazonS3ConfigKey::Client(key) => client = client.with_config(key, value),
            key => builder = builder.with_config(key, value),
        }
    }
    let bucket = builder.with_client_options(client).build().map_err(|_| OpenError::Variables)?;
    Ok(Arc::new(bucket))
}
