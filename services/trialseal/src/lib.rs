//! The one binary, as a library: what `trialseal` does, so that tests can do it too.

pub mod allow;
pub mod backup;
pub mod cli;
pub mod deployment;
pub mod foreign;
pub mod init;
pub mod key;
pub mod keys;
pub mod policy;
pub mod process;
pub mod record;
pub mod telling;
pub mod wiring;

#[cfg(test)]
mod tests {
    /// Whatever a package's tests need of a feature is left out silently without it.
    #[test]
    fn tests_run_with_every_feature_that_images_have() {
        let features = [
            ("cedar", cfg!(feature = "cedar")),
            ("oidc", cfg!(feature = "oidc")),
            ("otlp", cfg!(feature = "otlp")),
            ("postgres", cfg!(feature = "postgres")),
            ("redis", cfg!(feature = "redis")),
            ("s3", cfg!(feature = "s3")),
        ];
        let missing: Vec<_> = features.iter().filter(|(_, built_in)| !built_in).map(|(name, _)| name).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
