//! `trialseal init`: the keys of a deployment of many processes, one folder for each service, its policy, and the list of
//! those who may create studies.

use crate::{
    allow::EMPTY_LIST,
    foreign::{self, ForeignWitnesses},
    keys::{self, KeyDir, WITNESSES},
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use client::{Endpoints, TlsFiles};
use seal::id::Service;
use std::path::{Path, PathBuf};
use tlog::key::{Algorithm, SignerKey, VerifierKey};

/// Flags of `trialseal init`.
#[derive(Args)]
pub struct Init {
    /// The folder to create. Files that it already contains are kept.
    folder: PathBuf,
    /// The name of the deployment, such as a domain; its chain is called NAME/chain. The name must be unique, because witnesses
    /// identify a chain by it.
    #[arg(long, default_value = keys::NAME)]
    name: String,
    /// The URLs at which clients reach the enrollment service, comma separated.
    #[arg(long)]
    enrollment: String,
    /// The URLs at which clients reach the consent service, comma separated.
    #[arg(long)]
    consent: String,
    /// The URLs at which clients reach the capture service, comma separated.
    #[arg(long)]
    capture: String,
    /// The URLs at which clients reach the anchoring service and the chain's files, comma separated.
    #[arg(long)]
    anchoring: String,
    /// The URLs of the witnesses of sponsor, CRO and regulator: give it three times, in this order. Their keys are created here and
    /// must be moved to them. For a witness whose key is created where it runs, use --witness-vkey.
    #[arg(long = "witness", value_name = "URL", required_unless_present = "witness_vkey")]
    witnesses: Vec<String>,
    #[command(flatten)]
    foreign: ForeignWitnesses,
    /// The certificate authority (PEM) against which clients check the services' certificates.
    #[arg(long)]
    tls_ca: Option<PathBuf>,
}

impl Init {
    /// Makes what is missing and gives the folder.
    pub fn run(self) -> Result<PathBuf> {
        let (wanted, given) = (WITNESSES.len(), self.witnesses.len());
        let fits = given == wanted || (given == 0 && !self.foreign.is_empty());
        ensure!(
            fits,
            "--witness must be given {wanted} times, not {given}; for any other number of witnesses use --witness-vkey VKEY URL"
        );
        let endpoints = Endpoints {
            enrollment: self.enrollment,
            consent: self.consent,
            capture: self.capture,
            anchoring: self.anchoring,
            witnesses: self.witnesses,
            tls: self.tls_ca.map(|ca| TlsFiles { ca, own: None }),
        };
        make(&self.folder, &self.name, endpoints, &self.foreign)?;
        Ok(self.folder)
    }
}

/// Makes the keys that are missing below `folder`/keys, and writes policy.txt, policy-keys.txt and endpoints.json; and
/// studies.txt, which lets nobody create studies, if there is none. `endpoints` names the witnesses whose keys are made.
fn make(folder: &Path, name: &str, mut endpoints: Endpoints, foreign: &ForeignWitnesses) -> Result<()> {
    let of = |service: &str| KeyDir::open(folder.join("keys").join(service));
    let own = match endpoints.witnesses.as_slice() {
        [] => Vec::new(),
        urls => keys::own_witnesses(witnesses(&of, name)?, urls),
    };
    let witnesses = foreign.beside(own)?;
    endpoints.witnesses = witnesses.iter().map(|witness| witness.url.clone()).collect();
    let (enrollment, consent, capture) = (of("enrollment")?, of("consent")?, of("capture")?);
    let anchoring = of("anchoring")?;
    let receipts = [
        enrollment.receipts(name, Service::Enrollment)?,
        consent.receipts(name, Service::Consent)?,
        capture.receipts(name, Service::Capture)?,
    ];
    share(&enrollment, "master.key", &[&capture])?;
    share(&enrollment, "service.token", &[&consent, &capture, &anchoring])?;
    let receipts: Vec<_> = receipts.iter().map(SignerKey::verifier).collect();
    let chain = anchoring.chain(name)?.verifiers();
    let policy = foreign::checked(keys::policy(&chain, &endpoints.anchoring, &witnesses, foreign.quorum()))?;
    write(&folder.join("policy.txt"), policy.as_bytes())?;
    write(&folder.join("policy-keys.txt"), keys::policy_keys(&receipts).as_bytes())?;
    let studies = folder.join("studies.txt");
    if !studies.exists() {
        write(&studies, EMPTY_LIST.as_bytes())?;
    }
    write(&folder.join("endpoints.json"), serde_json::to_string_pretty(&endpoints)?.as_bytes())
}

/// The keys of the witnesses of sponsor, CRO and regulator, made if need be.
fn witnesses(of: &impl Fn(&str) -> Result<KeyDir>, name: &str) -> Result<Vec<VerifierKey>> {
    let key = |(organisation, algorithm): &(&str, Algorithm)| {
        let keys = of(&format!("witness-{organisation}"))?;
        Ok(keys.witness("witness", name, (organisation, *algorithm))?.verifier())
    };
    WITNESSES.iter().map(key).collect()
}

/// Gives others the secret that the first has, made if need be.
fn share(first: &KeyDir, name: &str, others: &[&KeyDir]) -> Result<()> {
    let secret = first.secret_or_new(name)?;
    others.iter().try_for_each(|other| other.put_secret(name, &secret))
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    owner::write(path, content).with_context(|| format!("{}", path.display()))
}
