//! The chain's files over HTTP: for caches, for pages of any origin, for Go's packages, and before there is any block.

use crate::{BLOCKS, Chain, eventually, fill};
use database::Database;
use flate2::read::GzDecoder;
use proto::anchoring::{GetCheckpointRequest, GetConsistencyProofRequest};
use serde_json::{Value, json};
use server::{bind, serve};
use std::{fs, future::pending, io::Read};
use testbed::judges::go;
use tlog::{
    Hash,
    key::{Algorithm, SignerKey},
    note::Note,
};
use tonic::codegen::{Bytes, http::Response};

/// The value of a header; empty if it is not there.
fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chains_files_are_cached_packed_and_read_by_pages_of_any_origin() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder.path().join("anchoring.sqlite"), 300).await;
    let chain = Chain::empty(folder.path(), "quorum none\n").await;
    chain.beyond(299).await;
    for (name, cached, packs) in [
        ("tile/0/000", "immutable", false),
        ("tile/entries/000", "immutable", true),
        ("checkpoint", "max-age=1", false),
    ] {
        let plain = chain.ask("GET", name, &[]).await;
        let tag = header(&plain, "etag").to_owned();
        assert!(tag.len() > 16 && tag.starts_with('"') && tag.ends_with('"'), "{name}: {tag}");
        assert!(header(&plain, "cache-control").contains(cached), "{name}");
        assert_eq!((header(&plain, "access-control-allow-origin"), header(&plain, "content-encoding")), ("*", ""));
        assert_eq!(chain.ask("GET", name, &[]).await.headers()["etag"], tag, "{name}: the same file, the same tag");

        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let same = chain.ask("GET", name, &[("if-none-match", &known)]).await;
            assert_eq!((same.status().as_u16(), same.body().len()), (304, 0), "{name}: {known}");
            assert_eq!(
                (header(&same, "etag"), header(&same, "cache-control")),
                (&*tag, header(&plain, "cache-control"))
            );
            assert_eq!(header(&same, "access-control-allow-origin"), "*");
        }
        assert_eq!(chain.ask("GET", name, &[("if-none-match", "\"x\"")]).await.body(), plain.body(), "{name}");

        let packed = chain.ask("GET", name, &[("accept-encoding", "br, GZIP;q=0.5")]).await;
        assert_eq!(header(&packed, "content-encoding"), if packs { "gzip" } else { "" }, "{name}");
        let mut unpacked = Vec::new();
        if packs {
            GzDecoder::new(&packed.body()[..]).read_to_end(&mut unpacked).unwrap();
            assert!(packed.body().len() < unpacked.len() * 3 / 4, "{name}: {}", packed.body().len());
            assert_ne!(header(&packed, "etag"), tag, "{name}: other bytes, another tag");
            assert_eq!((header(&packed, "vary"), header(&plain, "vary")), ("accept-encoding", "accept-encoding"));
            let known = [("accept-encoding", "gzip"), ("if-none-match", header(&packed, "etag"))];
            assert_eq!(chain.ask("GET", name, &known).await.status(), 304);
        } else {
            unpacked = packed.body().to_vec();
        }
        assert_eq!(unpacked, plain.body()[..], "{name}");
        for encoding in ["gzip;q=0", "identity", "br", "*", ""] {
            let answer = chain.ask("GET", name, &[("accept-encoding", encoding)]).await;
            assert_eq!((header(&answer, "content-encoding"), answer.body()), ("", plain.body()), "{name}: {encoding}");
        }

        let preflight = [("origin", "https://monitor.example"), ("access-control-request-method", "GET")];
        let allowed = chain.ask("OPTIONS", name, &preflight).await;
        assert_eq!(allowed.status(), 204, "{name}");
        assert_eq!(
            (header(&allowed, "access-control-allow-origin"), header(&allowed, "access-control-allow-methods")),
            ("*", "GET, HEAD")
        );
        assert_eq!(header(&allowed, "access-control-allow-headers"), "if-none-match");
        let head = chain.ask("HEAD", name, &[]).await;
        assert_eq!((head.status().as_u16(), header(&head, "etag"), head.body().len()), (200, &*tag, 0), "{name}");
    }
    let beyond = chain.ask("GET", "tile/0/099", &[]).await;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "access-control-allow-origin")), (404, "*"));
    for path in ["", "tiles/0/000", "checkpoints", "tile"] {
        let none = chain.ask("GET", path, &[]).await;
        assert_eq!((none.status().as_u16(), header(&none, "grpc-status")), (404, ""), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gos_packages_agree_on_tiles_of_three_levels_on_inclusion_and_on_consistency() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder.path().join("anchoring.sqlite"), BLOCKS).await;
    let mut chain = Chain::empty(folder.path(), "quorum none\n").await;
    chain.beyond(BLOCKS - 1).await;
    let (mut checkpoints, mut sizes, mut at_most) = (Vec::new(), Vec::new(), 0);
    while let Ok(answer) = chain.client.get_checkpoint(GetCheckpointRequest { at_most }).await {
        let note = answer.into_inner().checkpoint;
        let size = chain.policy.verify_checkpoint(note.as_bytes()).unwrap().checkpoint.size;
        checkpoints.push(note);
        sizes.push(size);
        at_most = size.saturating_sub(1);
        if at_most == 0 {
            break;
        }
    }
    assert!(sizes.len() >= 4 && sizes[0] == BLOCKS, "{sizes:?}");
    let mut consistency = Vec::new();
    for (second, first) in sizes.iter().zip(&sizes[1..]).map(|(second, first)| (*second, *first)) {
        let request = GetConsistencyProofRequest { first, second };
        let hashes = chain.client.get_consistency_proof(request).await.unwrap().into_inner().hashes;
        let hashes: Vec<String> = hashes.iter().map(|hash| Hash::from_slice(hash).unwrap().to_base64()).collect();
        consistency.push(json!({ "first": first, "second": second, "hashes": hashes }));
    }
    let proofs = folder.path().join("proofs.json");
    let count = consistency.len();
    fs::write(&proofs, json!({ "checkpoints": checkpoints, "consistency": consistency }).to_string()).unwrap();
    let vkey = chain.policy.logs()[0].key.to_string();
    let judge = |url: String, vkey: String| {
        let mut judge = go("tlog");
        judge.args([url, vkey]).arg(&proofs);
        tokio::task::spawn_blocking(move || judge.output().unwrap())
    };
    let output = judge(chain.url.clone(), vkey).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let judged: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&judged["size"], &judged["entries"]), (&BLOCKS.into(), &BLOCKS.into()), "{judged}");
    assert_eq!(judged["consistency"], count, "{judged}");
    assert!(judged["proven"].as_u64().unwrap() > BLOCKS / 100, "{judged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_without_blocks_has_a_checkpoint_once_its_witnesses_cosigned_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = SignerKey::from_seed("witness.example/w", Algorithm::CosignatureMlDsa44, [8; 32]).unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener); // nobody answers there yet
    let quorum = format!("witness w {} http://{address}\nquorum w\n", key.verifier());
    let chain = Chain::empty(folder.path(), &quorum).await;
    assert_eq!(chain.ask("GET", "checkpoint", &[]).await.status(), 404);

    let database = Database::open_file(&folder.path().join("w.sqlite"), &witness::PART).await.unwrap();
    let chains = chain.policy.logs().iter().map(|log| log.key.clone()).collect();
    let listener = bind(address).await.unwrap();
    tokio::spawn(serve(listener, witness::open(witness::Config { database, key, chains }), pending()));
    let checkpoint = eventually("a checkpoint of nothing", async || chain.checkpoint().await).await;
    assert_eq!((checkpoint.size, checkpoint.root), (0, tlog::merkle::empty_root()));
    let served = chain.ask("GET", "checkpoint", &[]).await;
    assert_eq!(chain.policy.verify_checkpoint(served.body()).unwrap().cosigned_by.len(), 1);
    assert_eq!(chain.ask("GET", "tile/0/000.p/1", &[]).await.status(), 404);
    let opened = Note::parse(served.body()).unwrap();
    assert_eq!(opened.text, "files.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
    eventually("its copy", async || fs::read(folder.path().join("chain/checkpoint")).ok()).await;
}
