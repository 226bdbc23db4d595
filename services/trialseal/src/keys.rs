//! The keys of a deployment's services, and the policy that follows from them.

use anyhow::{Context, Result};
use seal::id::Service;
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use tlog::key::{Algorithm, SignerKey, VerifierKey};
use zeroize::Zeroizing;

/// The name of a deployment, unless told otherwise.
pub const NAME: &str = "trialseal.example";
/// The witnesses: who runs each, and by which algorithm it cosigns. Two of them are needed.
pub const WITNESSES: [(&str, Algorithm); 3] = [
    ("sponsor", Algorithm::CosignatureMlDsa44),
    ("cro", Algorithm::CosignatureEd25519),
    ("regulator", Algorithm::CosignatureMlDsa44),
];

/// The keys a chain signs its checkpoints with. Both have the chain's name.
pub struct ChainKeys {
    /// Ed25519, in `chain.key`.
    pub ed25519: SignerKey,
    /// ML-DSA-44, in `chain-ml-dsa.key`; chains that began before there was one have none.
    pub ml_dsa: Option<SignerKey>,
}

impl ChainKeys {
    /// The public halves.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        [Some(&self.ed25519), self.ml_dsa.as_ref()].into_iter().flatten().map(SignerKey::verifier).collect()
    }
}

/// A folder of keys, each a file that only its owner reads.
#[derive(Clone)]
pub struct KeyDir(PathBuf);

impl KeyDir {
    /// The folder, made if it does not exist.
    pub fn open(folder: PathBuf) -> Result<Self> {
        // Whatever is in it: a folder of keys is nobody else's.
        let made = owner::make_directory(&folder).and_then(|()| owner::narrow(&folder));
        made.with_context(|| format!("{}: cannot make the folder", folder.display()))?;
        Ok(Self(folder))
    }

    /// The folder as it is.
    pub fn existing(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Whether it holds `name`.
    pub fn holds(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// A secret of 32 bytes.
    pub fn secret(&self, name: &str) -> Result<Zeroizing<[u8; 32]>> {
        let path = self.0.join(name);
        let bytes = Zeroizing::new(owner::read_secret(&path).with_context(|| format!("{}", path.display()))?);
        let bytes = bytes.as_slice().try_into().with_context(|| format!("{}: not 32 bytes", path.display()))?;
        Ok(Zeroizing::new(bytes))
    }

    /// A secret of 32 bytes, made if it is not there yet.
    pub fn secret_or_new(&self, name: &str) -> Result<Zeroizing<[u8; 32]>> {
        if !self.holds(name) {
            write_secret(&self.0.join(name), &*Zeroizing::new(client::random::<32>()?))?;
        }
        self.secret(name)
    }

    /// Keeps a secret that another folder holds too.
    pub fn put_secret(&self, name: &str, secret: &[u8; 32]) -> Result<()> {
        if self.holds(name) {
            return Ok(());
        }
        write_secret(&self.0.join(name), secret)
    }

    /// A key that signs notes, from the file `name`.key.
    pub fn signer(&self, name: &str) -> Result<SignerKey> {
        let path = self.0.join(format!("{name}.key"));
        let shown = || format!("{}", path.display());
        let text =
            Zeroizing::new(String::from_utf8(owner::read_secret(&path).with_context(shown)?).with_context(shown)?);
        text.trim_end().parse().with_context(|| format!("{}: not a signer key", path.display()))
    }

    /// A key that signs notes as `signs_as`, made if it is not there yet.
    fn signer_or_new(&self, name: &str, signs_as: &str, algorithm: Algorithm) -> Result<SignerKey> {
        let file = format!("{name}.key");
        if !self.holds(&file) {
            let key = SignerKey::from_seed(signs_as, algorithm, *Zeroizing::new(client::random::<32>()?))?;
            write_secret(&self.0.join(file), format!("{}\n", key.to_secret_text().as_str()).as_bytes())?;
        }
        self.signer(name)
    }

    /// The keys of a deployment's chain, made if they are not there yet: Ed25519 and ML-DSA-44. A chain that began with the
    /// first alone keeps to it.
    pub fn chain(&self, deployment: &str) -> Result<ChainKeys> {
        let name = format!("{deployment}/chain");
        if !self.holds("chain.key") && !self.holds("chain-ml-dsa.key") {
            self.signer_or_new("chain-ml-dsa", &name, Algorithm::CosignatureMlDsa44)?;
        }
        self.signer_or_new("chain", &name, Algorithm::Ed25519)?;
        self.existing_chain()
    }

    /// The keys of a chain, as they are.
    pub fn existing_chain(&self) -> Result<ChainKeys> {
        let ml_dsa = self.holds("chain-ml-dsa.key").then(|| self.signer("chain-ml-dsa")).transpose()?;
        Ok(ChainKeys { ed25519: self.signer("chain")?, ml_dsa })
    }

    /// A service's receipt key, made if it is not there yet.
    pub fn receipts(&self, deployment: &str, service: Service) -> Result<SignerKey> {
        let signs_as = format!("{deployment}/receipts/{service}");
        self.signer_or_new(&format!("receipts-{service}"), &signs_as, Algorithm::Ed25519)
    }

    /// The key of a witness called `name`, in witness.key, made if it is not there yet.
    pub fn own_witness(&self, name: &str, algorithm: Algorithm) -> Result<SignerKey> {
        self.signer_or_new("witness", name, algorithm)
    }

    /// A witness's key in the file `file`.key, made if it is not there yet. `organisation` runs it.
    pub fn witness(
        &self,
        file: &str,
        deployment: &str,
        (organisation, algorithm): (&str, Algorithm),
    ) -> Result<SignerKey> {
        self.signer_or_new(file, &format!("{deployment}/witness/{organisation}"), algorithm)
    }
}

/// Writes a new file that only its owner reads; never replaces one.
pub fn write_secret(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = owner::new_file(path).with_context(|| format!("{}: cannot make the file", path.display()))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("{}: cannot be written", path.display()))
}

/// A witness as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// The policy's name for it.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where it is reached.
    pub url: String,
}

/// The policy of a deployment (C2SP tlog-policy): the keys of its chain, which is served at `url`; its witnesses, and how
/// many of them must agree: more than half unless given.
pub fn policy(chain: &[VerifierKey], url: &str, witnesses: &[PolicyWitness], quorum: Option<usize>) -> String {
    let mut text = "# The chain, its witnesses and how many of them must agree (C2SP tlog-policy).\n".to_owned();
    for key in chain {
        text += &format!("log {key} {}\n", url.split(',').next().unwrap_or_default());
    }
    for PolicyWitness { name, key, url } in witnesses {
        text += &format!("witness {name} {key} {url}\n");
    }
    let quorum = quorum.unwrap_or(witnesses.len() / 2 + 1);
    let names: Vec<&str> = witnesses.iter().map(|witness| witness.name.as_str()).collect();
    text + &format!("group witnesses {quorum} {}\nquorum witnesses\n", names.join(" "))
}

/// The file of keys beside the policy, without any study.
pub fn policy_keys(receipts: &[VerifierKey]) -> String {
    let mut text = "# Who signs receipts.\n".to_owned();
    for key in receipts {
        text += &format!("receipt {key}\n");
    }
    text + "# Studies and their root keys: study <uuid> ed25519:<base64>\n"
}

/// The witnesses of sponsor, CRO and regulator, reached at `urls`.
pub fn own_witnesses(keys: Vec<VerifierKey>, urls: &[String]) -> Vec<PolicyWitness> {
    let named = WITNESSES.iter().zip(keys).zip(urls);
    named.map(|(((name, _), key), url)| PolicyWitness { name: (*name).to_owned(), key, url: url.clone() }).collect()
}
