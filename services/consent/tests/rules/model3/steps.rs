//! What may happen, at random.

use crate::*;
use proptest::prelude::*;

pub(super) const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// When a history begins: long enough after the first form was published for a signature to be old.
pub(super) const START: u64 = NOW + 40 * DAY;
/// How many forms there are; the first is published from the beginning.
pub(super) const FORMS: usize = 4;
pub(super) const PROVISIONS: [&str; 4] = ["data_collection", "genetics", "biosamples:blood", "recontact"];
/// Those who may speak for the participant, and until when they are registered.
pub(super) const SPEAKERS: [(&str, u64); 3] =
    [(MOTHER, NOW + 400 * DAY), (FATHER, START + 12 * DAY), (LEGAL, START + 15 * DAY)];

/// In which capacity consent is given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    Participant,
    Device,
    Guardian,
    Parents { both: bool, father: bool, assent: bool, majority: u64 },
    Nobody { deadline: u64 },
}

/// What is signed and gives a right.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    /// Which provisions of which form, by bits.
    Give { who: Who, form: usize, agreed: u8, late: bool },
    /// Access for the laboratory: for so long, and so many reads.
    Grant { by: &'static str, lasts: u64, uses: Option<u32> },
}

impl Deed {
    /// The same under a form that was published, agreeing mostly to what it asks for.
    pub(super) fn among(self, published: usize) -> Self {
        const ASKED: [(u8, u8); FORMS] = [(15, 1), (12, 0), (11, 1), (15, 1)];
        match self {
            Deed::Give { who, form, agreed, late } => {
                let form = form % published.max(1);
                let (asked, must) = ASKED[form];
                let agreed = match who {
                    _ if agreed == 7 => agreed,
                    Who::Nobody { .. } => must,
                    _ => (agreed | must) & asked,
                };
                Deed::Give { who, form, agreed, late }
            }
            grant @ Deed::Grant { .. } => grant,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Signs with a clock that is off by so much; records it at once, keeps a copy, or both.
    Sign {
        deed: Deed,
        clock: i64,
        record: bool,
        keep: bool,
    },
    /// Records a copy that was kept, counted from the newest.
    Kept(usize),
    Withdraw {
        by: &'static str,
        which: u8,
        scope: Option<WithdrawalScope>,
        clock: i64,
        late: bool,
    },
    Revoke {
        by: &'static str,
        grant: usize,
    },
    Read {
        grant: usize,
        clock: i64,
    },
    Publish,
    Wait(u64),
}

/// How far a signer's clock is from the time it is recorded: mostly not at all, or the signature is old.
fn clock() -> impl Strategy<Value = i64> {
    let some = |milliseconds: u64| -(milliseconds as i64);
    let old =
        vec![some(HOUR), some(DAY), some(DAY + 1), some(3 * DAY), some(9 * DAY), some(30 * DAY), some(30 * DAY + 1)];
    prop_oneof![
        6 => Just(0),
        2 => prop::sample::select(old),
        1 => prop::sample::select(vec![300_000, 300_001, some(300_000), some(300_001)]),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    let majority = prop::sample::select(vec![
        START,
        START + 3 * DAY,
        START + 11 * DAY,
        START + 30 * DAY,
        START + 90 * DAY,
        START + 91 * DAY,
    ]);
    prop_oneof![
        4 => Just(Who::Participant),
        2 => Just(Who::Device),
        2 => Just(Who::Guardian),
        4 => (any::<bool>(), any::<bool>(), any::<bool>(), majority)
            .prop_map(|(both, father, assent, majority)| Who::Parents { both, father, assent, majority }),
        1 => (0..8_u64).prop_map(|days| Who::Nobody { deadline: START + days * DAY }),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let by = prop::sample::select(vec![PARTICIPANT, PARTICIPANT, MOTHER, FATHER, LEGAL, "ann"]);
    let lasts = prop::sample::select(vec![HOUR, 5 * DAY, 60 * DAY]);
    let late = prop::bool::weighted(0.3);
    prop_oneof![
        5 => (who(), 0..FORMS, 0..16_u8, late, any::<bool>()).prop_map(|(who, form, agreed, late, whole)| Deed::Give {
            who,
            form,
            agreed: if whole { 15 } else { agreed },
            late,
        }),
        1 => (by, lasts, prop::option::of(1..3_u32)).prop_map(|(by, lasts, uses)| Deed::Grant { by, lasts, uses }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let scope = prop::sample::select(vec![
        None,
        Some(WithdrawalScope::FurtherCollection),
        Some(WithdrawalScope::Optional),
        Some(WithdrawalScope::Everything),
        Some(WithdrawalScope::Everything),
    ]);
    let by = prop::sample::select(vec![PARTICIPANT, PARTICIPANT, "ann", MOTHER, FATHER, LEGAL]);
    let late = prop::bool::weighted(0.3);
    prop_oneof![
        8 => (deed(), clock(), prop::bool::weighted(0.8), prop::bool::weighted(0.3))
            .prop_map(|(deed, clock, record, keep)| Step::Sign { deed, clock, record, keep }),
        2 => (0..3_usize).prop_map(Step::Kept),
        3 => (by.clone(), 0..16_u8, scope, clock(), late)
            .prop_map(|(by, which, scope, clock, late)| Step::Withdraw { by, which: which | 1, scope, clock, late }),
        1 => (by, 0..3_usize).prop_map(|(by, grant)| Step::Revoke { by, grant }),
        1 => (0..3_usize, clock()).prop_map(|(grant, clock)| Step::Read { grant, clock }),
        2 => Just(Step::Publish),
        4 => prop::sample::select(vec![1, MINUTE, HOUR, DAY, DAY, 5 * DAY, 20 * DAY]).prop_map(Step::Wait),
    ]
}

/// So many cases, unless the environment says how many.
pub(super) fn many(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases, ..default } }
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..40)
}

pub(super) fn picked(bits: u8) -> Vec<&'static str> {
    (0..PROVISIONS.len()).filter(|bit| bits & (1 << bit) != 0).map(|bit| PROVISIONS[bit]).collect()
}
