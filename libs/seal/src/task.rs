//! The tasks that proofs rest on, by their names. Others are delegated too; to a proof they are nothing but names.

/// Registering actors, revoking their keys.
pub const REGISTER_ACTORS: &str = "register_actors";
/// Publishing versions of the informed consent form.
pub const PUBLISH_DOCUMENTS: &str = "publish_documents";
/// Screening and enrolling participants, and following them to the end.
pub const ENROL: &str = "enrol";
/// Holding the consent discussion; recording consents and withdrawals.
pub const OBTAIN_CONSENT: &str = "obtain_consent";
/// Capturing and correcting data, and reading it.
pub const CAPTURE: &str = "capture";
/// Taking out single values that were entered by mistake.
pub const REDACT: &str = "redact";
/// Ordering the erasure of a participant's values.
pub const ERASE: &str = "erase";
/// Recording what was signed long before, as sites without a network do.
pub const RECORD_LATE: &str = "record_late";
