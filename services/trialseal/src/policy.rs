//! Where the policy is, as flags.

use anyhow::Result;
use clap::Args;
use seal::policy::Policy;
use std::path::PathBuf;

/// Where the policy is.
#[derive(Args, Clone)]
pub struct PolicyArgs {
    /// The policy file: the chain, its witnesses, the quorum (C2SP tlog-policy).
    #[arg(long)]
    policy: PathBuf,
    /// The file with the receipt keys and the studies' root keys. Default: policy-keys.txt next to policy.txt, if it exists.
    #[arg(long)]
    policy_keys: Option<PathBuf>,
}

impl PolicyArgs {
    /// The policy, and the text of both files.
    pub fn read(&self) -> Result<(Policy, String)> {
        Ok(verify::read_policy(&self.policy, self.policy_keys.as_deref())?)
    }
}
