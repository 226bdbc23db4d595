//! Witnesses that others run, as the flags of `trialseal init` and `trialseal up` name them.

use crate::keys::PolicyWitness;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::collections::HashSet;
use tlog::{
    key::{Algorithm, VerifierKey},
    policy::Policy,
};

/// Witnesses that others run, and how many of all witnesses must agree.
#[derive(Args, Debug, Clone, Default)]
pub struct ForeignWitnesses {
    /// A witness run by another organisation: the verifier key that `trialseal witness init` printed there, and the witness's URL
    /// (repeatable).
    #[arg(long, num_args = 2, value_names = ["VKEY", "URL"])]
    witness_vkey: Vec<String>,
    /// How many of all witnesses must cosign a checkpoint. Default: more than half.
    #[arg(long)]
    quorum: Option<usize>,
}

impl ForeignWitnesses {
    /// Whether none were named.
    pub fn is_empty(&self) -> bool {
        self.witness_vkey.is_empty()
    }

    /// How many of all witnesses must cosign, if that was said.
    pub fn quorum(&self) -> Option<usize> {
        self.quorum
    }

    /// All witnesses of a policy: `own`, then these. A witness is called as its key is.
    pub fn beside(&self, own: Vec<PolicyWitness>) -> Result<Vec<PolicyWitness>> {
        let mut all = own;
        let mut names: HashSet<String> = all.iter().map(|witness| witness.name.clone()).collect();
        for pair in self.witness_vkey.chunks(2) {
            let [vkey, url] = pair else { continue }; // clap takes two at a time
            let key = verifier_key(vkey).context("--witness-vkey")?;
            let is_witness = key.algorithm() != Algorithm::Ed25519;
            ensure!(is_witness, "--witness-vkey {}: the key of a log, not of a witness", key.name());
            let known = all.iter().any(|witness| witness.key.public_key() == key.public_key());
            ensure!(!known, "--witness-vkey {}: given twice, or the same key as another witness", key.name());
            let is_url = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
            ensure!(is_url && !url.contains(char::is_whitespace), "--witness-vkey {}: not a URL: {url}", key.name());
            // One organisation may run several; their keys may have one name.
            let numbered = (2..).map(|number| format!("{}-{number}", key.name()));
            let mut candidates = std::iter::once(key.name().to_owned()).chain(numbered);
            let name = candidates.find(|name| name != "none" && names.insert(name.clone()));
            all.push(PolicyWitness { name: name.unwrap_or_default(), key, url: url.clone() });
        }
        let (quorum, count) = (self.quorum.unwrap_or(1), all.len());
        ensure!(
            (1..=count).contains(&quorum),
            "--quorum {quorum}: must be at least 1 and at most the number of witnesses, {count}"
        );
        Ok(all)
    }
}

/// A verifier key as its owner printed it.
pub fn verifier_key(text: &str) -> Result<VerifierKey> {
    let shown: String = text.chars().take(80).collect();
    text.parse().with_context(|| format!("{shown}: not a verifier key (NAME+1234abcd+BASE64)"))
}

/// Checks what was made of flags: whatever a verifier would refuse is refused here.
pub fn checked(policy: String) -> Result<String> {
    Policy::parse(&policy).context("the policy that results from the flags")?;
    Ok(policy)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tlog::key::SignerKey;

    fn vkey(name: &str, algorithm: Algorithm, seed: u8) -> String {
        SignerKey::from_seed(name, algorithm, [seed; 32]).unwrap().verifier().to_string()
    }

    fn named(pairs: &[(&str, &str)], quorum: Option<usize>) -> Result<Vec<String>> {
        let witness_vkey = pairs.iter().flat_map(|(vkey, url)| [(*vkey).to_owned(), (*url).to_owned()]).collect();
        let all = ForeignWitnesses { witness_vkey, quorum }.beside(Vec::new())?;
        Ok(all.into_iter().map(|witness| witness.name).collect())
    }

    #[test]
    fn witnesses_are_called_as_their_keys_are_and_mistakes_are_told() {
        let [a, b, c] = [1, 2, 3].map(|seed| vkey("w.example", Algorithm::CosignatureEd25519, seed));
        let (log, url) = (vkey("log.example", Algorithm::Ed25519, 4), "https://w.example/");
        let none = vkey("none", Algorithm::CosignatureMlDsa44, 5);
        let all = named(&[(&a, url), (&b, url), (&c, url), (&none, url)], Some(4)).unwrap();
        assert_eq!(all, ["w.example", "w.example-2", "w.example-3", "none-2"]);
        for (pairs, quorum, what) in [
            (vec![(&*a, url), (&*a, url)], None, "given twice"),
            (vec![(&*log, url)], None, "the key of a log"),
            (vec![("w.example", url)], None, "not a verifier key"),
            (vec![(&*a, "w.example")], None, "not a URL"),
            (vec![(&*a, "https://w.example/ x")], None, "not a URL"),
            (vec![(&*a, url)], Some(2), "the number of witnesses, 1"),
            (vec![(&*a, url)], Some(0), "the number of witnesses, 1"),
            (vec![], None, "the number of witnesses, 0"),
        ] {
            let error = format!("{:#}", named(&pairs, quorum).unwrap_err());
            assert!(error.contains(what), "{what}: {error}");
        }
    }
}
