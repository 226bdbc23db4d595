//! What a panic may say.

use crate::meters;
use std::panic;

/// Counts panics and tells where they were. What they say is not told: it may quote a value.
pub(crate) fn quiet_panics() {
    panic::set_hook(Box::new(|panic| {
        meters().panics.add(1);
        let (file, line) = panic.location().map_or(("", 0), |place| (place.file(), place.line()));
        tracing::error!(file, line, "a panic");
    }));
}
