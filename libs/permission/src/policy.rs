//! Who may call what: Cedar policies (<https://docs.cedarpolicy.com>), the built-in ones or an operator's.
//!
//! A policy's principal is a `Caller` in `Role`s, its action an RPC (`package.Service/Method`) or `http`, its resource the
//! `Service` that is asked. As there are no attributes, every question can be asked when the policies are read: then a call
//! costs a look-up, and no policy can fail while somebody waits. What no policy permits is denied.

mod files;

use caller::{Kind, Member};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet, Request,
    Schema, ValidationMode, ValidationWarning, Validator,
};
use std::{
    collections::HashSet,
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use watcher::Watched;

/// Every RPC there is, sorted.
pub const RPCS: &[&str] = include!(concat!(env!("OUT_DIR"), "/rpcs.rs"));
/// Roles of several kinds of callers.
const GROUPS: [&str; 3] = ["outside", "actor", "service"];
const BUILT_IN: [(&str, &str); 6] = [
    ("anchoring.cedar", include_str!("../policies/anchoring.cedar")),
    ("capture.cedar", include_str!("../policies/capture.cedar")),
    ("consent.cedar", include_str!("../policies/consent.cedar")),
    ("enrollment.cedar", include_str!("../policies/enrollment.cedar")),
    ("everywhere.cedar", include_str!("../policies/everywhere.cedar")),
    ("journal.cedar", include_str!("../policies/journal.cedar")),
];

/// Why policies cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The directory or a file cannot be read.
    #[error("{}: cannot be read", path.display())]
    File {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There are none, too many or too large files.
    #[error("{}: no policies, more than {} files, or a file that is too large", .0.display(), files::MAX_FILES)]
    Files(PathBuf),
    /// A file is not Cedar.
    #[error("{file}: not a Cedar policy")]
    Syntax {
        /// The file's name.
        file: String,
        /// Where and why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A policy names what does not exist.
    #[error("the policies do not fit the schema")]
    Schema(#[source] Box<dyn Error + Send + Sync>),
}

impl PolicyError {
    fn schema(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Schema(Box::new(source))
    }
}

/// What policies permit.
pub struct Policies(HashSet<(Kind, Member, &'static str)>);

impl Policies {
    /// The action of plain HTTP.
    pub const HTTP: &'static str = "http";

    /// The built-in policies.
    pub fn built_in() -> Result<Self, PolicyError> {
        Self::parse(BUILT_IN)
    }

    /// Reads policies from files: name and content.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, PolicyError> {
        let (schema, _) = Schema::from_cedarschema_str(&schema()).map_err(PolicyError::schema)?;
        let policies = policies(files)?;
        let found = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if let Some(error) = found.validation_errors().next() {
            return Err(PolicyError::schema(error.clone()));
        }
        // A policy that can never apply, such as one for a resource of another type, is a mistake of its author.
        let impossible = |warning: &&_| matches!(warning, ValidationWarning::ImpossiblePolicy(_));
        if let Some(warning) = found.validation_warnings().find(impossible) {
            return Err(PolicyError::schema(warning.clone()));
        }
        let entities = Entities::from_entities(everybody()?, Some(&schema)).map_err(PolicyError::schema)?;
        let permits = |kind: Kind, member: Member, action| {
            let (caller, service) = (uid("Caller", kind.name())?, uid("Service", member.name())?);
            let request = Request::new(caller, uid("Action", action)?, service, Context::empty(), Some(&schema));
            let answer = Authorizer::new().is_authorized(&request.map_err(PolicyError::schema)?, &policies, &entities);
            Ok::<_, PolicyError>(answer.decision() == Decision::Allow)
        };
        let mut permitted = HashSet::new();
        for kind in Kind::ALL {
            for member in Member::ALL {
                for action in RPCS.iter().copied().chain([Self::HTTP]) {
                    if permits(kind, member, action)? {
                        permitted.insert((kind, member, action));
                    }
                }
            }
        }
        Ok(Self(permitted))
    }

    /// Whether a caller of this kind may do `action`, one of [`Self::action`]'s answers, at the service `at`.
    pub fn permits(&self, caller: Kind, at: Member, action: &'static str) -> bool {
        self.0.contains(&(caller, at, action))
    }

    /// The action that a request's path stands for. Nothing if it has the form of an RPC's, and is none.
    pub fn action(path: &str) -> Option<&'static str> {
        let path = path.strip_prefix('/').unwrap_or(path);
        if let Ok(place) = RPCS.binary_search(&path) {
            return RPCS.get(place).copied();
        }
        let like_an_rpc = path.split_once('/').is_some_and(|(service, _)| service.contains('.'));
        (!like_an_rpc).then_some(Self::HTTP)
    }
}

fn policies<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<PolicySet, PolicyError> {
    let mut all = PolicySet::new();
    for (file, text) in files {
        let failed = |source: Box<dyn Error + Send + Sync>| PolicyError::Syntax { file: file.to_owned(), source };
        let found: PolicySet = text.parse().map_err(|error: cedar_policy::ParseErrors| failed(error.into()))?;
        if found.num_of_templates() > 0 {
            return Err(failed("templates are not used here".into()));
        }
        for (place, policy) in found.policies().enumerate() {
            let named = policy.new_id(PolicyId::new(format!("{file} {place}")));
            all.add(named).map_err(|error| failed(error.into()))?;
        }
    }
    Ok(all)
}

/// The schema of requests: roles and services are those there are, actions the RPCs.
fn schema() -> String {
    let roles: Vec<&str> = GROUPS.into_iter().chain(Kind::ALL.map(Kind::name)).collect();
    let services = Member::ALL.map(Member::name);
    let mut schema =
        format!("entity Role enum {roles:?};\nentity Service enum {services:?};\nentity Caller in [Role];\n");
    for action in RPCS.iter().chain([&Policies::HTTP]) {
        schema += &format!("action {action:?} appliesTo {{ principal: [Caller], resource: [Service] }};\n");
    }
    schema
}

/// Callers of every kind, with their roles.
fn everybody() -> Result<Vec<Entity>, PolicyError> {
    let caller = |kind: Kind| {
        let roles: Result<_, _> = roles(kind).iter().chain([&kind.name()]).map(|role| uid("Role", role)).collect();
        Ok(Entity::new_no_attrs(uid("Caller", kind.name())?, roles?))
    };
    Kind::ALL.into_iter().map(caller).collect()
}

/// The roles of callers of a kind, beside its own.
fn roles(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Anonymous | Kind::Client => &["outside"],
        Kind::ActorToken | Kind::ActorCertificate | Kind::ActorOidc => &["actor", "outside"],
        Kind::Service(_) => &["service"],
        Kind::Deployment => &["enrollment", "consent", "capture", "anchoring", "witness", "service"],
    }
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, PolicyError> {
    let kind: EntityTypeName = kind.parse().map_err(PolicyError::schema)?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

/// Where policies come from.
#[derive(Clone)]
pub(crate) enum Source {
    BuiltIn(Arc<Policies>),
    Files(Arc<Watched<Policies>>),
}

impl Source {
    pub(crate) fn built_in() -> Result<Self, PolicyError> {
        Ok(Self::BuiltIn(Arc::new(Policies::built_in()?)))
    }

    /// The policies in a directory, which is looked at again every `every`. Needs a tokio runtime.
    pub(crate) fn watch(directory: &Path, every: Duration) -> Result<Self, PolicyError> {
        let directory = directory.to_owned();
        Watched::start("policies", every, move || files::read(&directory), files::parse).map(Self::Files)
    }

    pub(crate) fn current(&self) -> Arc<Policies> {
        match self {
            Self::BuiltIn(policies) => policies.clone(),
            Self::Files(watched) => watched.current(),
        }
    }
}
