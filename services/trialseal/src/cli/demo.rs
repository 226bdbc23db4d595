//! `trialseal demo`.

use super::endpoints;
use crate::{deployment::Deployment, keys::KeyDir};
use anyhow::{Context, Result};
use database::Database;
use demo::{Stage, Story};
use std::{collections::BTreeMap, fs, path::Path};
use vault::{MasterKey, Vault};

/// Tells the story in `folder`: on a deployment of its own there, or on the `cluster` whose folder is given.
pub(super) async fn run(folder: &Path, cluster: Option<&Path>) -> Result<()> {
    let story = Story::begin(folder, cluster.is_some())?;
    match cluster {
        Some(cluster) => story.tell(of_cluster(cluster).await?).await?,
        None => {
            let deployment = Deployment::start(folder, 0).await?;
            story.tell(own(&deployment).await?).await?;
            deployment.stop().await;
        }
    }
    story.end();
    Ok(())
}

/// A deployment of its own, in this process.
async fn own(deployment: &Deployment) -> Result<Stage> {
    let file = |name: &str| database::file_url(&deployment.data().file(name));
    let (capture, vault) = insider(&file("capture.sqlite"), &file("vault.sqlite"), deployment.data().keys()).await?;
    Ok(Stage { endpoints: deployment.endpoints.clone(), policy: deployment.policy.clone(), capture, vault })
}

/// The cluster that `just cluster` keeps in `folder`.
async fn of_cluster(folder: &Path) -> Result<Stage> {
    let read = |name: &str| {
        let file = folder.join(name);
        fs::read_to_string(&file).with_context(|| format!("{}: is a cluster running there?", file.display()))
    };
    let endpoints = endpoints(&folder.join("endpoints.json"))?;
    let databases: BTreeMap<String, String> = serde_json::from_str(&read("databases.json")?)?;
    let database = |name: &str| databases.get(name).with_context(|| format!("databases.json: no {name}"));
    let keys = KeyDir::existing(folder.join("keys/capture"));
    let (capture, vault) = insider(database("capture")?, database("vault")?, &keys).await?;
    Ok(Stage { endpoints, policy: read("policy.txt")? + &read("policy-keys.txt")?, capture, vault })
}

/// The databases of capture and its vault, and the key that the vault's keys are encrypted under.
async fn insider(capture: &str, vault: &str, keys: &KeyDir) -> Result<(Database, Vault)> {
    let vault = Database::open(vault, &vault::PART).await?;
    let vault = Vault::open(vault, MasterKey::new(*keys.secret("master.key")?));
    Ok((Database::open(capture, &capture::PART).await?, vault))
}
