//! Policies in Cedar (<https://docs.cedarpolicy.com>), an operator's or the ones that the built-in table is made from.
//!
//! A policy's principal is a `Caller` in `Role`s, its action an RPC (`package.Service/Method`) or `http`, its resource the
//! `Service` that is asked.

use super::{Policies, PolicyError, RPCS};
use caller::{Kind, Member};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet, Request,
    Schema, ValidationMode, ValidationWarning, Validator,
};
use std::{collections::HashSet, error::Error};

/// Roles of several kinds of callers.
const GROUPS: [&str; 3] = ["outside", "actor", "service"];

impl PolicyError {
    fn schema(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Schema(Box::new(source))
    }
}

impl Policies {
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
