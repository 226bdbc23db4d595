//! What the provisions mean, in words for a participant. The approved ICF says it with authority; this only reminds.

use crate::{plain, record::Provision};

/// What a provision is about, as a clause: "data about you are collected for this study".
pub(crate) fn clause(provision: &Provision) -> String {
    let parts = provision.parts();
    let detail = parts.get(1..).unwrap_or_default().iter().map(|part| spoken(part)).collect::<Vec<_>>().join(", ");
    match (parts.first().copied().unwrap_or_default(), provision.recipient()) {
        ("data_sharing", Some(recipient)) => {
            let purpose = spoken(parts.get(1).copied().unwrap_or_default());
            format!("Your study data are shared with {}, for {purpose}.", plain::line(recipient))
        }
        (first, _) => sentence(first, &detail),
    }
}

fn sentence(first: &str, detail: &str) -> String {
    let known = match first {
        "data_collection" => "Data about you are collected for this study",
        "biosamples" => "Samples of your body, such as blood, are taken, kept and examined",
        "genetics" => "Your genes are examined",
        "data_sharing" => "Your study data are shared with others",
        "future_research" => "Your data and samples are used for later research",
        "recontact" => "You are contacted again after this study",
        "remote_monitoring" => "The sponsor's monitors read your records from a distance",
        other => return format!("{}.", with_detail(&format!("Agreement named \"{}\"", spoken(other)), detail)),
    };
    format!("{}.", with_detail(known, detail))
}

fn with_detail(words: &str, detail: &str) -> String {
    if detail.is_empty() { words.to_owned() } else { format!("{words} ({detail})") }
}

fn spoken(part: &str) -> String {
    plain::line(&part.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ProvisionState;

    fn clause_of(name: &str) -> String {
        let (state, none) = (ProvisionState::Given, None);
        let name = name.to_owned();
        clause(&Provision {
            name,
            mandatory: false,
            state,
            from_ms: 0,
            until_ms: none,
            given_entry: none,
            withdrawn_entry: none,
        })
    }

    #[test]
    fn every_name_has_words() {
        for (name, words) in [
            ("data_collection", "Data about you are collected for this study."),
            ("data_collection:imaging", "Data about you are collected for this study (imaging)."),
            (
                "data_sharing:rare_disease_registry:Registry: Lyon",
                "Your study data are shared with Registry: Lyon, for rare disease registry.",
            ),
            ("data_sharing:registry", "Your study data are shared with others (registry)."),
            ("brain_bank\u{1b}[2J", "Agreement named \"brain bank[2J\"."),
            ("", "Agreement named \"\"."),
        ] {
            assert_eq!(clause_of(name), words);
        }
    }
}
