//! Whose key is valid, for services.

use super::{Inner, name};
use access::{Caller, FactSource};
use proto::enrollment as pb;
use server::{Problem, admit_service, study};

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
