//! Folders of `docs/vectors`: what is in them is what is made here.

use seal::{
    bundle::Bundle,
    policy::Policy,
    report::{LinkName, Report},
    verify::verify,
};
use std::{collections::BTreeMap, fs, path::Path};

/// A vector: its name, the link that must fail, and the bundle.
pub(crate) type Vector = (&'static str, Option<LinkName>, Bundle);

/// Checks that a folder of `docs/vectors` holds these files, or writes them if that is asked for.
pub(crate) fn folder_holds(folder: &str, files: &[(String, Vec<u8>)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors").join(folder);
    if std::env::var_os("TRIALSEAL_WRITE_VECTORS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(file, bytes)| fs::write(folder.join(file), bytes).unwrap());
    }
    for (file, bytes) in files {
        assert!(fs::read(folder.join(file)).unwrap() == *bytes, "{file} is not as it is made");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), files.len(), "{folder:?} holds other files");
}

/// Checks what the verifier says of each vector under this policy, and that the folder holds them, their policy and what is
/// expected of them. Gives the reports.
pub(crate) fn published(folder: &str, policy_text: &str, vectors: &[Vector]) -> Vec<Report> {
    let policy = Policy::parse(policy_text).unwrap();
    let expected: BTreeMap<String, Option<String>> = vectors
        .iter()
        .map(|(name, link, _)| (format!("{name}.trialseal"), link.map(|link| link.to_string())))
        .collect();
    assert_eq!(expected.len(), vectors.len(), "a name is there twice");
    let expected = serde_json::to_string_pretty(&expected).unwrap() + "\n";
    let mut files = vec![("policy.txt".to_owned(), policy_text.as_bytes().to_vec())];
    files.push(("expected.json".to_owned(), expected.into_bytes()));
    files.extend(vectors.iter().map(|(name, _, bundle)| (format!("{name}.trialseal"), bundle.to_bytes())));
    let judged = |(name, expected, bundle): &Vector| {
        let report = verify(&bundle.to_bytes(), &policy);
        let failed = report.failure.as_ref().map(|failure| failure.link);
        assert_eq!(failed, *expected, "{name}: {:?}", report.failure);
        report
    };
    let reports = vectors.iter().map(judged).collect();
    folder_holds(folder, &files);
    reports
}
