//! Heads and receipts as messages, and back.

use proto::types;
use seal::{Hash, entry::Head, id::StreamId, receipt::Receipt};

/// A head as a message.
pub fn head_message(head: Head) -> types::Head {
    types::Head { stream: head.stream.0.0.to_vec(), number: head.number, hash: head.hash.0.to_vec() }
}

/// A head from a message.
pub fn parse_head(head: &types::Head) -> Option<Head> {
    let (stream, hash) = (Hash::from_slice(&head.stream)?, Hash::from_slice(&head.hash)?);
    Some(Head { stream: StreamId(stream), number: head.number, hash })
}

/// A receipt as a message.
pub fn receipt_message(receipt: Receipt) -> types::Receipt {
    types::Receipt {
        entry: receipt.entry,
        index: receipt.index,
        path: receipt.path.iter().map(|hash| hash.0.to_vec()).collect(),
        note: receipt.note,
    }
}
