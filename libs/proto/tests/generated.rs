//! The code that is kept is the code that `proto/` gives.

#![allow(clippy::unwrap_used)]

use prost::Message;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const PACKAGES: [&str; 6] = ["types", "enrollment", "consent", "capture", "anchoring", "journal"];
/// If this is set, the code is written and not compared.
const WRITE: &str = "TRIALSEAL_GENERATE";

/// The files below a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

/// Generates the code from `proto/` into a folder, by a protobuf compiler written in Rust.
fn generate(into: &Path) {
    let root = PathBuf::from("../../proto");
    let protos = PACKAGES.map(|name| root.join(format!("trialseal/{name}/v1/{name}.proto")));
    let descriptors = protox::compile(protos, [&root]).unwrap();
    fs::write(into.join("descriptors.bin"), descriptors.encode_to_vec()).unwrap();
    tonic_prost_build::configure().out_dir(into).compile_fds(descriptors).unwrap();
}

#[test]
fn the_generated_code_is_what_the_definitions_give() {
    let (kept, folder) = (Path::new("src/generated"), tempfile::tempdir().unwrap());
    if std::env::var_os(WRITE).is_some() {
        return generate(kept);
    }
    generate(folder.path());
    let (kept, generated) = (files(kept), files(folder.path()));
    assert!(kept.keys().eq(generated.keys()), "{:?} and not {:?}: just generate", kept.keys(), generated.keys());
    let stale: Vec<&String> = generated.keys().filter(|name| kept[*name] != generated[*name]).collect();
    assert!(stale.is_empty(), "{stale:?} are not what proto/ gives: just generate");
}
