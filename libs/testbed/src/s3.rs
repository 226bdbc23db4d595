//! An S3-compatible object store with its files on disk, from a package registry.
