//! The examples in `docs/vectors/consent`. Run with `TRIALSEAL_WRITE_VECTORS=1` to write them anew.

#![allow(clippy::unwrap_used)]

mod examples;

use exchange::{fhir, iso27560, text};
use serde_json::Value;
use std::fs;

fn check(name: &str, written: &str) {
    let folder = testbed::repository().join("docs/vectors/consent");
    let file = folder.join(name);
    if std::env::var_os("TRIALSEAL_WRITE_VECTORS").is_some_and(|value| value == "1") {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, written).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(written, expected, "{name}");
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap())
}

#[test]
fn the_forms_of_every_kind_of_consent_are_as_published() {
    for (name, consent) in examples::all() {
        check(&format!("{name}.iso27560-record.json"), &pretty(&iso27560::record(&consent)));
        check(&format!("{name}.fhir-r4.json"), &pretty(&fhir::r4(&consent)));
        check(&format!("{name}.fhir-r5.json"), &pretty(&fhir::r5(&consent)));
        check(&format!("{name}.txt"), &text::copy(&consent));
    }
    let receipt = iso27560::receipt(&examples::participant(), examples::SIGNED + 2_000);
    check("participant.iso27560-receipt.json", &pretty(&receipt));
}
