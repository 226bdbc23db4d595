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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const STUDY: Uuid = Uuid([7; 16]);
    const NEXT: Next = Next { number: 3, time: 1_000 };

    fn site() -> Subject {
        vocabulary::subject::site(&"701".parse().unwrap())
    }

    fn counted(count: u64) -> Fact {
        Fact::Count { count, newest: None }
    }

    /// Adds the number of the entry to what it finds in place of a site; refuses if it finds nothing.
    struct Adding;

    impl Rule for Adding {
        type Refusal = &'static str;

        fn needs(&self) -> Vec<Subject> {
            vec![site()]
        }

        fn decide(self, found: Facts, next: Next) -> Result<Vec<(Subject, Fact)>, &'static str> {
            match found.find(&site()) {
                Some(Fact::Count { count, .. }) => Ok(vec![(site(), counted(count + next.number))]),
                _ => Err("nothing there"),
            }
        }
    }

    fn proposal() -> Proposal<&'static str> {
        let stream = Service::Enrollment.stream(STUDY);
        let signed = Signed { study: STUDY, stream, request: Uuid([1; 16]), kind: "count", envelope: Hash([2; 32]) };
        signed.propose(b"stored".to_vec(), Vec::new(), Adding)
    }

    #[test]
    fn a_rule_is_given_what_it_needs_and_its_changes_are_those_of_the_proposal() {
        let proposal = proposal();
        let key = site().map_key(STUDY);
        assert_eq!((proposal.reads.as_slice(), proposal.kind), ([key].as_slice(), "count"));
        let found = Found([(key, counted(4).to_bytes()), (Hash([9; 32]), b"not asked for".to_vec())].into());
        assert_eq!((proposal.rule)(&found, NEXT).unwrap().facts, [(key, counted(7).to_bytes())]);
    }

    #[test]
    fn what_the_rule_refuses_is_refused() {
        assert_eq!((proposal().rule)(&Found::default(), NEXT).unwrap_err(), "nothing there");
    }

    #[test]
    fn facts_of_another_journal_serve_for_a_stated_time() {
        let next = Next { number: 0, time: 10_000 + MAX_DECISION_USE_MS };
        assert!(!is_too_old(10_000, next));
        assert!(is_too_old(9_999, next));
    }
}
