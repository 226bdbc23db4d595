//! Content is read back as it was written, and nothing else is read.

use content::{Content, Kept};
use proptest::prelude::*;

fn kept() -> impl Strategy<Value = Kept> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..40).prop_map(Kept::Whole), any::<[u8; 32]>().prop_map(Kept::Leaf),]
}

proptest! {
    #[test]
    fn content_is_decoded_as_encoded(
        envelope in prop::collection::vec(any::<u8>(), 0..60), datapoints in prop::collection::vec(kept(), 0..5),
    ) {
        let content = Content { envelope, datapoints };
        let bytes = content.encode();
        let redacted = content.datapoints.iter().any(|kept| matches!(kept, Kept::Leaf(_)));
        let first_line: &[u8] = if redacted { b"trialseal/form-content@v2\n" } else { b"trialseal/form-content@v1\n" };
        prop_assert!(bytes.starts_with(first_line));
        prop_assert_eq!(Content::decode(&bytes), Some(content));
    }

    #[test]
    fn any_bytes_are_content_or_not(
        bytes in prop::collection::vec(any::<u8>(), 0..80), second in any::<bool>(), short in any::<bool>(),
    ) {
        let magic: &[u8] = if second { b"trialseal/form-content@v2\n" } else { b"trialseal/form-content@v1\n" };
        // Mostly small lengths, so that some get through.
        let body: Vec<u8> = bytes.iter().map(|byte| if short { byte % 2 } else { *byte }).collect();
        let bytes = [magic, &body].concat();
        if let Some(content) = Content::decode(&bytes) {
            prop_assert_eq!(Content::decode(&content.encode()), Some(content));
        }
        prop_assert_eq!(Content::decode(&body), None);
    }
}
