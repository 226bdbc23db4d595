//! From a signed command to what the journal is asked to record.

use admission::Received;
use journal::{Decision, Found, Next, Proposal};
use seal::{
    Hash, MAX_DECISION_USE_MS,
    entry::Head,
    id::{Service, StreamId, Uuid},
};
use vocabulary::{
    command::Payload,
    fact::{Fact, Facts},
    subject::Subject,
};

/// The rule of a command: what it must know of its own journal, and what it decides. Pure.
pub trait Rule: Sized + Send + 'static {
    /// Why it refuses.
    type Refusal;

    /// The facts of its own journal that it needs.
    fn needs(&self) -> Vec<Subject>;

    /// Decides, on the facts found of those it needs, which facts the entry `next` changes.
    fn decide(self, found: Facts, next: Next) -> Result<Vec<(Subject, Fact)>, Self::Refusal>;
}

/// A signed command, as the journal names it.
#[derive(Debug, Clone, Copy)]
pub struct Signed {
    /// Its study.
    pub study: Uuid,
    /// The journal it belongs to.
    pub stream: StreamId,
    /// The client's request.
    pub request: Uuid,
    /// The command's kind.
    pub kind: &'static str,
    /// SHA-256 of its envelope.
    pub envelope: Hash,
}

impl Signed {
    /// A command for the journals of `service`.
    pub fn of<P: Payload>(received: &Received<P>, service: Service) -> Self {
        let command = &received.command;
        let (study, stream) = (command.study(), received.stream(service));
        Self { study, stream, request: command.request(), kind: P::KIND, envelope: received.hash }
    }

    /// Proposes the command. `stored` is what is stored of it; `basis` the heads of other journals that the decision rests
    /// on.
    pub fn propose<R: Rule>(self, stored: Vec<u8>, basis: Vec<Head>, rule: R) -> Proposal<R::Refusal> {
        let (study, needs) = (self.study, rule.needs());
        let reads: Vec<Hash> = needs.iter().map(|subject| subject.map_key(study)).collect();
        let keys = reads.clone();
        let decide = move |found: &Found, next: Next| {
            let found = needs.iter().zip(&keys).filter_map(|(subject, key)| {
                let bytes = found.0.get(key)?;
                Some((subject.clone(), Fact::parse(bytes)?))
            });
            let changes = rule.decide(found.collect(), next)?;
            let facts = changes.iter().map(|(subject, fact)| (subject.map_key(study), fact.to_bytes())).collect();
            Ok(Decision { facts, ..Decision::default() })
        };
        self.propose_opaque(stored, basis, reads, decide)
    }

    /// The same for journals whose facts have opaque keys: `reads` are those that the rule `decide` needs.
    pub fn propose_opaque<E>(
        self,
        stored: Vec<u8>,
        basis: Vec<Head>,
        reads: Vec<Hash>,
        decide: impl FnOnce(&Found, Next) -> Result<Decision, E> + Send + 'static,
    ) -> Proposal<E> {
        let Self { stream, request, kind, envelope, .. } = self;
        Proposal { stream, request, kind, envelope, stored, basis, reads, rule: Box::new(decide) }
    }
}

/// Whether facts of another journal, asked for at `asked_ms`, are too old to decide the entry `next` on.
pub fn is_too_old(asked_ms: u64, next: Next) -> bool {
    next.time > asked_ms.saturating_add(MAX_DECISION_USE_MS)
}
