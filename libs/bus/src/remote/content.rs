//! What an entry of a Redis stream says, and how it is written: its fields.

use crate::Moved;
use seal::{
    Hash,
    entry::Head,
    id::{Service, StreamId},
};
use std::str;

/// What an entry of a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Moved(Moved),
    /// Some heads were not told: the journals are to be read.
    Sweep,
}

/// The fields of an entry that asks for a sweep.
pub(crate) const SWEEP: [(&str, &str); 1] = [("sweep", "1")];

impl Moved {
    /// The fields of its entry.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut fields = vec![
            ("stream", self.head.stream.0.0.to_vec()),
            ("number", self.head.number.to_string().into_bytes()),
            ("hash", self.head.hash.0.to_vec()),
        ];
        fields.extend(self.trace.iter().map(|trace| ("trace", trace.as_str().as_bytes().to_vec())));
        fields
    }
}

/// Reads the fields of an entry, names and values in turn. Fields that a newer version added are passed over.
pub(crate) fn read(service: Service, fields: &[Vec<u8>]) -> Option<Content> {
    let (pairs, []) = fields.as_chunks::<2>() else { return None };
    let field = |name: &str| pairs.iter().find(|[key, _]| key == name.as_bytes()).map(|[_, value]| value.as_slice());
    if field("sweep").is_some() {
        return Some(Content::Sweep);
    }
    let text = |name| field(name).map(str::from_utf8);
    let stream = StreamId(Hash::from_slice(field("stream")?)?);
    let (number, hash) = (text("number")?.ok()?.parse().ok()?, Hash::from_slice(field("hash")?)?);
    let trace = text("trace").map(|trace| trace.ok()?.parse().ok());
    let head = Head { stream, number, hash };
    // A trace nobody can read is no reason to lose the head.
    Some(Content::Moved(Moved { service, head, trace: trace.flatten() }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn flat(moved: &Moved) -> Vec<Vec<u8>> {
        moved.fields().into_iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value]).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(stream: [u8; 32], number: u64, hash: [u8; 32], traced: bool) {
            let head = Head { stream: StreamId(Hash(stream)), number, hash: Hash(hash) };
            let trace = traced.then(|| TRACE.parse().unwrap());
            let moved = Moved { service: Service::Consent, head, trace };
            prop_assert_eq!(read(Service::Consent, &flat(&moved)), Some(Content::Moved(moved)));
        }

        #[test]
        fn whatever_stands_there_is_read_or_refused(fields: Vec<Vec<u8>>) {
            let _any = read(Service::Consent, &fields);
        }

        #[test]
        fn a_field_that_is_missing_or_cut_is_refused(which in 0_usize..3, cut: bool) {
            let head = Head { stream: StreamId(Hash::ZERO), number: 7, hash: Hash::ZERO };
            let mut fields = flat(&Moved { service: Service::Consent, head, trace: None });
            if cut { fields[which * 2 + 1].pop(); } else { fields.drain(which * 2..which * 2 + 2); }
            prop_assert_eq!(read(Service::Consent, &fields), None);
        }
    }
}
