//! What is known of one consent, in no particular format: the input of every export.

use tlog::Hash;

/// One consent of one participant, as recorded. Text that people wrote is carried as it is; the exports make it safe to
/// print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The study: a UUID in lower case (RFC 9562). It is also the name space of pseudonyms, sites and documents.
    pub study: String,
    /// What people call the study: the name of its protocol.
    pub protocol: String,
    /// The participant's pseudonym. Never a name.
    pub participant: String,
    /// The site's identifier in the study.
    pub site: String,
    /// When it was signed, by the signer's clock. Unix milliseconds.
    pub signed_ms: u64,
    /// When the journal recorded it. Unix milliseconds.
    pub recorded_ms: u64,
    /// What has become of it.
    pub status: Status,
    /// The informed consent form (ICF) that was agreed to.
    pub document: Document,
    /// Who consented.
    pub capacity: Capacity,
    /// The impartial witness (ICH E6(R3) section 2.8.6), an actor's identifier.
    pub witness: Option<String>,
    /// Whether participant and site were in different places.
    pub remote: bool,
    /// Who conducted the consent discussion: an actor's identifier.
    pub obtained_by: String,
    /// What was asked, and what was answered.
    pub provisions: Vec<Provision>,
    /// How the questions about the ICF were answered, if there were any.
    pub quiz: Option<Quiz>,
    /// The number of its entry in the consent journal.
    pub entry: u64,
    /// The hash of that entry.
    pub entry_hash: Hash,
    /// Who decides why and how the data are used: the sponsor first.
    pub controllers: Vec<Party>,
    /// What the study says about its handling of data.
    pub handling: Handling,
    /// Whether the participant is invented, for a demonstration or a test.
    pub synthetic: bool,
}

/// What has become of a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// In force.
    Active,
    /// Withdrawn.
    Withdrawn,
    /// Its time is over.
    Expired,
    /// Not given yet: the participant was included provisionally, see [`Capacity::Deferred`].
    Deferred,
    /// Replaced by a later consent of the same participant.
    Superseded,
}

/// A version of the informed consent form in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its identifier in the study.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its language (BCP 47).
    pub language: String,
    /// Its title.
    pub title: Option<String>,
    /// SHA-256 of its bytes.
    pub content: Hash,
    /// The approval it was published with.
    pub approval: Approval,
}

/// The approval of a document by an ethics board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The board.
    pub body: String,
    /// The board's reference of its decision.
    pub reference: String,
    /// The day of the decision, `YYYY-MM-DD`.
    pub date: String,
}

/// Who consented, and by which right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capacity {
    /// The participant, with a key of their own.
    Participant,
    /// The participant, on a device of the site.
    SiteDevice {
        /// SHA-256 of the evidence, such as the scanned signature.
        evidence: Hash,
    },
    /// A legally acceptable representative.
    Representative {
        /// The representative's identifier as an actor.
        actor: String,
        /// Their relation to the participant, in words.
        relation: String,
    },
    /// The parents of a minor.
    Minor {
        /// The parents' identifiers as actors.
        parents: Vec<String>,
        /// Whether the minor agreed too.
        assented: bool,
    },
    /// Nobody yet: an emergency, where consent is asked for afterwards.
    Deferred {
        /// Until when consent has to be given. Unix milliseconds, exclusive.
        deadline_ms: u64,
    },
}

/// One thing a participant is asked to agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provision {
    /// Its name, parts separated by `:`, such as `data_collection`, `data_collection:imaging`, `biosamples`, `genetics`,
    /// `data_sharing:<purpose>:<recipient>`, `future_research`, `recontact`, `remote_monitoring`. `a:b` refines `a`.
    pub name: String,
    /// Whether taking part is impossible without it.
    pub mandatory: bool,
    /// The answer today.
    pub state: ProvisionState,
    /// From when: of the agreement, or of the refusal if there never was one. Unix milliseconds, inclusive.
    pub from_ms: u64,
    /// Until when: its end as agreed, or the withdrawal. Unix milliseconds, exclusive.
    pub until_ms: Option<u64>,
    /// The entry that gave it.
    pub given_entry: Option<u64>,
    /// The entry that withdrew it.
    pub withdrawn_entry: Option<u64>,
}

/// The answer to one provision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvisionState {
    /// Agreed to.
    Given,
    /// Never agreed to.
    Declined,
    /// Agreed to, then withdrawn.
    Withdrawn,
    /// Agreed to for a time that is over.
    Expired,
}

/// How the questions about the ICF were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiz {
    /// Right answers.
    pub right: u32,
    /// Questions.
    pub questions: u32,
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// What it is called.
    pub name: String,
    /// Its postal address.
    pub address: Option<String>,
    /// How to reach it about data protection.
    pub contact: Option<String>,
}

/// What a study says about its handling of data. The ICF says it at length; this is what the forms have fields for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handling {
    /// What happens to data already collected when consent is withdrawn.
    pub after_withdrawal: String,
    /// How to withdraw.
    pub withdrawal: Option<String>,
    /// Whom a participant asks: the site's contact for this study.
    pub contact: Option<String>,
    /// Where data are stored: countries or places.
    pub storage_locations: Vec<String>,
    /// How long data are kept.
    pub retention: Option<String>,
    /// Under whose law: a country (ISO 3166-1) or a union of them.
    pub jurisdiction: Option<String>,
    /// The legal ground of the processing, as the study states it. Consent to take part in a trial is not always the
    /// ground on which its data are processed (EDPB Opinion 3/2019), so it is never guessed.
    pub lawful_basis: Option<String>,
}

impl Consent {
    /// Whether the provision is to be reported as agreed to. A consent that was withdrawn or has expired permits
    /// nothing, whatever its provisions say; a superseded one is reported as it was.
    pub fn permits(&self, provision: &Provision) -> bool {
        let ended = matches!(self.status, Status::Withdrawn | Status::Expired);
        provision.state == ProvisionState::Given && !ended
    }

    /// Until when the provision holds or held: its own end, or the deadline of a deferred consent if that is earlier.
    /// Unix milliseconds, exclusive.
    pub fn until(&self, provision: &Provision) -> Option<u64> {
        let deadline = match self.capacity {
            Capacity::Deferred { deadline_ms } => Some(deadline_ms),
            _ => None,
        };
        provision.until_ms.into_iter().chain(deadline).min()
    }

    /// The actors who consented: the participant, or who did it for them. Nobody, while consent is deferred.
    pub fn consenters(&self) -> Vec<&str> {
        match &self.capacity {
            Capacity::Participant | Capacity::SiteDevice { .. } => vec![&self.participant],
            Capacity::Representative { actor, .. } => vec![actor],
            Capacity::Minor { parents, assented } => {
                let minor = assented.then_some(self.participant.as_str());
                parents.iter().map(String::as_str).chain(minor).collect()
            }
            Capacity::Deferred { .. } => Vec::new(),
        }
    }
}

impl Provision {
    /// The parts of the name: `data_sharing`, `<purpose>`, `<recipient>`.
    pub fn parts(&self) -> Vec<&str> {
        self.name.split(':').collect()
    }

    /// To whom data go: of `data_sharing:<purpose>:<recipient>`, the recipient, which may contain `:` itself.
    pub fn recipient(&self) -> Option<&str> {
        recipient(&self.name)
    }

    /// Whether `self` refines `other`.
    pub fn refines(&self, other: &Provision) -> bool {
        self.name.strip_prefix(&other.name).is_some_and(|rest| rest.starts_with(':'))
    }
}

/// The recipient in `data_sharing:<purpose>:<recipient>`.
pub(crate) fn recipient(provision: &str) -> Option<&str> {
    let (_, recipient) = provision.strip_prefix("data_sharing:")?.split_once(':')?;
    Some(recipient).filter(|recipient| !recipient.is_empty())
}
