//! Where the story takes place: in a deployment of its own, or in a cluster that is there already.

use crate::{deployment::Deployment, keys::KeyDir, prove};
use anyhow::{Context, Result};
use client::Endpoints;
use database::Database;
use std::{collections::BTreeMap, fs, path::Path};
use vault::{MasterKey, Vault};

/// The services, and what an insider gets hold of.
pub(super) struct Stage {
    pub(super) endpoints: Endpoints,
    /// The policy that verifies the chain and the receipts, without any study: the text of both its files.
    pub(super) policy: String,
    own: Option<Deployment>,
    stolen: Stolen,
}

/// Where capture keeps what it records, where the keys are that it is encrypted under, and the key these are encrypted under.
struct Stolen {
    capture: String,
    vault: String,
    keys: KeyDir,
}

impl Stage {
    /// A deployment of its own, in one process, on the data in `folder`.
    pub(super) async fn own(folder: &Path) -> Result<Self> {
        let deployment = Deployment::start(folder, 0).await?;
        let file = |name: &str| database::file_url(&deployment.data().file(name));
        let (capture, vault) = (file("capture.sqlite"), file("vault.sqlite"));
        let stolen = Stolen { capture, vault, keys: deployment.data().keys().clone() };
        let (endpoints, policy) = (deployment.endpoints.clone(), deployment.policy.clone());
        Ok(Self { endpoints, policy, own: Some(deployment), stolen })
    }

    /// The cluster that `just cluster` keeps in `folder`.
    pub(super) fn cluster(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let file = folder.join(name);
            fs::read_to_string(&file).with_context(|| format!("{}: is a cluster running there?", file.display()))
        };
        let endpoints = prove::endpoints(&folder.join("endpoints.json"))?;
        let mut databases: BTreeMap<String, String> = serde_json::from_str(&read("databases.json")?)?;
        let mut database = |name: &str| databases.remove(name).with_context(|| format!("databases.json: no {name}"));
        let stolen = Stolen {
            capture: database("capture")?,
            vault: database("vault")?,
            keys: KeyDir::existing(folder.join("keys/capture")),
        };
        Ok(Self { endpoints, policy: read("policy.txt")? + &read("policy-keys.txt")?, own: None, stolen })
    }

    /// What an insider has: the database of capture, and the keys of what is in it.
    pub(super) async fn insider(&self) -> Result<(Database, Vault)> {
        let Stolen { capture, vault, keys } = &self.stolen;
        let vault = Database::open(vault, &vault::PART).await?;
        let vault = Vault::open(vault, MasterKey::new(*keys.secret("master.key")?));
        Ok((Database::open(capture, &capture::PART).await?, vault))
    }

    /// Stops what it started.
    pub(super) async fn leave(self) {
        if let Some(deployment) = self.own {
            deployment.stop().await;
        }
    }
}
