//! A witness that may lie.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use clock::now_ms;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    cosignature::cosign,
    key::{Algorithm, SignerKey, VerifierKey},
    note::{Note, NoteSignature, sign},
    witness::{AddCheckpoint, Refusal, SIZE_CONTENT_TYPE, decide},
};

/// In what way it misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// In none.
    None,
    /// Its own signature is wrong.
    WrongSignature,
    /// It signs another checkpoint.
    OtherCheckpoint,
    /// A forged line of another witness, and none of its own.
    Forged,
    /// The same, beside its own.
    ForgedBeside,
    /// Lines that are none, beside its own.
    JunkBeside,
    /// A hundred lines by unknown keys, beside its own.
    StrangersBeside,
    /// No line at all.
    Empty,
    /// Lines that are none.
    Junk,
    /// This status.
    Status(u16),
    /// 409 without the type that says that the body is a size.
    BareConflict,
    /// It says it has cosigned a million blocks, and shows nothing.
    Boasts,
    /// The same, and shows a checkpoint in the chain's name that the chain did not sign.
    BoastsForged,
    /// It says that the chain contradicts what it cosigned, and shows such a checkpoint.
    ContradictsForged,
    /// It names another size each time.
    Wavers,
    /// It takes the request and never answers.
    Hangs,
    /// It answers after this time.
    Slow(Duration),
    /// It answers a megabyte.
    Huge,
    /// Its clock is off by this many seconds.
    Clock(i64),
    /// The time 0.
    NoTime,
}

impl Lie {
    /// All by which its cosignature does not count.
    pub(super) const ALL: [Lie; 24] = [
        Lie::WrongSignature,
        Lie::OtherCheckpoint,
        Lie::Forged,
        Lie::Empty,
        Lie::Junk,
        Lie::Status(400),
        Lie::Status(403),
        Lie::Status(404),
        Lie::Status(409),
        Lie::Status(422),
        Lie::Status(429),
        Lie::Status(500),
        Lie::Status(503),
        Lie::Status(302),
        Lie::BareConflict,
        Lie::Boasts,
        Lie::BoastsForged,
        Lie::ContradictsForged,
        Lie::Wavers,
        Lie::Hangs,
        Lie::Huge,
        Lie::Clock(-3_600),
        Lie::Clock(3_600),
        Lie::NoTime,
    ];
    /// All that are beside a good cosignature.
    pub(super) const BESIDE: [Lie; 3] = [Lie::ForgedBeside, Lie::JunkBeside, Lie::StrangersBeside];
}

/// How many blocks a witness says it has cosigned that boasts.
const BOASTED: u64 = 1_000_000;

struct Inner {
    lie: Lie,
    last: Option<(u64, Hash)>,
    note: Option<String>,
    asked: usize,
    largest: usize,
    others: usize,
}

struct Shared {
    key: SignerKey,
    chain: VerifierKey,
    inner: Mutex<Inner>,
}

/// A witness on a port of its own.
pub(super) struct Liar {
    pub(super) url: String,
    shared: Arc<Shared>,
}

impl Liar {
    pub(super) async fn start(key: SignerKey, chain: &SignerKey) -> Self {
        let inner = Inner { lie: Lie::None, last: None, note: None, asked: 0, largest: 0, others: 0 };
        let shared = Arc::new(Shared { key, chain: chain.verifier(), inner: Mutex::new(inner) });
        let routes = Router::new().route("/add-checkpoint", post(add)).route("/{origin}/checkpoint", get(show));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let parts = server::Parts::of(caller::Member::Witness).http(routes.with_state(shared.clone()));
        tokio::spawn(server::serve(listener, parts, std::future::pending()));
        Self { url, shared }
    }

    pub(super) fn key(&self) -> VerifierKey {
        self.shared.key.verifier()
    }

    pub(super) fn lie(&self, lie: Lie) {
        self.shared.inner.lock().unwrap().lie = lie;
    }

    /// How many requests to cosign it got.
    pub(super) fn asked(&self) -> usize {
        self.shared.inner.lock().unwrap().asked
    }

    pub(super) fn forget_counts(&self) {
        self.shared.inner.lock().unwrap().asked = 0;
    }

    /// The largest request it got, in bytes.
    pub(super) fn largest_body(&self) -> usize {
        self.shared.inner.lock().unwrap().largest
    }

    /// How many signatures it was sent that are not the chain's.
    pub(super) fn others_signatures(&self) -> usize {
        self.shared.inner.lock().unwrap().others
    }
}

async fn show(State(shared): State<Arc<Shared>>) -> Response {
    let inner = shared.inner.lock().unwrap();
    match (&inner.note, inner.lie) {
        (Some(note), Lie::None) => note.clone().into_response(),
        (_, Lie::BoastsForged | Lie::ContradictsForged) => in_the_name_of(&shared.chain).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A checkpoint that a chain did not sign, though it says so.
fn in_the_name_of(chain: &VerifierKey) -> String {
    let key = SignerKey::from_seed(chain.name(), Algorithm::Ed25519, [9; 32]).unwrap();
    let checkpoint =
        Checkpoint { origin: chain.name().to_owned(), size: BOASTED, root: Hash([9; 32]), extensions: Vec::new() };
    let text = checkpoint.to_string();
    Note { signatures: vec![sign(&text, &key).unwrap()], text }.to_string()
}

async fn add(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let lie = {
        let mut inner = shared.inner.lock().unwrap();
        inner.asked += 1;
        inner.largest = inner.largest.max(body.len());
        inner.lie
    };
    match lie {
        Lie::Hangs => std::future::pending().await,
        Lie::Slow(time) => tokio::time::sleep(time).await,
        Lie::Status(status) => return (StatusCode::from_u16(status).unwrap(), "no\n").into_response(),
        Lie::BareConflict => return (StatusCode::CONFLICT, "17\n").into_response(),
        Lie::Boasts | Lie::BoastsForged => return conflict(BOASTED),
        Lie::ContradictsForged => return (StatusCode::UNPROCESSABLE_ENTITY, "no\n").into_response(),
        Lie::Wavers => {
            return conflict(u64::from(u32::from_be_bytes(tlog::sha256(&[&body]).0[..4].try_into().unwrap())));
        }
        Lie::Huge => return vec![b'a'; 1 << 20].into_response(),
        Lie::Empty => return "".into_response(),
        Lie::Junk => return "— not a line\n\n<html>\u{0}\n".into_response(),
        _ => {}
    }
    shared.honest(&body, lie)
}

fn conflict(size: u64) -> Response {
    let content_type = format!("{SIZE_CONTENT_TYPE}; charset=utf-8");
    (StatusCode::CONFLICT, [(header::CONTENT_TYPE, content_type)], format!("{size}\n")).into_response()
}

impl Shared {
    /// As a witness does, and the lie where it signs.
    fn honest(&self, body: &[u8], lie: Lie) -> Response {
        let mut inner = self.inner.lock().unwrap();
        let request = AddCheckpoint::parse(body).unwrap();
        let note = Note::parse(request.checkpoint.as_bytes()).unwrap();
        inner.others += note.signatures.iter().filter(|line| line.name != self.chain.name()).count();
        let checkpoint = match decide(&request, inner.last.as_ref(), std::slice::from_ref(&self.chain)) {
            Ok(checkpoint) => checkpoint,
            Err(Refusal::Conflict { size }) => return conflict(size),
            Err(refusal) => return StatusCode::from_u16(refusal.status()).unwrap().into_response(),
        };
        inner.last = Some((checkpoint.size, checkpoint.root));
        inner.note = Some(request.checkpoint.clone());
        self.answer(&checkpoint, lie).into_response()
    }

    fn answer(&self, checkpoint: &Checkpoint, lie: Lie) -> String {
        let now = now_ms() / 1_000;
        let signed = |of: &Checkpoint, time| cosign(of, &self.key, time).unwrap();
        let mut own = signed(checkpoint, now);
        let forged = || {
            let other = super::key("witness.example/0", Algorithm::CosignatureMlDsa44);
            let mut line = cosign(checkpoint, &other, now).unwrap();
            *line.signature.last_mut().unwrap() ^= 1;
            line.to_string()
        };
        let stranger = |number: u32| {
            let name = format!("stranger.example/{number}");
            NoteSignature { name, key_id: [7; 4], signature: vec![7; 72] }.to_string()
        };
        match lie {
            Lie::WrongSignature => *own.signature.last_mut().unwrap() ^= 1,
            Lie::OtherCheckpoint => own = signed(&Checkpoint { size: checkpoint.size + 1, ..checkpoint.clone() }, now),
            Lie::Clock(by) => own = signed(checkpoint, now.saturating_add_signed(by)),
            Lie::NoTime => own.signature[..8].fill(0),
            Lie::Forged => return forged(),
            Lie::ForgedBeside => return forged() + &own.to_string(),
            Lie::JunkBeside => return format!("junk\n\n— a b\n{own}\u{1}\n— w {{}}\n"),
            Lie::StrangersBeside => return own.to_string() + &(0..100).map(stranger).collect::<String>(),
            _ => {}
        }
        own.to_string()
    }
}
