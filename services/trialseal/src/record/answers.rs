//! The answers of a screening, and what the criteria make of them.

use anyhow::{Context, Result, bail, ensure};
use client::{Client, ClientError, Reader, random};
use proto::enrollment::EvaluateEligibilityRequest;
use seal::datapoint::{self, Datapoint};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Answers to the items of a screening, by item: a value, or a value with its unit.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Answers(BTreeMap<String, Answer>);

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Answer {
    Value(Value),
    WithUnit { value: Value, unit: String },
}

impl Answers {
    /// Reads a JSON object, such as `{"AGE": 42, "CONSENTED": true, "HB": {"value": "13.1", "unit": "g/dL"}}`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let place = |error: serde_json::Error| format!("line {} column {}", error.line(), error.column());
        let answers: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| anyhow::anyhow!("the answers: not a JSON object, at {}", place(error)))?;
        let answer = |(item, value): (String, Value)| {
            let read = match value {
                Value::Object(_) => serde_json::from_value(value).ok(),
                value => Some(Answer::Value(value)),
            };
            let read = read.with_context(|| format!("the answers: {item}: neither a value nor a value with a unit"))?;
            Ok((item, read))
        };
        answers.into_iter().map(answer).collect::<Result<_>>().map(Self)
    }

    /// Gives the answers as they are attached, and fills in what the signer states of them: their root and number, and, where
    /// the fields do not state them, the criteria in force and the outcome of each.
    pub async fn attach(
        self,
        client: &Client,
        signer: &Reader,
        fields: &mut Map<String, Value>,
    ) -> Result<Vec<Vec<u8>>> {
        ensure!(!self.0.is_empty(), "the answers: empty");
        let mut answers = Vec::with_capacity(self.0.len());
        for (item, answer) in self.0 {
            let (value, unit) = match answer {
                Answer::Value(value) => (value, String::new()),
                Answer::WithUnit { value, unit } => (value, unit),
            };
            let value = match value {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => bail!("the answers: {item}: must be text, a number, true or false"),
            };
            let nonce = random()?;
            answers.push(Datapoint { nonce, item, repeat: String::new(), value, unit }.to_bytes());
        }
        if !(fields.contains_key("criteria") && fields.contains_key("outcomes")) {
            evaluate(client, signer, fields, &answers).await?;
        }
        fields.insert("root".to_owned(), Value::from(datapoint::root(&answers).to_hex()));
        fields.insert("count".to_owned(), Value::from(answers.len()));
        Ok(answers)
    }
}

/// Asks what the criteria in force make of answers.
async fn evaluate(
    client: &Client,
    signer: &Reader,
    fields: &mut Map<String, Value>,
    answers: &[Vec<u8>],
) -> Result<()> {
    let site = fields.get("site").and_then(Value::as_str).context("the fields: `site` is missing")?;
    let (study, site) = (signer.study.to_string(), site.to_owned());
    let request = EvaluateEligibilityRequest { study, site, answers: answers.to_vec() };
    let answer = client.enrollment().evaluate_eligibility(signer.request(request)).await;
    let answer = answer.map_err(ClientError::from)?.into_inner();
    let outcome =
        |found: proto::enrollment::CriterionOutcome| json!({"criterion": found.criterion, "outcome": found.outcome});
    fields.insert("criteria".to_owned(), Value::from(answer.criteria));
    fields.insert("outcomes".to_owned(), answer.outcomes.into_iter().map(outcome).collect());
    Ok(())
}
