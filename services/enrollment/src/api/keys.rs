//! Whose key is valid, for services.

use super::{Inner, name};
use access::admit_service;
use caller::Caller;
use facts::FactSource;
use problem::{Problem, study};
use proto::enrollment as pb;

impl Inner {
    pub(super) async fn find_key(
        &self,
        from: &Caller,
        request: pb::FindKeyRequest,
    ) -> Result<pb::FindKeyResponse, Problem> {
        admit_service(from)?;
        let (study, actor) = (study(&request.study)?, name("actor", &request.actor)?);
        let key = self.facts.key_of(study, &actor).await?;
        Ok(pb::FindKeyResponse { key: key.map_or_else(String::new, |key| key.to_string()) })
    }
}
