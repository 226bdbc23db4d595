//! Whether a document's terms admit the consent that was given under it: what two signed commands say, whatever a state
//! root says.

use crate::{
    MAX_CLOCK_AHEAD_MS,
    command::{Capacity, GiveConsent, Manner, Offer, Provision, Terms},
};
use std::collections::HashSet;

const DAY_MS: u64 = 86_400_000;

/// If `given`, recorded at `recorded` (Unix milliseconds), under rules 3 or not, is a consent to `provision` that the document with `terms`
/// admits: when it ends by itself, if it does. A document without terms admits the participant's own signature only.
pub(super) fn admitted(
    terms: Option<&Terms>,
    given: &GiveConsent,
    provision: &Provision,
    (recorded, third): (u64, bool),
) -> Option<Option<u64>> {
    let (terms, manner) = match (terms, &given.manner) {
        (None, None) => return Some(None),
        (Some(terms), Some(manner)) => (terms, manner),
        _ => return None,
    };
    let offer = terms.provisions.iter().find(|offer| offer.provision == *provision)?;
    let here = terms.sites.is_empty() || terms.sites.contains(&given.site);
    let from = if third { given.time } else { recorded };
    let good = here && terms.effective <= recorded && capacity(terms, offer, &manner.capacity, (from, third));
    let in_use = !third || terms.effective <= given.time.saturating_add(MAX_CLOCK_AHEAD_MS);
    (good && in_use).then(|| end(offer, manner, from))
}

fn capacity(terms: &Terms, offer: &Offer, capacity: &Capacity, (from, third): (u64, bool)) -> bool {
    match capacity {
        Capacity::Participant => true,
        Capacity::SiteDevice { .. } => terms.site_device || !third,
        Capacity::Representative { .. } => terms.representative,
        Capacity::Minor { parents, .. } => {
            let different = parents.iter().collect::<HashSet<_>>();
            let all = different.len() == parents.len();
            terms.parents > 0 && all && parents.len() >= usize::from(terms.parents)
        }
        Capacity::Deferred { deadline, .. } => {
            let longest = terms.deferral_ms.map(|longest| from.saturating_add(longest));
            offer.mandatory && longest.is_some_and(|longest| *deadline <= longest)
        }
    }
}

fn end(offer: &Offer, manner: &Manner, from: u64) -> Option<u64> {
    let period = offer.days.map(|days| from.saturating_add(u64::from(days).saturating_mul(DAY_MS)));
    let capacity = match manner.capacity {
        Capacity::Minor { majority, .. } => Some(majority),
        Capacity::Deferred { deadline, .. } => Some(deadline),
        _ => None,
    };
    period.into_iter().chain(capacity).min()
}
