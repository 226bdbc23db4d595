//! Captures a value, proves it, verifies the proof and follows the journal.

use client::seal::{datapoint::Datapoint, id::Service, key::SecretKey, policy::Policy};
use client::{Access, Client, Endpoints, Reader, entry_number, sign_form, verify, vocabulary::command::Submission};
use std::{error::Error, fs, path::Path};

/// Captures a value and gives what is proven of it. Arguments: endpoints.json, the policy with its keys, the header of a form as
/// JSON, the key file of who captures, the auditor's name and key file.
pub async fn run(arguments: &[String]) -> Result<String, Box<dyn Error>> {
    let [endpoints, policy, header, key, auditor, auditors_key] = arguments else { return Err("six arguments".into()) };
    let client = Client::new(&Endpoints::read(Path::new(endpoints))?)?;
    let header: Submission = serde_json::from_slice(&fs::read(header)?)?;
    let (study, repeat, unit) = (header.study, String::new(), "mmHg".to_owned());
    let value = Datapoint { nonce: [0; 16], item: "SYSBP".to_owned(), repeat, value: "120".to_owned(), unit };

    // Signed by who captures, recorded only under consent in force: the receipt is the service's signed promise.
    let form = sign_form(header, vec![value], &SecretKey::from_secret_text(&fs::read_to_string(key)?)?)?;
    let receipt = client.submit(form.clone()).await?;
    let entry = entry_number(&receipt).ok_or("a receipt without an entry")?;

    // Many forms over one call, each recorded or refused for itself. Sending a form again is safe: it has its receipt.
    let mut answers = client.stream(tokio_stream::iter([form])).await?;
    while let Some(answer) = answers.next().await? {
        match answer {
            Ok(again) => println!("recorded as entry {:?}", entry_number(&again)),
            Err(refusal) => println!("refused: {refusal}"),
        }
    }

    // The bundle once the entry is on the chain, verified offline by the policy's keys alone.
    let access = Some(Access::everybody("audit".parse()?));
    let key = SecretKey::from_secret_text(&fs::read_to_string(auditors_key)?)?;
    let auditor = Reader { study, actor: auditor.parse()?, key, access };
    let claim =
        verify(&client.prove(&auditor, entry, "SYSBP", "").await?, &Policy::parse(&fs::read_to_string(policy)?)?)?;

    // The journal from there on, each entry checked to follow the one before.
    println!("{} in a {}", claim.value, client.follow(&auditor, Service::Capture, entry).next().await?.kind);
    Ok(claim.value)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&std::env::args().skip(1).collect::<Vec<_>>()).await.map(drop)
}
