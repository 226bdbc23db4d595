//! Assembling proof bundles: from a datapoint or a command to the root key, and from there to the checkpoint.

use crate::{
    Journals,
    collect::{collect, damaged, written},
    store::Store,
    tiles::{Source, TileHashes, Tiles, TilesError},
    turns::{Present, Turns},
};
use problem::Problem;
use proto::capture::{DiscloseDatapointRequest, capture_service_client::CaptureServiceClient};
use seal::{
    Hash,
    block::Block,
    bundle::{BlockPart, Bundle, EntryPart, Withheld},
    entry::Entry,
    id::{Service, StreamId, Uuid},
    sha256,
    text::{Base64, Hex},
};
use std::collections::BTreeMap;
use telemetry::Causes;
use tlog::{merkle::Tree, tile};
use token::ACCESS_HEADER;
use tonic::{Code, Request, Status, metadata::MetadataMap};

/// Which datapoint a bundle is for.
pub(crate) struct Wanted {
    pub(crate) study: Uuid,
    pub(crate) entry: u64,
    pub(crate) item: String,
    pub(crate) repeat: String,
}

/// Builds bundles.
pub(crate) struct Prover {
    store: Store,
    tiles: Tiles,
    journals: Journals,
    turns: Turns,
}

/// A block that holds entries of a bundle.
struct Held {
    block: Block,
    tree: Tree,
    part: BlockPart,
}

impl Prover {
    pub(crate) fn new(store: Store, tiles: Tiles, journals: Journals) -> Self {
        Self { store, tiles, journals, turns: Turns::for_cores() }
    }

    /// The bundle file of a datapoint, for a caller whose token the capture service accepts.
    pub(crate) async fn bundle(&self, wanted: Wanted, caller: &MetadataMap) -> Result<Vec<u8>, Status> {
        let present = self.turns.enter()?; // before the read is recorded: a refusal uses nothing up
        let bundle = self.disclosed(&wanted, caller).await?;
        self.completed(bundle, present).await
    }

    /// The bundle file of a command, for who holds its envelope.
    pub(crate) async fn record(
        &self,
        study: Uuid,
        service: Service,
        number: u64,
        envelope: Vec<u8>,
    ) -> Result<Vec<u8>, Status> {
        let present = self.turns.enter()?;
        let mut part = self.journals.entry(study, service, number, false).await.map_err(|_| not_found())?;
        let recorded = Entry::parse(&part.entry.0).map_err(|_| damaged())?.envelope;
        if sha256(&[&envelope]) != recorded {
            return Err(not_found());
        }
        part.envelope = Some(Base64(envelope));
        let bundle = Bundle {
            study,
            submission: number,
            datapoint: Base64::default(),
            index: 0,
            path: Vec::new(),
            entries: vec![part],
            facts: Vec::new(),
            blocks: Vec::new(),
            checkpoint: String::new(),
            record: Some(service),
            withheld: None,
        };
        self.completed(bundle, present).await
    }

    /// The beginning of a bundle: the datapoint, the submission and its entry.
    async fn disclosed(&self, wanted: &Wanted, caller: &MetadataMap) -> Result<Bundle, Status> {
        let message = DiscloseDatapointRequest {
            study: wanted.study.to_string(),
            entry: wanted.entry,
            item: wanted.item.clone(),
            repeat: wanted.repeat.clone(),
        };
        let mut request = Request::new(message);
        if let Some(token) = caller.get("authorization") {
            request.metadata_mut().insert("authorization", token.clone());
        }
        if let Some(access) = caller.get_bin(ACCESS_HEADER) {
            request.metadata_mut().insert_bin(ACCESS_HEADER, access.clone());
            request.extensions_mut().insert(channel::Once); // it opens one read
        }
        let mut capture = CaptureServiceClient::new(self.journals.capture.clone());
        let disclosed = capture.disclose_datapoint(request).await?.into_inner();
        let withheld = disclosed.withheld.map(|withheld| match Hash::from_slice(&withheld.leaf) {
            Some(leaf) => Withheld::Redacted { entry: withheld.entry, leaf: leaf.into() },
            None => Withheld::Erased { entry: withheld.entry },
        });
        let erased = matches!(withheld, Some(Withheld::Erased { .. }));
        Ok(Bundle {
            study: wanted.study,
            submission: wanted.entry,
            datapoint: Base64(disclosed.datapoint),
            index: disclosed.index,
            path: hashes(&disclosed.path),
            entries: vec![EntryPart {
                service: Service::Capture,
                number: wanted.entry,
                entry: Base64(disclosed.entry),
                envelope: Some(Base64(disclosed.envelope)).filter(|_| !erased),
                path: Vec::new(),
            }],
            facts: Vec::new(),
            blocks: Vec::new(),
            checkpoint: String::new(),
            record: None,
            withheld,
        })
    }

    /// Completes a bundle: first up to the study's root key, then up to the checkpoint. An entry that is not on the chain yet
    /// costs no walk.
    async fn completed(&self, bundle: Bundle, present: Present) -> Result<Vec<u8>, Status> {
        let service = bundle.record.unwrap_or(Service::Capture);
        let (size, _) = self.checkpoint().await?;
        self.held(service.stream(bundle.study), bundle.submission, size).await?;
        let root_key = self.journals.root_key(bundle.study).await?;
        let bundle = collect(&self.journals, bundle, root_key, present.turn().await?).await?;
        written(&self.anchored(bundle).await?)
    }

    async fn checkpoint(&self) -> Result<(u64, String), Status> {
        self.store.checkpoint(u64::MAX).await.map_err(|error| database(&error))?.ok_or_else(not_yet)
    }

    /// Adds blocks, their places on the chain and the checkpoint. Each block is read once.
    async fn anchored(&self, mut bundle: Bundle) -> Result<Bundle, Status> {
        let (size, checkpoint) = self.checkpoint().await?;
        let mut held: BTreeMap<(Service, u64), Held> = BTreeMap::new();
        for part in &mut bundle.entries {
            let (service, number) = (part.service, part.number);
            let near = held.range((service, 0)..=(service, number)).next_back();
            let known = near.and_then(|(first, held)| held.block.index_of(number).map(|_| *first));
            let first = match known {
                Some(first) => first,
                None => {
                    let found = self.held(service.stream(bundle.study), number, size).await?;
                    let first = (service, found.block.first);
                    held.insert(first, found);
                    first
                }
            };
            let held = &held[&first];
            let index = held.block.index_of(number).and_then(|index| usize::try_from(index).ok());
            part.path = hex(&held.tree.path(index.ok_or_else(damaged)?));
        }
        bundle.blocks = held.into_values().map(|held| held.part).collect();
        bundle.blocks.sort_by_key(|part| part.index);
        bundle.checkpoint = checkpoint;
        Ok(bundle)
    }

    /// The block that holds an entry, on a chain of `size` blocks.
    async fn held(&self, stream: StreamId, number: u64, size: u64) -> Result<Held, Status> {
        let found = self.store.holding(stream, number).await.map_err(|error| database(&error))?;
        let found = found.filter(|found| found.place < size).ok_or_else(not_yet)?;
        let block = Block::parse(&found.bytes).map_err(|_| damaged())?;
        let path = self.chain_path(found.place, size).await?;
        let part = BlockPart { block: Base64(found.bytes), index: found.place, path };
        Ok(Held { block, tree: Tree::new(&found.hashes), part })
    }

    async fn chain_path(&self, place: u64, size: u64) -> Result<Vec<Hex>, Status> {
        let wanted = tile::tiles_for_inclusion(place, size);
        let tiles =
            self.tiles.fetch(wanted, TileHashes::new(), Source::Copies).await.map_err(|error| lacking(&error))?;
        tile::inclusion_path(&tiles, place, size).map(|path| hex(&path)).map_err(|_| damaged())
    }
}

pub(crate) fn hashes(bytes: &[Vec<u8>]) -> Vec<Hex> {
    bytes.iter().filter_map(|bytes| Hash::from_slice(bytes)).map(Hex).collect()
}

fn hex(hashes: &[Hash]) -> Vec<Hex> {
    hashes.iter().copied().map(Hex).collect()
}

fn not_found() -> Status {
    Problem::new(Code::NotFound, "NOT_FOUND", "there is no such command").into()
}

fn not_yet() -> Status {
    Problem::unavailable("NOT_ANCHORED_YET", "the entry is not covered by a published checkpoint yet: try again").into()
}

fn lacking(error: &TilesError) -> Status {
    tracing::error!(error = %Causes(error), "a tile is unavailable");
    Problem::unavailable("STORAGE_UNAVAILABLE", "the chain cannot be read now: try again").into()
}

fn database(error: &sqlx::Error) -> Status {
    tracing::error!(error = %Causes(error), "the database of blocks failed");
    Problem::unavailable("STORAGE_UNAVAILABLE", "the chain cannot be read now: try again").into()
}
