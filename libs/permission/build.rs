//! Lists every RPC there is, and demands that the built-in policies cover each.

use prost::Message;
use prost_types::FileDescriptorSet;
use std::{collections::BTreeSet, env, error::Error, fs, path::PathBuf};

/// What `proto/` defines, as it is kept beside the code generated from it.
const DESCRIPTORS: &str = "../proto/src/generated/descriptors.bin";
const POLICIES: &str = "policies";
/// The action of plain HTTP beside gRPC.
const HTTP: &str = "http";
/// What is served beside our own RPCs, on every port (grpc.health.v1, grpc.reflection.v1).
const EVERYWHERE: [&str; 4] = [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={DESCRIPTORS}");
    println!("cargo:rerun-if-changed={POLICIES}");
    let rpcs = rpcs()?;
    let mut named = named()?;
    if !named.remove(HTTP) {
        return Err(format!("no policy in {POLICIES} says who may use plain HTTP").into());
    }
    if let Some(rpc) = rpcs.difference(&named).next() {
        return Err(format!("no policy in {POLICIES} says who may call {rpc}").into());
    }
    if let Some(name) = named.difference(&rpcs).next() {
        return Err(format!("a policy in {POLICIES} names {name}, which is no RPC").into());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("rpcs.rs"), format!("&{:?}", rpcs.iter().collect::<Vec<_>>()))?;
    Ok(())
}

/// Every RPC, `package.Service/Method`.
fn rpcs() -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut rpcs: BTreeSet<String> = EVERYWHERE.map(str::to_owned).into();
    for file in FileDescriptorSet::decode(fs::read(DESCRIPTORS)?.as_slice())?.file {
        for service in &file.service {
            for method in &service.method {
                rpcs.insert(format!("{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    Ok(rpcs)
}

/// Every RPC a policy names.
fn named() -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut named = BTreeSet::new();
    for entry in fs::read_dir(POLICIES)? {
        let text = fs::read_to_string(entry?.path())?;
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        for line in code {
            let actions = line.split("Action::\"").skip(1).filter_map(|rest| rest.split('"').next());
            named.extend(actions.map(str::to_owned));
        }
    }
    Ok(named)
}
