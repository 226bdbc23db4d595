//! An audit over a source of somebody else's, without a runtime and with a clock that is told.

#![allow(clippy::unwrap_used)]

use audit::{Audit, Report, Source, StoredEntry, Wanted};
use seal::{
    Hash,
    entry::Entry,
    id::{Service, Uuid},
    policy::Policy,
    receipt::{Receipt, sign_group},
};
use std::{
    io,
    pin::pin,
    task::{Context, Poll, Waker},
};
use tlog::{
    key::{Algorithm, SignerKey},
    merkle::{self, Tree},
};

const STUDY: Uuid = Uuid([9; 16]);
const PROMISED_MS: u64 = 1_795_219_200_000;

/// A deployment without a checkpoint whose capture journal has these entries.
struct Kept(Vec<Vec<u8>>);

impl Source for Kept {
    type Error = io::Error;

    async fn checkpoints(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn file(&self, _: &str, _: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    async fn entries(&self, wanted: Wanted, mut each: impl FnMut(StoredEntry)) -> io::Result<()> {
        if wanted.service == Service::Capture {
            for entry in self.0.iter().skip(usize::try_from(wanted.from).unwrap()) {
                each(StoredEntry { entry: entry.clone(), ..StoredEntry::default() });
            }
        }
        Ok(())
    }
}

fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// An entry, and a receipt for it that promises the chain by [`PROMISED_MS`].
fn receipted(key: &SignerKey) -> Receipt {
    let entry = Entry {
        stream: Service::Capture.stream(STUDY),
        number: 0,
        previous: Hash::ZERO,
        time: PROMISED_MS - 1_000,
        nonce: [0; 16],
        kind: "submission".to_owned(),
        envelope: Hash::ZERO,
        state_root: None,
        basis: Vec::new(),
    };
    let tree = Tree::new(&[merkle::leaf_hash(&entry.to_bytes())]);
    let note = sign_group(&tree, PROMISED_MS, key).unwrap();
    Receipt { entry: entry.to_bytes(), index: 0, path: Vec::new(), note }
}

#[test]
fn a_promise_is_overdue_by_the_clock_that_the_caller_gives() {
    let key = SignerKey::from_seed("capture.example/receipts", Algorithm::Ed25519, [7; 32]).unwrap();
    let chain = SignerKey::from_seed("chain.example/chain", Algorithm::Ed25519, [8; 32]).unwrap();
    let policy = format!("log {}\nquorum none\nreceipt {}\n", chain.verifier(), key.verifier());
    let policy = Policy::parse(&policy).unwrap();
    let receipt = receipted(&key);
    let audited = |kept: &Kept, now_ms| -> Report {
        let audit = Audit { policy: &policy, studies: &[STUDY], receipts: std::slice::from_ref(&receipt), now_ms };
        at_once(audit.run(kept, &())).unwrap()
    };
    let found = |report: Report| report.findings.into_iter().map(|finding| finding.what).collect::<Vec<_>>();

    let kept = Kept(vec![receipt.entry.clone()]);
    let in_time = found(audited(&kept, PROMISED_MS));
    assert_eq!(in_time, ["the policy does not name the study's root key"]);
    let late = found(audited(&kept, PROMISED_MS + 1));
    assert!(late.iter().any(|what| what.contains("promised to be on the chain by now")), "{late:?}");
    let gone = found(audited(&Kept(Vec::new()), PROMISED_MS));
    assert!(gone.iter().any(|what| what.contains("was rolled back")), "{gone:?}");
}
