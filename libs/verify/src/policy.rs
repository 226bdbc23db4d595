//! The policy in its two files: the C2SP tlog-policy, which other tools read too, and beside it the receipt keys and the
//! root keys of studies. In policies of an older form one file holds both.

use crate::FileError;
use seal::policy::Policy;
use std::{
    fs,
    path::{Path, PathBuf},
};

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
///
/// # Errors
///
/// A file cannot be read, or is not of that form.
pub fn read_policy(policy: &Path, keys: Option<&Path>) -> Result<(Policy, String), FileError> {
    let wrong = |file: &Path, source| FileError::Policy { file: file.to_owned(), source };
    let mut text = read_text(policy)?;
    let mut parsed = Policy::parse(&text).map_err(|source| wrong(policy, source))?;
    let beside = keys_beside(policy);
    let keys = keys.or_else(|| beside.exists().then_some(beside.as_path()));
    if let Some(file) = keys {
        let more = read_text(file)?;
        parsed = parsed.with_keys(&more).map_err(|source| wrong(file, source))?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text += &more;
    }
    Ok((parsed, text))
}

fn read_text(file: &Path) -> Result<String, FileError> {
    fs::read_to_string(file).map_err(|source| FileError::Unreadable { file: file.to_owned(), source })
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
