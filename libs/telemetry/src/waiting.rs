//! How long something has been waited for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// How long each of a few things has been waited for, such as a witness's cosignature. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<Mutex<BTreeMap<String, Option<Instant>>>>);

impl Waiting {
    /// Waiting for `what` has begun; when it had begun before, nothing changes.
    pub fn begin(&self, what: &str) {
        let now = Instant::now();
        self.change(what, |since| since.or(Some(now)));
    }

    /// `what` is there.
    pub fn end(&self, what: &str) {
        self.change(what, |_| None);
    }

    fn change(&self, what: &str, to: impl FnOnce(Option<Instant>) -> Option<Instant>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = all.get(what).copied().flatten();
        all.insert(what.to_owned(), to(since));
    }

    /// What was ever waited for, and for how many seconds now; 0 for what is there.
    pub fn seconds(&self) -> Vec<(String, f64)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = |since: &Option<Instant>| since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        all.iter().map(|(what, since)| (what.clone(), elapsed(since))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_lasts_from_its_first_begin_to_its_end() {
        let waiting = Waiting::default();
        waiting.begin("a");
        let first = waiting.0.lock().map(|all| all["a"]).ok();
        waiting.begin("a");
        assert_eq!(waiting.0.lock().map(|all| all["a"]).ok(), first, "a second begin starts nothing anew");
        waiting.end("a");
        assert_eq!(waiting.seconds(), [("a".to_owned(), 0.0)]);
    }
}
