//! A model of delegations: a log that is read from the beginning.

use super::{PEOPLE, SITES};

/// Which actor, task and site, by their places in the lists.
pub(super) type Place = (usize, usize, usize);

/// A delegation as it was signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed {
    pub(super) by: usize,
    /// Which of the signer's keys signed.
    pub(super) key: usize,
    pub(super) place: Place,
    pub(super) period: (u64, u64),
    pub(super) time: u64,
    /// The newest entry about the place that the signer saw.
    pub(super) seen: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// A key: who it is of, which of theirs; and who vouched for it.
    Key {
        of: usize,
        by: usize,
    },
    Revoked {
        of: usize,
    },
    Delegated(Signed),
    Ended {
        place: Place,
        which: u64,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) time: u64,
    pub(super) what: What,
}

/// What was accepted, from the beginning.
#[derive(Debug, Default)]
pub(super) struct Log(pub(super) Vec<Entry>);

/// A period of the log: the entry that granted it, and what was signed.
pub(super) type Period = (u64, u64, Signed);

impl Log {
    fn before(&self, number: u64) -> impl DoubleEndedIterator<Item = &Entry> {
        self.0.iter().filter(move |entry| entry.number < number)
    }

    /// The newest entry about a place.
    pub(super) fn newest(&self, place: Place) -> Option<u64> {
        let about = |entry: &&Entry| match entry.what {
            What::Delegated(signed) => signed.place == place,
            What::Ended { place: ended, .. } => ended == place,
            _ => false,
        };
        self.0.iter().rev().find(about).map(|entry| entry.number)
    }

    /// Which of their keys somebody has; nothing if it was revoked.
    pub(super) fn key(&self, of: usize) -> Option<usize> {
        let revoked = self.0.iter().any(|entry| matches!(entry.what, What::Revoked { of: whose } if whose == of));
        (!revoked).then(|| self.keys(of))
    }

    /// How many keys somebody got after their first.
    pub(super) fn keys(&self, of: usize) -> usize {
        self.0.iter().filter(|entry| matches!(entry.what, What::Key { of: whose, .. } if whose == of)).count()
    }

    /// The periods on the log before an entry that cover a task at a site and were not ended, the site's own first.
    pub(super) fn periods(&self, (actor, task, site): Place, before: u64) -> Vec<Period> {
        let mut sites = vec![site];
        sites.extend((site != 0).then_some(0));
        let at = |site: usize| {
            self.before(before).filter_map(move |entry| match entry.what {
                What::Delegated(signed) if signed.place == (actor, task, site) => {
                    Some((entry.number, entry.time, signed))
                }
                _ => None,
            })
        };
        let ended = |number: u64| {
            self.before(before).any(|entry| matches!(entry.what, What::Ended { which, .. } if which == number))
        };
        sites.into_iter().flat_map(at).filter(|(number, ..)| !ended(*number)).collect()
    }

    /// The period by which somebody holds a task at a time: the first on the log that covers it.
    pub(super) fn held(&self, place: Place, time: u64, before: u64) -> Option<Period> {
        self.periods(place, before).into_iter().find(|(.., signed)| signed.period.0 <= time && time < signed.period.1)
    }

    /// The period that lets somebody delegate for a whole period: what they hold now, or another.
    pub(super) fn throughout(&self, signed: Signed, time: u64, before: u64) -> Option<Period> {
        let ((_, task, site), (from, until)) = (signed.place, signed.period);
        let own = (signed.by, task, site);
        let covers = |(.., own): &Period| own.period.0 <= from && until <= own.period.1;
        let now = self.held(own, time, before)?;
        if covers(&now) { Some(now) } else { self.periods(own, before).into_iter().find(covers) }
    }

    /// From whom a period is held, the root first.
    pub(super) fn line(&self, (number, time, signed): Period) -> Vec<usize> {
        let above = (signed.by != 0).then(|| self.throughout(signed, time, number)).flatten();
        above.map(|above| self.line(above)).unwrap_or_default().into_iter().chain([signed.by]).collect()
    }

    /// How far a proof of a period goes, step by step: the delegation, the key that signed it, and by what right.
    pub(super) fn steps(&self, (number, time, signed): Period) -> u32 {
        if signed.by == 0 {
            return 1;
        }
        let (_, task, site) = signed.place;
        let now = self.held((signed.by, task, site), time, number);
        let whole = self.throughout(signed, time, number);
        let other = whole.filter(|(whole, ..)| now.is_none_or(|(now, ..)| now != *whole));
        let key = self.key_steps(signed.by, number);
        let by_now = now.map_or(0, |now| key + self.steps(now));
        1 + by_now + other.map_or(0, |other| key + self.steps(other))
    }

    /// How far a proof of somebody's key goes.
    pub(super) fn key_steps(&self, of: usize, before: u64) -> u32 {
        if of == 0 {
            return 0;
        }
        let found = self.before(before).rev().find_map(|entry| match entry.what {
            What::Key { of: whose, by } if whose == of => Some((entry, by)),
            _ => None,
        });
        match found {
            None => 1, // registered by the root
            Some((entry, by)) if by == of => 1 + self.key_steps(of, entry.number),
            Some((entry, by)) => 1 + self.key_steps(by, entry.number) + self.right_steps(by, entry),
        }
    }

    /// How far a proof goes that a registrar may register, when they did.
    fn right_steps(&self, by: usize, entry: &Entry) -> u32 {
        self.held((by, 0, 0), entry.time, entry.number).map_or(0, |held| self.steps(held))
    }

    /// Every time from now on at which something could change.
    pub(super) fn times(&self, now: u64) -> Vec<u64> {
        let periods = self.0.iter().filter_map(|entry| match entry.what {
            What::Delegated(signed) => Some(signed.period),
            _ => None,
        });
        let around = periods.flat_map(|(from, until)| [from - 1, from, until - 1, until]).chain([now]);
        let mut times: Vec<u64> = around.filter(|time| now <= *time).collect();
        times.sort_unstable();
        times.dedup();
        times
    }
}

pub(super) fn places() -> impl Iterator<Item = Place> {
    (0..PEOPLE.len())
        .flat_map(|actor| (0..2).flat_map(move |task| (0..SITES.len()).map(move |site| (actor, task, site))))
}
