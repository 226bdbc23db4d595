//! The forms of a history.

use super::steps::FORMS;
use crate::DAY;

/// How long consent may be deferred.
pub(super) const LONGEST_DEFERRAL: u64 = 3 * DAY;

/// A form: what it asks for (whether it must be agreed to, for how many days it holds), and what became of it.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) names: (&'static str, &'static str),
    pub(super) asks: Vec<(&'static str, bool, Option<u64>)>,
    /// Whether it may be signed on a device of the site.
    pub(super) device: bool,
    /// Which one it replaces; whether that one then counts no more.
    pub(super) replaces: Option<(usize, bool)>,
    /// How long after it is published it is in use.
    pub(super) after: u64,
}

pub(super) fn forms() -> [Form; FORMS] {
    let all = vec![
        ("data_collection", true, None),
        ("genetics", false, Some(10)),
        ("biosamples:blood", false, None),
        ("recontact", false, None),
    ];
    let part = vec![("biosamples:blood", false, Some(4)), ("recontact", false, None)];
    let fewer = vec![("data_collection", true, Some(20)), ("genetics", false, Some(10)), ("recontact", false, None)];
    let form = |names, asks, device, replaces, after| Form { names, asks, device, replaces, after };
    [
        form(("ICF", "1"), all.clone(), true, None, 0),
        form(("SUB", "1"), part, true, None, 0),
        form(("ICF", "2"), fewer, true, Some((0, true)), DAY),
        form(("ICF", "3"), all, false, Some((2, false)), 0),
    ]
}
