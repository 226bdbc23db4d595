//! Which provision of ours a rule of somebody's Consent is about.
//!
//! A rule is taken for one of our provisions only if it says exactly what we would write for it. A rule with any further
//! condition is about less than our provision; it is left to a person, so that a narrow rule never becomes a wide one.

use super::{
    concept::{ACT_REASON, CONSENT_ACTION, Concept, PROVISION_SYSTEM, RESOURCE_TYPES_R4},
    element::{code_of, codes_of, text},
    part::{PARTICIPATION, RECIPIENT},
};
use crate::record::recipient;
use serde_json::{Map, Value};

/// What a rule of our own is made of: nothing of these is lost when it is mapped.
pub(super) const CARRIED: [&str; 7] = ["type", "period", "action", "purpose", "class", "code", "actor"];

/// Everything that narrows a rule, its time aside.
const CONDITIONS: [&str; 8] = ["actor", "action", "securityLabel", "purpose", "class", "code", "dataPeriod", "data"];

/// What a nested rule is an exception to, and so never reaches beyond.
pub(super) enum Outer {
    /// Rules without conditions.
    Nothing,
    /// A rule about this provision of ours.
    Provision(String),
    /// A rule about something else.
    Unknown,
}

impl Outer {
    pub(super) fn provision(&self) -> Option<&str> {
        match self {
            Outer::Provision(name) => Some(name),
            Outer::Nothing | Outer::Unknown => None,
        }
    }
}

/// What a rule could touch: more than it is taken for, where it is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// Everything.
    Everything,
    /// One provision, and what refines it.
    Provision(String),
    /// Something of this provision, or of any.
    Unknown {
        /// Of which provision, if the rules around it say so.
        of: Option<String>,
        /// What is done, in the code system consentaction, if that is all that the rule is about.
        actions: Option<Vec<String>>,
    },
}

impl About {
    pub(super) fn new(provision: &Map<String, Value>, inner: &Outer, scope: Option<&str>) -> Self {
        match inner {
            Outer::Nothing => About::Everything,
            Outer::Provision(name) => About::Provision(name.clone()),
            Outer::Unknown => About::Unknown { of: scope.map(str::to_owned), actions: actions(provision) },
        }
    }

    /// Whether it could touch the provision `name`, whose action is `action`.
    pub(super) fn touches(&self, name: &str, action: &str) -> bool {
        match self {
            About::Everything => true,
            About::Provision(own) => is_part(name, own),
            About::Unknown { of, actions } => {
                of.as_deref().is_none_or(|of| is_part(name, of))
                    && actions.as_ref().is_none_or(|actions| actions.iter().any(|other| other == action))
            }
        }
    }
}

/// Whether `name` is `whole` or refines it.
fn is_part(name: &str, whole: &str) -> bool {
    name.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// The actions, if each is told in the code system we know.
fn actions(provision: &Map<String, Value>) -> Option<Vec<String>> {
    let actions = list(provision, "action");
    let codes: Vec<Vec<&str>> = actions.iter().map(|action| codes_of(action, CONSENT_ACTION)).collect();
    let told = !codes.is_empty() && codes.iter().all(|codes| !codes.is_empty());
    told.then(|| codes.concat().into_iter().map(str::to_owned).collect())
}

/// What this rule is about, given what it is nested in.
pub(super) fn inner(provision: &Map<String, Value>, outer: &Outer) -> Outer {
    let conditional = CONDITIONS.iter().any(|name| provision.contains_key(*name));
    let name = name(provision);
    match (outer, name) {
        (Outer::Nothing, None) if !conditional => Outer::Nothing,
        (Outer::Nothing, Some(name)) => Outer::Provision(name),
        (Outer::Provision(wider), Some(name)) if name.strip_prefix(wider).is_some_and(|rest| rest.starts_with(':')) => {
            Outer::Provision(name)
        }
        _ => Outer::Unknown,
    }
}

fn name(provision: &Map<String, Value>) -> Option<String> {
    if CONDITIONS.iter().any(|name| provision.contains_key(*name) && !CARRIED.contains(name)) {
        return None;
    }
    let (purpose, action, class) = codes(provision)?;
    let name = if provision.contains_key("code") {
        own_name(provision).filter(|name| Concept::of(name).is(purpose, action, class))?
    } else {
        Concept::named(purpose, action, class)?
    };
    (recipient(name) == actor(provision)?).then(|| name.to_owned())
}

/// Purpose, action and class, if there is one of each, or no class.
fn codes(provision: &Map<String, Value>) -> Option<(&str, &str, Option<&str>)> {
    let ([purpose], [action]) = (list(provision, "purpose"), list(provision, "action")) else { return None };
    let actions = codes_of(action, CONSENT_ACTION);
    let ([action], purpose) = (actions.as_slice(), code_of(purpose, ACT_REASON)?) else { return None };
    match list(provision, "class") {
        [] => Some((purpose, action, None)),
        [class] => Some((purpose, action, Some(code_of(class, RESOURCE_TYPES_R4)?))),
        _ => None,
    }
}

/// The one name in our code system. Not more than 128 bytes, like every name of ours.
fn own_name(provision: &Map<String, Value>) -> Option<&str> {
    let [code] = list(provision, "code") else { return None };
    let codes = codes_of(code, PROVISION_SYSTEM);
    let [name] = codes.as_slice() else { return None };
    (name.len() <= 128).then_some(*name)
}

/// The recipient named by the one actor; `Some(None)` without an actor, `None` if the actors say anything else.
fn actor(provision: &Map<String, Value>) -> Option<Option<&str>> {
    match list(provision, "actor") {
        [] => Some(None),
        [actor] if codes_of(actor.get("role")?, PARTICIPATION).as_slice() == [RECIPIENT] => {
            let organisation = actor.get("reference")?.as_object()?;
            let bare = organisation.keys().all(|name| name == "type" || name == "display");
            text(organisation, "display").filter(|_| bare).map(Some)
        }
        _ => None,
    }
}

fn list<'a>(provision: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    provision.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
