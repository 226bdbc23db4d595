//! The map of the house in `README.md` is true: each crate is on it once, and depends only on crates of lower floors, or of
//! its own floor further right.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use testbed::repository;

/// What a crate must not depend on itself, whatever the map permits.
const NEVER: [(&str, &[&str]); 4] = [
    ("server", &["admission", "journal", "journal-service", "record", "vault"]),
    ("journal", &["access", "facts", "problem", "proto", "tonic"]),
    ("vault", &["content", "proto", "tonic"]),
    ("caller", &["access", "cedar-policy", "facts", "permission"]),
];

/// The crates of the workspace: name and folder.
fn crates() -> BTreeMap<String, PathBuf> {
    let floors = ["libs", "services"].map(|floor| repository().join(floor));
    let entries = floors.iter().flat_map(|floor| fs::read_dir(floor).unwrap());
    let folders = entries.map(|entry| entry.unwrap().path()).filter(|folder| folder.join("Cargo.toml").exists());
    folders.map(|folder| (folder.file_name().unwrap().to_str().unwrap().to_owned(), folder)).collect()
}

/// What a crate depends on itself, beside its tests and build script.
fn dependencies(folder: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let (_, section) = manifest.split_once("\n[dependencies]\n").unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=', '#']).next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Where each crate is on the map: the number of its floor from the top, and its place in the row.
fn map() -> BTreeMap<String, (usize, usize)> {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let (_, table) = readme.split_once("| floor | crates |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let (crates, mut map) = (crates(), BTreeMap::new());
    for (floor, row) in rows.enumerate() {
        let named = row.split('|').nth(2).unwrap().split('`').skip(1).step_by(2);
        let named = named.map(|name| name.strip_prefix("services/").unwrap_or(name));
        for (place, name) in named.enumerate().filter(|(_, name)| crates.contains_key(*name)) {
            assert_eq!(map.insert(name.to_owned(), (floor, place)), None, "{name} is on the map twice");
        }
    }
    map
}

/// The files of a folder and the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn each_crate_is_on_the_map_and_its_arrows_point_down() {
    let map = map();
    for (name, folder) in crates().into_iter().filter(|(name, _)| name != "testbed") {
        let at = map.get(&name).unwrap_or_else(|| panic!("{name} is not on the map in README.md"));
        for dependency in dependencies(&folder) {
            let is_below = map.get(&dependency).is_none_or(|below| below > at);
            assert!(is_below, "{name} depends on {dependency}, which is above it, or left of it on its floor");
        }
    }
}

#[test]
fn walls_between_transport_and_meaning_stand() {
    let crates = crates();
    for (name, never) in NEVER {
        let found = dependencies(&crates[name]);
        assert!(!found.is_empty(), "{name} has dependencies");
        let broken: Vec<_> = found.iter().filter(|dependency| never.contains(&dependency.as_str())).collect();
        assert!(broken.is_empty(), "{name} depends on {broken:?}");
    }
}

#[test]
fn stores_know_no_transport_types() {
    let of_crates: Vec<_> = crates().values().flat_map(|folder| files(&folder.join("src"))).collect();
    let is_store = |path: &&PathBuf| path.iter().any(|part| Path::new(part).file_stem() == Some("store".as_ref()));
    let stores: Vec<_> = of_crates.iter().filter(is_store).collect();
    assert!(stores.len() >= 5, "{stores:?}");
    for store in stores {
        let text = fs::read_to_string(store).unwrap();
        let found = ["tonic", "proto::", "Problem"].into_iter().find(|word| text.contains(word));
        assert_eq!(found, None, "{}", store.display());
    }
}
