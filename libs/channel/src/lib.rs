//! How one service calls another: over several endpoints, with deadlines, and again only where that is safe.

mod deadline;
pub use deadline::{remaining, timeout, with_deadline};
