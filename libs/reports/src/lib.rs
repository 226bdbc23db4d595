//! What people ask of a study, and the pages and tables they get: participants, investigators, inspectors.
//!
//! Reads and formats what the services answer; decides nothing.

pub mod participant;
pub mod people;
mod spreadsheet;
