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
