//! The policy in its two files: the C2SP tlog-policy, which other tools read too, and beside it the receipt keys and the
//! root keys of studies. In policies of an older form one file holds both.

use anyhow::{Context, Result};
use clap::Args;
use seal::policy::Policy;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the policy is.
#[derive(Args, Clone)]
pub struct PolicyArgs {
    /// The policy file: the chain, its witnesses, the quorum (C2SP tlog-policy).
    #[arg(long)]
    policy: PathBuf,
    /// The file of receipt keys and of the studies' root keys. Unless given, the one beside the policy, if it is there:
    /// policy-keys.txt beside policy.txt.
    #[arg(long)]
    policy_keys: Option<PathBuf>,
}

impl PolicyArgs {
    /// The policy, and the text of both files.
    pub fn read(&self) -> Result<(Policy, String)> {
        read(&self.policy, self.policy_keys.as_deref())
    }
}

/// The file of keys that goes with a policy file: `policy-keys.txt` for `policy.txt`.
pub fn keys_beside(policy: &Path) -> PathBuf {
    let mut name = policy.file_stem().unwrap_or_default().to_owned();
    name.push("-keys");
    if let Some(extension) = policy.extension() {
        name.push(".");
        name.push(extension);
    }
    policy.with_file_name(name)
}

/// Reads a policy, and the keys in `keys`, or else in the file beside it if there is one. Gives the text of both too.
pub fn read(policy: &Path, keys: Option<&Path>) -> Result<(Policy, String)> {
    let mut text = read_text(policy)?;
    let mut parsed = Policy::parse(&text).with_context(|| format!("{}", policy.display()))?;
    let beside = keys_beside(policy);
    let keys = keys.or_else(|| beside.exists().then_some(beside.as_path()));
    if let Some(file) = keys {
        let more = read_text(file)?;
        parsed = parsed.with_keys(&more).with_context(|| format!("{}", file.display()))?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text += &more;
    }
    Ok((parsed, text))
}

fn read_text(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("{}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_keys_is_named_after_the_policy() {
        for (policy, keys) in [
            ("policy.txt", "policy-keys.txt"),
            ("a/regulator.policy", "a/regulator-keys.policy"),
            ("/etc/p.q/policy", "/etc/p.q/policy-keys"),
            ("a.b.txt", "a.b-keys.txt"),
        ] {
            assert_eq!(keys_beside(Path::new(policy)), Path::new(keys));
        }
    }
}
