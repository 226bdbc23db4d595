//! What the services that record signed commands do alike: open their journals, foresee what would be refused, propose, and
//! list what was recorded in pages.
//!
//! What this crate is *not*: it holds no rule and no framework. A service calls these functions; they call no service but
//! for its [`Rule`].

mod foresee;
mod page;
mod propose;
mod refusals;
mod settings;

pub use foresee::{Before, facts, foresee};
pub use page::{PAGE_BYTES, Page};
pub use propose::{Rule, Signed, is_too_old};
pub use refusals::not_recorded;
pub use settings::Settings;
