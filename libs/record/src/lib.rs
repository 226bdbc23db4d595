//! What the services that record signed commands do alike.

mod page;
mod refusals;

pub use page::{PAGE_BYTES, Page};
pub use refusals::not_recorded;
