//! A model that remembers what happened and looks it up.

use super::{
    forms::{Form, LONGEST_DEFERRAL, forms},
    steps::{Deed, MINUTE, PROVISIONS, SPEAKERS, Who, picked},
};
use crate::*;

/// What was said of a provision.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Yes { by: Vec<&'static str>, form: usize, signed: u64, period: Option<u64>, deadline: Option<u64> },
    No,
}

/// Something that was recorded about the participant's consent.
#[derive(Debug, Clone, Default)]
pub(super) struct Event {
    pub(super) words: Vec<(&'static str, Word)>,
    /// What the participant said with their own key: yes or no.
    own: Vec<(&'static str, bool)>,
    /// When the parents said that the participant comes of age.
    majority: Option<u64>,
    /// Whether it ended all there was.
    emptied: bool,
    granted: Option<Granted>,
    revoked: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Granted {
    from: u64,
    until: u64,
    uses: Option<u32>,
}

/// A signature: what was signed, by which clock, and how much had been recorded that its signer saw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed {
    pub(super) deed: Deed,
    pub(super) time: u64,
    pub(super) seen: usize,
}

#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) events: Vec<Event>,
    /// When each form was published.
    pub(super) published: Vec<u64>,
    /// The grants that were read on.
    pub(super) reads: Vec<usize>,
    /// The names of the grants, in the order they were made.
    pub(super) names: Vec<Name>,
    pub(super) may_be_late: bool,
}

fn timely(signed: u64, now: u64, longest: u64) -> bool {
    signed <= now + 5 * MINUTE && now <= signed + longest
}

impl History {
    fn last(&self, text: &str) -> Option<&Word> {
        let words = self.events.iter().rev().flat_map(|event| event.words.iter().rev());
        words.into_iter().find(|(about, _)| *about == text).map(|(_, word)| word)
    }

    /// The earliest coming of age that the parents ever stated.
    pub(super) fn majority(&self) -> Option<u64> {
        self.events.iter().filter_map(|event| event.majority).min()
    }

    /// When and why what was said yes to ends by itself.
    fn end(&self, word: &Word) -> Option<(u64, NotInForce)> {
        let Word::Yes { by, period, deadline, .. } = word else { return None };
        let parents = by.contains(&MOTHER) || by.contains(&FATHER);
        let ends = [
            period.map(|end| (end, NotInForce::PeriodEnded)),
            self.majority().filter(|_| parents).map(|end| (end, NotInForce::MajorityReached)),
            deadline.map(|end| (end, NotInForce::DeferralEnded)),
        ];
        ends.into_iter().flatten().min_by_key(|(end, _)| *end)
    }

    /// When the last yes to a provision was signed.
    fn signed(&self, text: &str) -> Option<u64> {
        let mut words = self.events.iter().rev().flat_map(|event| event.words.iter());
        words.find_map(|(about, word)| match word {
            Word::Yes { signed, .. } if *about == text => Some(*signed),
            _ => None,
        })
    }

    pub(super) fn stands(&self, text: &str, time: u64) -> bool {
        match self.last(text) {
            Some(word @ Word::Yes { .. }) => self.end(word).is_none_or(|(end, _)| time < end),
            _ => false,
        }
    }

    fn any_stands(&self, time: u64) -> bool {
        PROVISIONS.iter().any(|text| self.stands(text, time))
    }

    /// From when a form is no longer used, and whether what was agreed to under it then counts no more.
    fn replaced(&self, form: usize) -> Option<(u64, bool)> {
        let all = forms();
        (0..self.published.len()).find_map(|new| match all[new].replaces {
            Some((old, stops)) if old == form => Some((self.published[new] + all[new].after, stops)),
            _ => None,
        })
    }

    pub(super) fn in_force(&self, text: &str, time: u64) -> Result<(), NotInForce> {
        let word = self.last(text).ok_or(NotInForce::Missing)?;
        let Word::Yes { form, .. } = word else { return Err(NotInForce::Withdrawn) };
        match (self.end(word), self.replaced(*form)) {
            (Some((end, why)), _) if end <= time => Err(why),
            (_, Some((from, true))) if from <= time => Err(NotInForce::ReconsentRequired),
            _ => Ok(()),
        }
    }

    /// Whether somebody speaks for the participant: registered, and something they gave stands.
    pub(super) fn speaks(&self, actor: &str, time: u64) -> bool {
        let registered = SPEAKERS.iter().any(|(speaker, until)| *speaker == actor && time < *until);
        let gave = |text: &&str| match self.last(text) {
            Some(Word::Yes { by, .. }) => by.contains(&actor) && self.stands(text, time),
            _ => false,
        };
        registered && PROVISIONS.iter().any(gave)
    }

    /// Whether the participant took a provision back with their own key, and it was not agreed to since.
    pub(super) fn refused(&self, text: &str) -> bool {
        for event in self.events.iter().rev() {
            match event.words.iter().find(|(about, _)| *about == text) {
                Some((_, Word::Yes { .. })) => return false,
                Some((_, Word::No)) if event.own.iter().any(|(about, yes)| *about == text && !yes) => return true,
                _ => {}
            }
        }
        false
    }

    /// Whether the participant declined a provision with their own key, given or not, and nobody gave it since.
    fn declined(&self, text: &str) -> bool {
        for event in self.events.iter().rev() {
            if event.words.iter().any(|(about, word)| *about == text && matches!(word, Word::Yes { .. })) {
                return false;
            }
            if event.own.iter().any(|(about, yes)| *about == text && !yes) {
                return true;
            }
        }
        false
    }

    /// Whether the participant agreed to a provision with their own key in what was recorded last.
    pub(super) fn agreed_just_now(&self, text: &str) -> bool {
        self.events.last().is_some_and(|event| event.own.iter().any(|(about, yes)| *about == text && *yes))
    }

    /// What a signature changes if it is recorded now; nothing if it is not accepted.
    pub(super) fn accepts(&self, signed: Signed, now: u64) -> Option<Event> {
        if signed.seen != self.events.len() {
            return None;
        }
        match signed.deed {
            Deed::Give { who, form, agreed, late } => {
                let longest = if late { 30 * DAY } else { DAY };
                let may = timely(signed.time, now, longest) && (!late || self.may_be_late);
                may.then(|| self.given(who, (form, &picked(agreed)), signed.time, now)).flatten()
            }
            Deed::Grant { by, lasts, uses } => {
                let speaks = by == PARTICIPANT || self.speaks(by, now);
                let until = signed.time + lasts;
                let may = timely(signed.time, now, DAY) && speaks && self.any_stands(now) && now < until;
                let granted = Some(Granted { from: signed.time, until, uses });
                may.then(|| Event { granted, ..Event::default() })
            }
        }
    }

    fn given(&self, who: Who, (form, agreed): (usize, &[&'static str]), signed: u64, now: u64) -> Option<Event> {
        let from = *self.published.get(form)?;
        let Form { names, asks, device, after, .. } = forms()[form].clone();
        let in_use = now >= from + after && signed + 5 * MINUTE >= from + after;
        let replaced = self.replaced(form).is_some_and(|(until, _)| until <= now);
        let complete = !agreed.is_empty() && asks.iter().all(|(text, must, _)| !must || agreed.contains(text));
        let offered = agreed.iter().all(|text| asks.iter().any(|(asked, ..)| asked == text));
        let of_age = self.majority().is_none_or(|majority| majority <= now && majority <= signed);
        let admitted = match who {
            Who::Participant => of_age,
            Who::Device => of_age && device,
            Who::Guardian => of_age && now < SPEAKERS[2].1,
            Who::Parents { majority, .. } => {
                let registered =
                    signs_for(who).iter().all(|parent| SPEAKERS.iter().any(|(who, to)| who == parent && now < *to));
                let not_later = self.majority().is_none_or(|before| now < before && majority <= before);
                registered && not_later && now < majority
            }
            Who::Nobody { deadline } => {
                let must = agreed.iter().all(|text| asks.iter().any(|(asked, must, _)| asked == text && *must));
                let never = self.events.iter().all(|event| event.words.is_empty());
                of_age && must && never && now < deadline && deadline <= signed + LONGEST_DEFERRAL
            }
        };
        let own = matches!(who, Who::Participant | Who::Parents { assent: true, .. });
        let against =
            !own && (PROVISIONS.iter().any(|text| self.refused(text)) || agreed.iter().any(|text| self.declined(text)));
        if !in_use || replaced || !complete || !offered || !admitted || against {
            return None;
        }
        let event = self.words((who, signed), (form, names.0), &asks, agreed);
        let over = |word: &Word| matches!(word, Word::Yes { period: Some(end), .. } if *end <= now);
        if event.words.iter().any(|(_, word)| over(word)) { None } else { Some(event) }
    }

    fn words(
        &self,
        (who, signed): (Who, u64),
        (form, document): (usize, &str),
        asks: &[(&'static str, bool, Option<u64>)],
        agreed: &[&'static str],
    ) -> Event {
        let majority = match who {
            Who::Parents { majority, .. } => Some(majority),
            _ => None,
        };
        let first = majority.is_some() && self.majority().is_none();
        let said = self.events.iter().any(|event| !event.words.is_empty());
        let mut event = Event { majority, emptied: first && said, ..Event::default() };
        for text in PROVISIONS {
            let asked = asks.iter().find(|(asked, ..)| *asked == text);
            let under = matches!(self.last(text), Some(Word::Yes { form, .. }) if forms()[*form].names.0 == document);
            let yes = matches!(self.last(text), Some(Word::Yes { .. }));
            if let Some((_, _, days)) = asked.filter(|_| agreed.contains(&text)) {
                let deadline = match who {
                    Who::Nobody { deadline } => Some(deadline),
                    _ => None,
                };
                let period = days.map(|days| signed + days * DAY);
                event.words.push((text, Word::Yes { by: signs_for(who), form, signed, period, deadline }));
            } else if (asked.is_some() && under) || (first && yes) {
                event.words.push((text, Word::No));
            }
            match who {
                Who::Participant if asked.is_some() => event.own.push((text, agreed.contains(&text))),
                Who::Parents { assent: true, .. } if agreed.contains(&text) => event.own.push((text, true)),
                _ => {}
            }
        }
        event
    }

    pub(super) fn withdraw(
        &self,
        by: &'static str,
        (which, scope): (u8, Option<WithdrawalScope>),
        (signed, late): (u64, bool),
        now: u64,
    ) -> Option<Event> {
        let may = by == PARTICIPANT || by == "ann" || self.speaks(by, now);
        // The participant may refuse with their own key what others took back before.
        let there = |text: &&'static str| match self.last(text) {
            Some(Word::Yes { .. }) => true,
            Some(Word::No) => by == PARTICIPANT && !self.refused(text),
            None => false,
        };
        let within = |text: &&'static str| match scope {
            None => picked(which).contains(text),
            Some(WithdrawalScope::FurtherCollection) => *text != "recontact",
            Some(WithdrawalScope::Optional) => *text != "data_collection",
            Some(_) => true,
        };
        let taken: Vec<&'static str> = PROVISIONS.into_iter().filter(there).filter(within).collect();
        if scope.is_none() && taken.len() < picked(which).len() {
            return None;
        }
        let backwards = |text: &&str| self.signed(text).is_some_and(|given| signed < given);
        if !may || !timely(signed, now, 30 * DAY) || taken.is_empty() || (!late && taken.iter().any(backwards)) {
            return None;
        }
        let rest = |text: &&str| !taken.contains(text) && self.stands(text, now);
        Some(Event {
            emptied: !PROVISIONS.iter().any(rest),
            own: if by == PARTICIPANT { taken.iter().map(|text| (*text, false)).collect() } else { Vec::new() },
            words: taken.iter().map(|text| (*text, Word::No)).collect(),
            ..Event::default()
        })
    }

    /// The places of the grants, in the order they were made.
    pub(super) fn grants(&self) -> Vec<usize> {
        (0..self.events.len()).filter(|place| self.events[*place].granted.is_some()).collect()
    }

    fn revoked(&self, place: usize) -> bool {
        self.events.iter().any(|event| event.revoked == Some(place))
    }

    pub(super) fn revoke(&self, by: &str, place: usize, now: u64) -> Option<Event> {
        let may = by == PARTICIPANT || self.speaks(by, now);
        (may && !self.revoked(place)).then(|| Event { revoked: Some(place), ..Event::default() })
    }

    /// Whether a grant ended for good.
    pub(super) fn ended(&self, place: usize) -> bool {
        self.revoked(place) || self.events[place..].iter().any(|event| event.emptied)
    }

    pub(super) fn readable(&self, place: usize, time: u64) -> bool {
        let Some(Granted { from, until, uses }) = self.events[place].granted else { return false };
        let used = self.reads.iter().filter(|read| **read == place).count();
        !self.ended(place) && from <= time && time < until && uses.is_none_or(|uses| used < uses as usize)
    }

    pub(super) fn read(&mut self, place: usize, signed: u64, now: u64) -> bool {
        let may = signed <= now + MINUTE / 2 && now <= signed + 5 * MINUTE && self.readable(place, now);
        self.reads.extend(may.then_some(place));
        may
    }

    /// Every time at which something could change, from now on.
    pub(super) fn times(&self, now: u64) -> Vec<u64> {
        let ends = PROVISIONS.iter().filter_map(|text| Some(self.end(self.last(text)?)?.0));
        let forms = (0..self.published.len()).filter_map(|form| Some(self.replaced(form)?.0));
        let grants =
            self.events.iter().filter_map(|event| event.granted).flat_map(|granted| [granted.from, granted.until]);
        let known =
            SPEAKERS.iter().map(|(_, until)| *until).chain(self.majority()).chain(ends).chain(forms).chain(grants);
        let around = known.flat_map(|time| [time - 1, time]).chain([now, now + 500 * DAY]);
        around.filter(|time| now <= *time).collect()
    }
}

/// The parents or the guardian, who sign for the participant.
pub(super) fn signs_for(who: Who) -> Vec<&'static str> {
    match who {
        Who::Parents { both: true, .. } => vec![MOTHER, FATHER],
        Who::Parents { father: true, .. } => vec![FATHER],
        Who::Parents { .. } => vec![MOTHER],
        Who::Guardian => vec![LEGAL],
        _ => Vec::new(),
    }
}
