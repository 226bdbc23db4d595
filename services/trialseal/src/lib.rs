//! The one binary, as a library: what `trialseal` does, so that tests can do it too.

pub mod allow;
pub mod audit;
pub mod backup;
pub mod bench;
pub mod cli;
pub mod demo;
pub mod deployment;
pub mod export;
pub mod foreign;
pub mod import;
pub mod init;
pub mod key;
pub mod keys;
pub mod participant;
pub mod people;
pub mod policy;
pub mod process;
pub mod prove;
pub mod record;
pub mod setup;
pub mod spreadsheet;
pub mod telling;
pub mod wiring;
