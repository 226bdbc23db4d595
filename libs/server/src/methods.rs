//! The methods there are. A path that is none of them is a caller's own words, and is not repeated anywhere.

use prost::Message;
use prost_types::FileDescriptorSet;
use std::{collections::HashSet, sync::LazyLock};

/// A service and a method of it, as in the path `/service/method`.
pub(crate) type Method = (&'static str, &'static str);

/// What stands for every method that there is not.
pub(crate) const OTHER: Method = ("_OTHER", "_OTHER");
/// What stands for files and the witness protocol, over plain HTTP.
const HTTP: [Method; 3] = [("http", "checkpoint"), ("http", "add-checkpoint"), ("http", "tile")];
/// The calls whose answers end only when somebody hangs up.
const ENDLESS: [&str; 2] = ["FollowHeads", "Watch"];

static KNOWN: LazyLock<HashSet<(String, String)>> = LazyLock::new(|| {
    let reflection = tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET;
    let sets = [proto::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET, reflection];
    sets.into_iter().filter_map(|set| FileDescriptorSet::decode(set).ok()).flat_map(methods).collect()
});

fn methods(set: FileDescriptorSet) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in set.file {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            found.extend(service.method.iter().map(|method| (name.clone(), method.name().to_owned())));
        }
    }
    found
}

/// The method of a path.
pub(crate) fn method(path: &str) -> Method {
    let path = path.trim_start_matches('/');
    if let Some((service, method)) = path.split_once('/')
        && let Some((service, method)) = KNOWN.get(&(service.to_owned(), method.to_owned()))
    {
        return (service, method);
    }
    let http =
        HTTP.iter().find(|(_, name)| path.split('/').next() == Some(name) || path.rsplit('/').next() == Some(name));
    http.copied().unwrap_or(OTHER)
}

/// Whether an answer ends only when somebody hangs up.
pub(crate) fn is_endless((_, method): Method) -> bool {
    ENDLESS.contains(&method)
}

/// Whether a call is about the process itself: it is answered however busy the process is.
pub(crate) fn is_health((service, _): Method) -> bool {
    service == "grpc.health.v1.Health"
}

/// The same of a path, at no cost.
pub(crate) fn asks_for_health(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_known_and_anything_else_has_no_name_of_its_own() {
        let submit = ("trialseal.capture.v1.CaptureService", "SubmitForm");
        assert_eq!(method("/trialseal.capture.v1.CaptureService/SubmitForm"), submit);
        assert!(is_health(method("/grpc.health.v1.Health/Check")));
        assert!(is_endless(method("/trialseal.journal.v1.JournalService/FollowHeads")));
        assert_eq!(method("/tile/0/000"), ("http", "tile"));
        assert_eq!(method("/0a1b/checkpoint"), ("http", "checkpoint"));
        for path in ["/participant-4711", "/trialseal.capture.v1.CaptureService/participant-4711", "", "/", "//"] {
            assert_eq!(method(path), OTHER, "{path}");
        }
    }
}
