//! The rules of a study, one module for each journal: given the facts that a command needs, it is accepted or refused, and
//! which facts it changes is decided. Services decide by them before they record; an audit replays what was recorded by them.
//!
//! No clock, no randomness, no I/O, nothing asynchronous, no transport types: times and numbers arrive with the command.

pub mod capture;
pub mod consent;
pub mod enrollment;
