//! Keys that replace others.

use super::{World, key, public, study::name};
use seal::{
    command::{ActorKind, Confirmation, RotateKey},
    fact::{self, Fact},
    id::{Service, Uuid},
    key::SecretKey,
    subject,
};

/// A rotation: what it says, who signs it, and what the state is said to hold.
#[derive(Clone)]
pub struct Rotation {
    pub actor: &'static str,
    pub new: &'static str,
    pub signers: Vec<&'static str>,
    pub confirmed: Option<(&'static str, ActorKind)>,
    /// Whose key the state says it is.
    pub stated: &'static str,
    /// Which key the state says it is.
    pub stated_key: &'static str,
    pub ended: Option<u64>,
    /// When it was signed, in milliseconds after it is recorded.
    pub signed_ms: i64,
}

impl Rotation {
    pub fn of(actor: &'static str, old: &'static str, new: &'static str) -> Self {
        Self {
            actor,
            new,
            signers: vec![old, new],
            confirmed: None,
            stated: actor,
            stated_key: new,
            ended: None,
            signed_ms: -1_000,
        }
    }
}

impl World {
    /// Records a rotation. Gives its number.
    pub fn replace_key(&mut self, rotation: &Rotation) -> u64 {
        let registered = self.next(Service::Enrollment);
        let command = RotateKey {
            study: self.study,
            request: Uuid([1; 16]),
            by: name(rotation.actor),
            time: (self.time + 1_000).checked_add_signed(rotation.signed_ms).unwrap(),
            key: public(rotation.new),
            confirmed: rotation.confirmed.map(|(by, kind)| Confirmation { by: name(by), kind }),
        };
        let steps = self.third.then_some(2);
        let (stated, ended) = (public(rotation.stated_key), rotation.ended);
        let fact = Fact::Key(fact::Key { actor: name(rotation.stated), key: stated, registered, ended, steps });
        let keys: Vec<SecretKey> = rotation.signers.iter().map(|of| key(of)).collect();
        self.record(&command, &keys.iter().collect::<Vec<_>>(), vec![(subject::key(stated.id()), fact)])
    }
}
