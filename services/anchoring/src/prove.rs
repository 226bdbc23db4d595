//! Assembling proof bundles: the verifier's own walk says what is lacking, and just that is fetched.

use crate::{
    Journals,
    store::Store,
    tiles::{Known, Source, Tiles, TilesError},
};
use access::ACCESS_HEADER;
use proto::{
    capture::{DiscloseDatapointRequest, capture_service_client::CaptureServiceClient},
    journal::{
        EntryView, FactProof, ProveFactsRequest, ReadEntriesRequest, journal_service_client::JournalServiceClient,
    },
};
use seal::{
    Hash,
    block::Block,
    bundle::{BlockPart, Bundle, EntryPart, FactPart, Withheld},
    entry::Entry,
    fact::{Fact, Subject},
    id::{Service, StreamId, Uuid},
    key::PublicKey,
    sha256,
    text::{Base64, Hex},
    verify::{Demand, Fault, walk},
};
use server::Problem;
use std::collections::BTreeMap;
use telemetry::Causes;
use tlog::{merkle::Tree, tile};
use tonic::{Code, Request, Status, metadata::MetadataMap};

/// The most parts fetched for one bundle.
const MAX_PARTS: usize = 512;

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
}

impl Prover {
    pub(crate) fn new(store: Store, tiles: Tiles, journals: Journals) -> Self {
        Self { store, tiles, journals }
    }

    /// The bundle of a datapoint, for a caller whose token the capture service accepts.
    pub(crate) async fn bundle(&self, wanted: Wanted, caller: &MetadataMap) -> Result<Bundle, Status> {
        let bundle = self.disclosed(&wanted, caller).await?;
        self.completed(bundle).await
    }

    /// The bundle of a command, for who holds its envelope.
    pub(crate) async fn record(
        &self,
        study: Uuid,
        service: Service,
        number: u64,
        envelope: Vec<u8>,
    ) -> Result<Bundle, Status> {
        let mut part = self.entry(study, service, number, false).await.map_err(|_| not_found())?;
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
        self.completed(bundle).await
    }

    /// Adds whatever the verifier's walk finds lacking, then the chain.
    async fn completed(&self, mut bundle: Bundle) -> Result<Bundle, Status> {
        let root_key = self.root_key(bundle.study).await?;
        for _ in 0..MAX_PARTS {
            let fault = match walk(&bundle, &root_key, &mut Vec::new()) {
                Ok(_) => return self.anchored(bundle).await,
                Err(fault) => fault,
            };
            match fault {
                Fault::Missing(_, demand) => self.supply(&mut bundle, demand).await?,
                Fault::Broken(failure) => {
                    tracing::error!(link = %failure.link, "a bundle cannot be proven from what is stored");
                    return Err(damaged());
                }
            }
        }
        Err(damaged())
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

    async fn root_key(&self, study: Uuid) -> Result<PublicKey, Status> {
        let proofs = self.prove(study, Service::Enrollment, 0, &[Subject::Study]).await?;
        let fact = proofs.first().and_then(|proof| Fact::parse(&proof.fact.as_ref()?.fact));
        match fact {
            Some(Fact::Study { root_key, .. }) => Ok(root_key),
            _ => Err(damaged()),
        }
    }

    async fn supply(&self, bundle: &mut Bundle, demand: Demand) -> Result<(), Status> {
        match demand {
            Demand::Entry { service, number, envelope } => {
                let part = self.entry(bundle.study, service, number, envelope).await?;
                bundle.entries.retain(|known| (known.service, known.number) != (service, number));
                bundle.entries.push(part);
            }
            Demand::Fact { service, number, subjects } => {
                let proofs = self.prove(bundle.study, service, number, &subjects).await?;
                let present = proofs.into_iter().find_map(|proof| fact_part(service, number, proof));
                bundle.facts.push(present.ok_or_else(damaged)?);
            }
        }
        Ok(())
    }

    async fn entry(&self, study: Uuid, service: Service, number: u64, envelope: bool) -> Result<EntryPart, Status> {
        let view = if envelope { EntryView::Full } else { EntryView::Bare };
        let request = ReadEntriesRequest {
            stream: service.stream(study).0.0.to_vec(),
            from: number,
            limit: 1,
            view: view.into(),
            study: String::new(),
        };
        let mut client = JournalServiceClient::new(self.journals.channel(service));
        let mut found = client.read_entries(self.journals.services.attach(Request::new(request))).await?.into_inner();
        let message = found.message().await?.ok_or_else(damaged)?;
        while found.message().await?.is_some() {} // a stream dropped before its end counts as an attack on the connection
        let envelope = envelope.then_some(Base64(message.envelope));
        Ok(EntryPart { service, number, entry: Base64(message.entry), envelope, path: Vec::new() })
    }

    async fn prove(
        &self,
        study: Uuid,
        service: Service,
        number: u64,
        subjects: &[Subject],
    ) -> Result<Vec<FactProof>, Status> {
        let request = ProveFactsRequest {
            stream: service.stream(study).0.0.to_vec(),
            number,
            keys: subjects.iter().map(|subject| subject.map_key(study).0.to_vec()).collect(),
            study: String::new(),
        };
        let mut client = JournalServiceClient::new(self.journals.channel(service));
        let answer = client.prove_facts(self.journals.services.attach(Request::new(request))).await?;
        Ok(answer.into_inner().proofs)
    }

    /// Adds blocks, their places on the chain and the checkpoint.
    async fn anchored(&self, mut bundle: Bundle) -> Result<Bundle, Status> {
        let (size, checkpoint) =
            self.store.checkpoint(u64::MAX).await.map_err(|error| database(&error))?.ok_or_else(not_yet)?;
        let mut blocks: BTreeMap<u64, BlockPart> = BTreeMap::new();
        for part in &mut bundle.entries {
            let stream: StreamId = part.service.stream(bundle.study);
            let block = self.store.holding(stream, part.number).await.map_err(|error| database(&error))?;
            let block = block.filter(|block| block.place < size).ok_or_else(not_yet)?;
            let parsed = Block::parse(&block.bytes).map_err(|_| damaged())?;
            let index = parsed.index_of(part.number).and_then(|index| usize::try_from(index).ok());
            part.path = hex(&Tree::new(&block.hashes).path(index.ok_or_else(damaged)?));
            if let std::collections::btree_map::Entry::Vacant(vacant) = blocks.entry(block.place) {
                let path = self.chain_path(block.place, size).await?;
                vacant.insert(BlockPart { block: Base64(block.bytes), index: block.place, path });
            }
        }
        bundle.blocks = blocks.into_values().collect();
        bundle.checkpoint = checkpoint;
        Ok(bundle)
    }

    async fn chain_path(&self, place: u64, size: u64) -> Result<Vec<Hex>, Status> {
        let wanted = tile::tiles_for_inclusion(place, size);
        let tiles = self.tiles.fetch(wanted, Known::new(), Source::Copies).await.map_err(|error| lacking(&error))?;
        tile::inclusion_path(&tiles, place, size).map(|path| hex(&path)).map_err(|_| damaged())
    }
}

fn fact_part(service: Service, number: u64, proof: FactProof) -> Option<FactPart> {
    let fact = proof.fact.filter(|fact| !fact.fact.is_empty())?;
    Some(FactPart {
        service,
        number,
        key: Hash::from_slice(&fact.key)?.into(),
        fact: Base64(fact.fact),
        salt: Base64(proof.salt),
        siblings: hashes(&proof.siblings),
    })
}

fn hashes(bytes: &[Vec<u8>]) -> Vec<Hex> {
    bytes.iter().filter_map(|bytes| Hash::from_slice(bytes)).map(Hex).collect()
}

fn hex(hashes: &[Hash]) -> Vec<Hex> {
    hashes.iter().copied().map(Hex).collect()
}

fn damaged() -> Status {
    Problem::new(Code::DataLoss, "STREAM_BROKEN", "what is stored does not prove this datapoint: run an audit").into()
}

fn not_found() -> Status {
    Problem::new(Code::NotFound, "NOT_FOUND", "there is no such command").into()
}

fn not_yet() -> Status {
    Problem::unavailable("NOT_ANCHORED_YET", "the entry is not under a published checkpoint yet: try again").into()
}

fn lacking(error: &TilesError) -> Status {
    tracing::error!(error = %Causes(error), "a tile cannot be had");
    Problem::unavailable("STORAGE_UNAVAILABLE", "the chain cannot be read now: try again").into()
}

fn database(error: &sqlx::Error) -> Status {
    tracing::error!(error = %Causes(error), "the database of blocks failed");
    Problem::unavailable("STORAGE_UNAVAILABLE", "the chain cannot be read now: try again").into()
}
