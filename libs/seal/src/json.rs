//! How signed JSON and bundles are read: one way only. An object is written as an object and not as an array of its
//! values, a name out of a list as a string and not as an object, and no field twice; another reader would refuse the
//! rest, and one file must not be good to one and bad to the other.
//!
//! Used where commands are accepted and where bundles are verified. What was stored before is read as it always was.

mod any;
mod strict;

pub(crate) use any::is_well_formed;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};

/// The most arrays and objects inside each other, the outermost counted.
pub(crate) const MAX_DEPTH: usize = 127;

/// Reads a value of a type that is written in one way only.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = T::deserialize(strict::Strict(&mut json))?;
    json.end().map(|()| read)
}

/// Reads a value as it was read before there was a strict reader: what was stored opens for ever.
pub(crate) fn read_stored<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes)
}

/// Reads a string as `T`, without a copy of the string.
pub(crate) fn from_text<'de, D: Deserializer<'de>, T, E: fmt::Display>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    struct Text<F>(F);
    impl<F: FnOnce(&str) -> Result<T, E>, T, E: fmt::Display> Visitor<'_> for Text<F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<O: Error>(self, text: &str) -> Result<T, O> {
            (self.0)(text).map_err(O::custom)
        }
    }
    deserializer.deserialize_str(Text(parse))
}

/// Reads at most `N` items, and refuses a list of more before it reads the rest.
pub(crate) fn at_most<'de, const N: usize, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct AtMost<T, const N: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for AtMost<T, N> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {N} items")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = list.next_element()? {
                if items.len() == N {
                    return Err(A::Error::custom("too many items"));
                }
                items.push(item);
            }
            Ok(items)
        }
    }
    deserializer.deserialize_seq(AtMost::<T, N>(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Withheld;
    use crate::command::{Assent, FormInstance};

    #[test]
    fn an_object_is_an_object_and_a_name_a_string() {
        let instance = r#"{"participant":"P","event":"V1","event_repeat":0,"form":"VS","form_repeat":0}"#;
        assert!(read::<FormInstance>(instance.as_bytes()).is_ok());
        assert!(read::<FormInstance>(br#"["P","V1",0,"VS",0]"#).is_err());
        assert!(serde_json::from_slice::<FormInstance>(br#"["P","V1",0,"VS",0]"#).is_ok(), "as it was read before");
        for (json, good) in [
            (r#""signed""#, true),
            (r#"{"signed":null}"#, false),
            (r#"{"not_able":"an infant"}"#, true),
            (r#"{"not_able":null}"#, false),
            (r#""not_able""#, false),
            (r#"{"not_able":"an infant","signed":null}"#, false),
            (r#"{}"#, false),
            ("null", false),
            ("0", false),
        ] {
            assert_eq!(read::<Assent>(json.as_bytes()).is_ok(), good, "{json}");
        }
        assert!(read::<Withheld>(br#"{"erased":{"entry":3}}"#).is_ok());
        assert!(read::<Withheld>(br#"{"erased":[3]}"#).is_err());
        assert!(read::<Withheld>(br#"{"erased":{"entry":3}} 1"#).is_err(), "something follows");
        assert!(read::<Option<Withheld>>(b" null\n").is_ok());
    }

    #[test]
    fn a_list_ends_where_it_may_not_go_on() {
        let three = |json: &str| at_most::<3, _, u8>(&mut serde_json::Deserializer::from_str(json));
        assert_eq!(three("[1,2,3]").ok(), Some(vec![1, 2, 3]));
        assert!(three("[1,2,3,4]").is_err() && three("[1,2,3,\"of another kind\"").is_err());
    }
}
