//! Tasks: what may be delegated.

use seal::{
    id::{IdError, Name},
    task,
};
use serde::{Deserialize, Serialize};

/// What a delegation permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The study's and its sites' states, protocol versions, arms, criteria, caps.
    ManageStudy,
    /// Registering actors, revoking their keys.
    RegisterActors,
    /// Publishing versions of the informed consent form.
    PublishDocuments,
    /// Screening and enrolling participants, and following them to the end.
    Enrol,
    /// Holding the consent discussion; recording consents and withdrawals.
    ObtainConsent,
    /// Defining the study's forms.
    DefineForms,
    /// Capturing and correcting data, and reading it.
    Capture,
    /// Reading captured data.
    Read,
    /// Reading journals whole, values included.
    Audit,
    /// Declaring a participant eligible against a criterion, as the investigator answers for.
    OverrideEligibility,
    /// Committing to an allocation list and revealing its seed: the trial's statistician.
    ManageAllocation,
    /// Seeing to which arm a participant was allocated, such as the pharmacist who dispenses.
    SeeAllocation,
    /// Unblinding one participant in an emergency.
    Unblind,
    /// Taking out single values that were entered by mistake.
    Redact,
    /// Ordering the erasure of a participant's values.
    Erase,
    /// Recording what was signed long before, as sites without a network do.
    RecordLate,
}

impl Task {
    /// All tasks.
    pub const ALL: [Task; 16] = [
        Task::ManageStudy,
        Task::RegisterActors,
        Task::PublishDocuments,
        Task::Enrol,
        Task::ObtainConsent,
        Task::DefineForms,
        Task::Capture,
        Task::Read,
        Task::Audit,
        Task::OverrideEligibility,
        Task::ManageAllocation,
        Task::SeeAllocation,
        Task::Unblind,
        Task::Redact,
        Task::Erase,
        Task::RecordLate,
    ];

    /// The task of this name, if there is one.
    pub fn named(name: &Name) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name.as_str())
    }

    /// The name in payloads and facts.
    pub fn name(self) -> &'static str {
        match self {
            Task::ManageStudy => "manage_study",
            Task::RegisterActors => task::REGISTER_ACTORS,
            Task::PublishDocuments => task::PUBLISH_DOCUMENTS,
            Task::Enrol => task::ENROL,
            Task::ObtainConsent => task::OBTAIN_CONSENT,
            Task::DefineForms => "define_forms",
            Task::Capture => task::CAPTURE,
            Task::Read => "read",
            Task::Audit => "audit",
            Task::OverrideEligibility => "override_eligibility",
            Task::ManageAllocation => "manage_allocation",
            Task::SeeAllocation => "see_allocation",
            Task::Unblind => "unblind",
            Task::Redact => task::REDACT,
            Task::Erase => task::ERASE,
            Task::RecordLate => task::RECORD_LATE,
        }
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Task> for Name {
    fn from(task: Task) -> Self {
        task.name().parse().unwrap_or_else(|_: IdError| Name::root()) // a name: see above
    }
}
