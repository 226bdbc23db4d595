//! The parts of bundles, as the journals of the recording services have them.

use crate::{
    Journals,
    collect::{Source, damaged},
    prove::hashes,
};
use proto::journal::{
    EntryView, FactProof, ProveFactsRequest, ReadEntriesRequest, journal_service_client::JournalServiceClient,
};
use seal::{
    Hash,
    bundle::{EntryPart, FactPart},
    id::{Service, Uuid},
    key::PublicKey,
    text::Base64,
    verify::{Demand, Part},
};
use tonic::{Request, Status};
use vocabulary::{
    fact::Fact,
    subject::{self, Subject},
};

impl Source for Journals {
    async fn fetch(&self, study: Uuid, demand: Demand) -> Result<Part, Status> {
        match demand {
            Demand::Entry { service, number, envelope } => {
                self.entry(study, service, number, envelope).await.map(Part::Entry)
            }
            Demand::Fact { service, number, subjects } => {
                let proofs = self.prove(study, service, number, &subjects).await?;
                let present = proofs.into_iter().find_map(|proof| fact_part(service, number, proof));
                present.map(Part::Fact).ok_or_else(damaged)
            }
        }
    }

    async fn charge(&self) {
        server::charge_more(1).await;
    }
}

impl Journals {
    /// The root key a study was created with.
    pub(crate) async fn root_key(&self, study: Uuid) -> Result<PublicKey, Status> {
        let proofs = self.prove(study, Service::Enrollment, 0, &[subject::study()]).await?;
        let fact = proofs.first().and_then(|proof| Fact::parse(&proof.fact.as_ref()?.fact));
        match fact {
            Some(Fact::Study { root_key, .. }) => Ok(root_key),
            _ => Err(damaged()),
        }
    }

    /// An entry, with its envelope if so wanted.
    pub(crate) async fn entry(
        &self,
        study: Uuid,
        service: Service,
        number: u64,
        envelope: bool,
    ) -> Result<EntryPart, Status> {
        let view = if envelope { EntryView::Full } else { EntryView::Bare };
        let request = ReadEntriesRequest {
            stream: service.stream(study).0.0.to_vec(),
            from: number,
            limit: 1,
            view: view.into(),
            study: String::new(),
        };
        let mut client = JournalServiceClient::new(self.channel(service));
        let mut found = client.read_entries(self.services.attach(Request::new(request))).await?.into_inner();
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
        let mut client = JournalServiceClient::new(self.channel(service));
        let answer = client.prove_facts(self.services.attach(Request::new(request))).await?;
        Ok(answer.into_inner().proofs)
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
