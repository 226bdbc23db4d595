//! What clients asked for and were told, on disk before anything is done about it: what the checker judges by.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part; a test may panic

use super::receipts::Told as Kept;
use client::now_ms;
use seal::{
    id::{Name, Service, Uuid},
    receipt::Receipt,
};
use serde_json::{Value, json};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::mpsc,
    thread,
};
use synthetic::Study;
use tokio::sync::oneshot;

/// A command as the log names it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub study: Uuid,
    pub service: Service,
    pub request: Uuid,
    pub kind: &'static str,
    pub participant: Name,
    /// SHA-256 of the envelope.
    pub envelope: String,
}

/// A file of JSON lines; each is on disk when `append` is done. Those that wait share one write.
struct Lines(mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>);

impl Lines {
    fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        let (lines, waiting) = mpsc::channel();
        thread::spawn(move || write(file, &waiting));
        Self(lines)
    }

    async fn append(&self, line: &Value) {
        let (written, done) = oneshot::channel();
        self.0.send((format!("{line}\n").into_bytes(), written)).unwrap();
        done.await.unwrap();
    }
}

fn write(mut file: File, waiting: &mpsc::Receiver<(Vec<u8>, oneshot::Sender<()>)>) {
    while let Ok((mut bytes, first)) = waiting.recv() {
        let mut written = vec![first];
        for (more, done) in waiting.try_iter() {
            bytes.extend(more);
            written.push(done);
        }
        file.write_all(&bytes).and_then(|()| file.sync_data()).unwrap();
        for done in written {
            let _nobody_waits = done.send(());
        }
    }
}

/// The folder of what was told.
pub struct Told {
    studies: Lines,
    commands: Lines,
    checkpoints: Lines,
}

impl Told {
    pub fn open(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let lines = |name: &str| Lines::open(&folder.join(format!("{name}.jsonl")));
        Self { studies: lines("studies"), commands: lines("commands"), checkpoints: lines("checkpoints") }
    }

    pub async fn study(&self, study: &Study) {
        let Study { id, root, auditor, .. } = study;
        let (root_key, auditor_key) = (root.key.public(), auditor.key.to_secret_text());
        let line = json!({ "study": id, "root_key": root_key, "auditor": auditor.name, "auditor_key": *auditor_key });
        self.studies.append(&line).await;
    }

    pub async fn attempt(&self, asked: &Asked) {
        let Asked { study, service, request, kind, participant, envelope } = asked;
        let what = json!({ "kind": kind, "participant": participant, "envelope": envelope });
        self.event("attempt", (study, service, request), what).await;
    }

    pub async fn acknowledged(&self, asked: &Asked, receipt: &Receipt) {
        let of = (&asked.study, &asked.service, &asked.request);
        self.event("acknowledged", of, json!({ "receipt": Kept::from(receipt) })).await;
    }

    pub async fn refused(&self, asked: &Asked, reason: &str) {
        let of = (&asked.study, &asked.service, &asked.request);
        self.event("refused", of, json!({ "reason": reason })).await;
    }

    async fn event(&self, event: &str, (study, service, request): (&Uuid, &Service, &Uuid), mut rest: Value) {
        rest["event"] = event.into();
        rest["at"] = now_ms().into();
        rest["study"] = json!(study);
        rest["service"] = json!(service.name());
        rest["request"] = json!(request);
        self.commands.append(&rest).await;
    }

    pub async fn checkpoint(&self, source: &str, note: &str) {
        self.checkpoints.append(&json!({ "at": now_ms(), "source": source, "note": note })).await;
    }
}
