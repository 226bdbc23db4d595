//! A disclosure proves its own slot and nothing else.

use crate::schemes::{name, scheme, secret, with_list};
use allocation::List;
use proptest::prelude::*;
use seal::{
    Hash,
    text::{Base64, Hex},
};
use tlog::merkle::{Tree, leaf_hash, root};
use vocabulary::allocation::{Disclosure, DisclosureError, Method, Scheme, Slot};

fn all(scheme: &Scheme, list: &List) -> Vec<Disclosure> {
    let strata = (0..u32::try_from(scheme.strata()).unwrap()).map(|index| scheme.stratum_at(index).unwrap().name);
    let slots = strata.flat_map(|stratum| (0..scheme.slots_per_stratum()).map(move |slot| (stratum.clone(), slot)));
    slots.map(|(stratum, slot)| list.disclose(&stratum, slot).unwrap()).collect()
}

fn sample() -> (Scheme, Vec<Disclosure>, Hash) {
    let scheme = scheme(&[1, 1], &[2, 2], Method::PermutedBlocks { slots: 5 });
    let list = List::generate(&scheme, &secret(1, &[4])).unwrap();
    (scheme.clone(), all(&scheme, &list), list.root())
}

#[test]
fn every_byte_and_every_hash_counts() {
    let (scheme, disclosures, root) = sample();
    let refused = |changed: &Disclosure| changed.verify(&root, scheme.slots()).is_err();
    for disclosure in &disclosures {
        assert!(!refused(disclosure) && disclosure.verify_for(&scheme, &root).is_ok());
        for byte in 0..disclosure.slot.0.len() {
            for bit in 0..8 {
                let mut changed = disclosure.clone();
                changed.slot.0[byte] ^= 1 << bit;
                assert!(refused(&changed), "bit {bit} of byte {byte}");
            }
        }
        for step in 0..disclosure.path.len() {
            let (mut changed, mut shorter) = (disclosure.clone(), disclosure.clone());
            changed.path[step].0.0[31] ^= 1;
            shorter.path.remove(step);
            assert!(refused(&changed) && refused(&shorter), "hash {step}");
        }
        let mut longer = disclosure.clone();
        longer.path.push(Hex(Hash::ZERO));
        assert!(refused(&longer));
    }
}

#[test]
fn no_slot_stands_for_another_and_none_moves() {
    let (scheme, disclosures, root) = sample();
    for (place, disclosure) in (0_u64..).zip(&disclosures) {
        for other in (0..scheme.slots() + 2).filter(|other| *other != place) {
            let moved = Disclosure { place: other, ..disclosure.clone() };
            assert!(moved.verify(&root, scheme.slots()).is_err(), "{place} as {other}");
        }
        for other in disclosures.iter().filter(|other| other.place != place) {
            let swapped = Disclosure { slot: other.slot.clone(), ..disclosure.clone() };
            let led_astray = Disclosure { path: other.path.clone(), ..disclosure.clone() };
            assert!(swapped.verify(&root, scheme.slots()).is_err(), "{} in place of {place}", other.place);
            assert!(led_astray.verify(&root, scheme.slots()).is_err(), "{place} by the path of {}", other.place);
        }
    }
}

#[test]
fn altering_or_swapping_slots_in_the_list_changes_its_root() {
    let (_, disclosures, expected) = sample();
    let leaves: Vec<Hash> = disclosures.iter().map(|each| leaf_hash(&each.slot.0)).collect();
    assert_eq!(root(&leaves), expected);
    for first in 0..leaves.len() {
        for second in first + 1..leaves.len() {
            let mut swapped = leaves.clone();
            swapped.swap(first, second);
            assert_ne!(root(&swapped), expected, "{first} and {second}");
        }
        let mut slot = Slot::parse(&disclosures[first].slot.0).unwrap();
        slot.arm = name(if slot.arm.as_str() == "A" { "B" } else { "A" });
        let mut altered = leaves.clone();
        altered[first] = leaf_hash(&slot.to_bytes());
        assert_ne!(root(&altered), expected, "{first}");
    }
}

#[test]
fn a_list_that_holds_a_slot_twice_cannot_show_the_second() {
    let scheme = scheme(&[1, 1], &[2], Method::PermutedBlocks { slots: 2 });
    let slot = |stratum: &str, index, arm| {
        Slot { stratum: stratum.to_owned(), index, arm: name(arm), salt: [9; 16] }.to_bytes()
    };
    let slots = [slot("0.0", 0, "A"), slot("0.0", 0, "B"), slot("0.1", 7, "A"), slot("elsewhere", 1, "A")];
    let tree = Tree::new(&slots.each_ref().map(|slot| leaf_hash(slot)));
    let verified = (0..4).map(|place| {
        let path = tree.path(place).into_iter().map(Hex).collect();
        let shown = Disclosure { slot: Base64(slots[place].clone()), place: u64::try_from(place).unwrap(), path };
        assert!(shown.verify(&tree.root(), scheme.slots()).is_ok(), "it is in the tree");
        shown.verify_for(&scheme, &tree.root()).map(|slot| slot.arm)
    });
    let refused =
        [Ok(name("A")), Err(DisclosureError::Place), Err(DisclosureError::Place), Err(DisclosureError::Unknown)];
    assert_eq!(verified.collect::<Vec<_>>(), refused);
}

#[test]
fn an_arm_the_scheme_does_not_have_is_refused() {
    let scheme = scheme(&[1, 1], &[], Method::Simple { slots: 1 });
    let slot = Slot { stratum: String::new(), index: 0, arm: name("Z"), salt: [0; 16] }.to_bytes();
    let root = leaf_hash(&slot);
    let shown = Disclosure { slot: Base64(slot), place: 0, path: Vec::new() };
    assert!(shown.verify(&root, 1).is_ok());
    assert_eq!(shown.verify_for(&scheme, &root), Err(DisclosureError::Unknown));
}

#[test]
fn there_is_no_slot_past_the_end_or_in_another_stratum() {
    let scheme = scheme(&[1, 1], &[2], Method::PermutedBlocks { slots: 3 });
    let list = List::generate(&scheme, &secret(1, &[2])).unwrap();
    assert!(list.disclose("0.1", 2).is_some());
    for (stratum, index) in [("0.1", 3), ("0.0", 3), ("0.1", u32::MAX), ("0.2", 0), ("", 0), ("0.0|0.1", 0)] {
        assert!(list.disclose(stratum, index).is_none() && list.slot(stratum, index).is_none(), "{stratum} {index}");
    }
}

#[test]
fn what_is_printed_tells_no_arm() {
    let scheme = scheme(&[1, 1], &[], Method::Simple { slots: 1 });
    let list = List::generate(&scheme, &secret(1, &[])).unwrap();
    assert_eq!(format!("{list:?}"), format!("List {{ root: {}, len: 1, .. }}", list.root()));
}

proptest! {
    #[test]
    fn every_slot_of_every_list_is_proven_and_read_back((scheme, secret) in with_list()) {
        let list = List::generate(&scheme, &secret).unwrap();
        let disclosures = all(&scheme, &list);
        prop_assert_eq!(u64::try_from(disclosures.len()).unwrap(), list.len());
        for (place, disclosure) in (0_u64..).zip(&disclosures) {
            let json = serde_json::to_string(disclosure).unwrap();
            let read: Disclosure = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&read, disclosure);
            let slot = read.verify_for(&scheme, &list.root()).unwrap();
            prop_assert_eq!(read.place, place);
            prop_assert_eq!(list.slot(&slot.stratum, slot.index), Some(slot));
        }
    }
}
