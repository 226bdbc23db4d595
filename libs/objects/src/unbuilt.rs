//! No buckets: the feature `s3` is not built in.

use crate::OpenError;
use object_store::ObjectStore;
use std::sync::Arc;

pub(crate) fn open<K, V>(_: &str, _: impl IntoIterator<Item = (K, V)>) -> Result<Arc<dyn ObjectStore>, OpenError> {
    Err(OpenError::NotBuiltIn)
}

#[cfg(test)]
mod tests {
    use crate::Objects;

    #[test]
    fn a_program_without_s3_says_which_feature_it_needs() {
        let error = Objects::open("s3://bucket/prefix").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("`s3`"), "{error}");
    }
}
