//! One client of the load: what it chooses to send.

use super::{Load, Trial};
use crate::support::{seeded::Seeded, told::Asked};
use client::{Client, ClientError, Command, entry_number, new_uuid, parse_receipt, sign_form};
use seal::{
    Hash, dsse,
    id::{Name, Service, Uuid},
    key::SecretKey,
    sha256,
};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use synthetic::value;
use tokio::time::{MissedTickBehavior, interval, sleep};
use vocabulary::command::{GiveConsent, Payload, Provision, Submission, WithdrawalScope};

/// The longest a participant stays without consent: some captures come later after a withdrawal than any cache may keep.
const WITHOUT_CONSENT_MS: u64 = 9_000;

/// One client.
pub(super) struct Sender {
    load: Arc<Load>,
    client: Client,
    choices: Seeded,
    which: usize,
    next: u32,
    /// Forms this client captured, to be corrected: study, participant, repetition and latest entry.
    forms: Vec<(usize, usize, u32, u64)>,
}

impl Sender {
    pub(super) fn new(load: Arc<Load>, client: Client, which: usize) -> Self {
        let choices = Seeded::new(load.plan.seed, which as u64 + 1);
        Self { load, client, choices, which, next: 0, forms: Vec::new() }
    }

    pub(super) async fn run(mut self, until: Instant) {
        let mut every = interval(Duration::from_secs_f64(1.0 / self.load.plan.rate));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < until && !self.load.is_over() {
            every.tick().await;
            match self.choices.below(100) {
                0..80 => self.capture().await,
                80..94 => self.correct().await,
                _ => self.withdraw_for_a_while(until).await,
            }
        }
    }

    /// One of the studies and one of its participants.
    fn anybody(&mut self) -> (usize, usize) {
        let trial = self.choices.below(self.load.plan.studies as u64) as usize;
        (trial, self.choices.below(self.load.plan.participants as u64) as usize)
    }

    async fn capture(&mut self) {
        let (trial, who) = self.anybody();
        let repeat = self.next;
        self.next += 1;
        if let Some(number) = self.submit((trial, who), repeat, None).await {
            self.forms.push((trial, who, repeat, number));
        }
    }

    async fn correct(&mut self) {
        if self.forms.is_empty() {
            return;
        }
        let place = self.choices.below(self.forms.len() as u64) as usize;
        let (trial, who, repeat, latest) = self.forms.swap_remove(place);
        if let Some(number) = self.submit((trial, who), repeat, Some(latest)).await {
            self.forms.push((trial, who, repeat, number));
        }
    }

    async fn submit(&mut self, (trial, who): (usize, usize), repeat: u32, corrects: Option<u64>) -> Option<u64> {
        let load = self.load.clone();
        let Trial { study, participants } = &load.trials[trial];
        let mut header = study.header(&participants[who], &format!("CLIENT {}", self.which), "VS", repeat).unwrap();
        (header.corrects, header.reason) = (corrects, corrects.map(|_| "misread".to_owned()));
        let asked = (study.id, header.request, participants[who].name.clone());
        let pressure = 90 + self.choices.below(90);
        let values = vec![value("SYSBP", &pressure.to_string()), value("DIABP", "80")];
        let form = sign_form(header, values, &study.coordinator.key).unwrap();
        let asked = of(asked, Service::Capture, Submission::KIND, &form.envelope);
        let receipt = load.drive(&asked, || self.client.submit(form.clone())).await?;
        entry_number(&receipt)
    }

    /// A participant withdraws; others go on asking for captures meanwhile; then they consent anew.
    async fn withdraw_for_a_while(&mut self, until: Instant) {
        let (trial, who) = self.anybody();
        let load = self.load.clone();
        let Trial { study, participants } = &load.trials[trial];
        let participant = &participants[who];
        let withdraw = study.withdrawal(participant, WithdrawalScope::Everything).unwrap();
        self.record(&withdraw, &participant.name, &[&participant.key]).await;
        let pause = Duration::from_millis(self.choices.below(WITHOUT_CONSENT_MS));
        sleep(pause.min(until.saturating_duration_since(Instant::now()))).await; // how long a person takes
        self.capture_of((trial, who)).await;
        let mut anew: GiveConsent = study.consent_to(participant, "1.0", vec![Provision::data_collection()]).unwrap();
        let keys = [&participant.key, &study.investigator.key];
        // Signed on what is newest, which others may change meanwhile.
        while let Some(newest) = self.record(&anew, &participant.name, &keys).await {
            (anew.request, anew.seen) = (new_uuid().unwrap(), Some(newest.into()));
        }
    }

    /// Asks for a capture of somebody who withdrew: late enough, it must be refused.
    async fn capture_of(&mut self, of: (usize, usize)) {
        let repeat = self.next;
        self.next += 1;
        self.submit(of, repeat, None).await;
    }

    /// Records a command; gives what its signer should have seen, if it is refused for that.
    async fn record<C: Command>(&self, command: &C, participant: &Name, keys: &[&SecretKey]) -> Option<Hash> {
        let newest = Mutex::new(None);
        let envelope = dsse::sign(command, keys);
        let asked = (command.study(), command.request(), participant.clone());
        let asked = of(asked, Service::Consent, C::KIND, &envelope);
        let send = || async {
            let sent = command.send(&self.client, envelope.clone()).await.map_err(ClientError::from);
            *newest.lock().unwrap() = sent.as_ref().err().and_then(ClientError::newest);
            let receipt = sent?;
            receipt.and_then(parse_receipt).ok_or(ClientError::Nonsense("no receipt"))
        };
        self.load.drive(&asked, send).await;
        newest.into_inner().unwrap()
    }
}

fn of(
    (study, request, participant): (Uuid, Uuid, Name),
    service: Service,
    kind: &'static str,
    envelope: &[u8],
) -> Asked {
    Asked { study, service, request, kind, participant, envelope: sha256(&[envelope]).to_hex() }
}
