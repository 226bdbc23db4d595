//! Whose key is which: from an actor's registration through every rotation to the key of today.

use journal::{ReadError, Reader};
use seal::{
    id::{Name, Service, Uuid},
    key::KeyId,
};
use vocabulary::{
    fact::{self, Fact},
    subject,
};

/// The most rotations followed; who has had more keys uses the key itself.
const MAX_ROTATIONS: usize = 1_000;

/// The key by which `actor`, an actor or a participant, signs in `study` now; nothing if they have no valid one.
pub(super) async fn of(reader: &Reader, study: Uuid, actor: &Name) -> Result<Option<KeyId>, ReadError> {
    let Some(mut entry) = registered(reader, study, actor).await? else { return Ok(None) };
    for _ in 0..=MAX_ROTATIONS {
        let Some(key) = set_by(reader, study, actor, entry).await? else { return Ok(None) };
        match ended(reader, study, key).await? {
            Some(rotation) => entry = rotation, // or revocation, which sets no other key
            None => return Ok(Some(key)),
        }
    }
    Ok(None)
}

/// The entry that registered an actor with their first key.
async fn registered(reader: &Reader, study: Uuid, actor: &Name) -> Result<Option<u64>, ReadError> {
    let stream = Service::Enrollment.stream(study);
    for subject in [subject::actor(actor), subject::participant(actor)] {
        match reader.history(stream, &subject.map_key(study), None, 1).await {
            Ok(found) if found.is_empty() => {}
            Ok(found) => return Ok(found.first().map(|(number, _)| *number)),
            Err(ReadError::NotFound) => return Ok(None), // no such study
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The key of an actor that was new in an entry.
async fn set_by(reader: &Reader, study: Uuid, of: &Name, entry: u64) -> Result<Option<KeyId>, ReadError> {
    let facts = reader.set_by(Service::Enrollment.stream(study), entry).await?;
    Ok(facts.iter().find_map(|(_, bytes)| match Fact::parse(bytes) {
        Some(Fact::Key(fact::Key { actor, key, registered, .. })) if actor == *of && registered == entry => {
            Some(key.id())
        }
        _ => None,
    }))
}

/// The entry that ended a key, if one did.
async fn ended(reader: &Reader, study: Uuid, key: KeyId) -> Result<Option<u64>, ReadError> {
    let (_, found) = reader.facts(Service::Enrollment.stream(study), &[subject::key(key).map_key(study)]).await?;
    match found.first().and_then(|(_, bytes)| Fact::parse(bytes)) {
        Some(Fact::Key(fact::Key { ended, .. })) => Ok(ended),
        _ => Err(ReadError::Broken),
    }
}
