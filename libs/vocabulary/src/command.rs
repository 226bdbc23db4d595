//! The commands of all journals, as one list of names.

pub use crate::{capture::*, consent::*, enrollment::*, task::Task};
pub use seal::command::Payload;
