//! Which participant each subject of the source is.

use anyhow::{Context, Result, bail};
use seal::{id::Name, text::is_blank};
use serde::Deserialize;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

/// Which participant, at which site, each subject of the source is. A subject who would be two participants is none.
#[derive(Debug, Clone, Default)]
pub struct Subjects {
    known: HashMap<String, (Name, Name)>,
    /// Those who were two participants.
    two: HashSet<String>,
}

impl Subjects {
    /// Reads a CSV file with the columns `subject`, `participant`, `site`.
    ///
    /// # Errors
    ///
    /// It cannot be read; a subject stands for two participants, a participant for two subjects, or two subjects look the same.
    pub fn read(file: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Line {
            subject: String,
            participant: Name,
            site: Name,
        }
        let shown = file.display();
        let mut reader = csv::Reader::from_path(file).with_context(|| format!("{shown}"))?;
        let header = reader.headers().with_context(|| format!("{shown}: the header"))?.clone();
        super::table::check_header(&header.iter().map(str::to_owned).collect::<Vec<_>>())
            .with_context(|| format!("{shown}"))?;
        let (mut subjects, mut seen, mut taken) = (Self::default(), HashMap::new(), HashMap::new());
        for line in reader.records() {
            let record = line.with_context(|| format!("{shown}"))?;
            let at = record.position().map_or(0, csv::Position::line);
            let Line { subject, participant, site } =
                record.deserialize(Some(&header)).with_context(|| format!("{shown}: line {at}"))?;
            if is_blank(&subject) {
                bail!("{shown}: line {at}: the subject is blank");
            }
            let who = (participant.clone(), site);
            if let Some((before, first)) = seen.insert(rules::capture::seen(&subject), (subject.clone(), at)) {
                let same = before == subject && subjects.known.get(&subject) == Some(&who);
                if !same && before == subject {
                    bail!("{shown}: lines {first} and {at}: one subject has two participants or two sites");
                } else if !same {
                    bail!("{shown}: lines {first} and {at}: two subjects look the same and are spelt differently");
                }
            } else if let Some(first) = taken.insert(participant, at) {
                bail!("{shown}: lines {first} and {at}: two subjects have the same participant");
            }
            subjects.known.insert(subject, who);
        }
        Ok(subjects)
    }

    /// The participant and their site.
    pub(super) fn find(&self, subject: &str) -> Result<(Name, Name), &'static str> {
        if self.two.contains(subject) {
            return Err("the subject has two participants");
        }
        self.known.get(subject).cloned().ok_or("the subject is not in the subjects file")
    }
}

impl FromIterator<(String, (Name, Name))> for Subjects {
    fn from_iter<I: IntoIterator<Item = (String, (Name, Name))>>(all: I) -> Self {
        let mut subjects = Self::default();
        for (subject, who) in all {
            if subjects.known.insert(subject.clone(), who.clone()).is_some_and(|before| before != who) {
                subjects.two.insert(subject);
            }
        }
        subjects
    }
}
