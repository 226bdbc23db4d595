//! Taking out what is stored of an earlier entry: the entry stays, the old bytes are nowhere.

use crate::*;

on_both! {
    #[tokio::test] what_is_stored_of_an_earlier_entry_is_replaced_and_the_entry_stays;
    #[tokio::test] a_refused_proposal_replaces_nothing_and_its_neighbours_go_on;
}

/// Sealed content no other bytes of these tests look like.
fn content(mark: &str, length: usize) -> Vec<u8> {
    mark.bytes().cycle().take(length).collect()
}

/// Stores `stored` and, in place of what was stored of earlier entries, `replaced`.
fn replacing(to: StreamId, number: u64, stored: &[u8], replaced: Vec<(u64, Vec<u8>)>) -> Proposal<Refusal> {
    let facts = vec![(key(1), number.to_be_bytes().to_vec())];
    Proposal {
        stored: stored.to_vec(),
        rule: Box::new(move |_, _| Ok(Decision { facts, replaced })),
        ..plain(to, number)
    }
}

/// The files of the database, its write-ahead log among them, that hold this text.
fn holding(database: &Database, mark: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(database.folder.path()).unwrap().map(|file| file.unwrap().path());
    let holds = |path: &PathBuf| std::fs::read(path).unwrap().windows(mark.len()).any(|found| found == mark.as_bytes());
    files.filter(holds).collect()
}

async fn stored(journal: &Journal<Refusal>, to: StreamId, number: u64) -> Vec<u8> {
    journal.reader().entry(to, number).await.unwrap().stored
}

async fn what_is_stored_of_an_earlier_entry_is_replaced_and_the_entry_stays(database: Database) {
    let journal = database.open().await;
    let (small, large) = (content("a name ", 60), content("a long name ", 20_000));
    let mut receipts = Vec::new();
    for (number, bytes) in [(0, &small), (1, &large), (2, &small)] {
        receipts.push(journal.append(replacing(stream(0), number, bytes, Vec::new())).await.unwrap());
    }
    let elsewhere = journal.append(replacing(stream(1), 0, &small, Vec::new())).await.unwrap();
    let taken_out = vec![(0, b"leaf 0".to_vec()), (1, b"leaf 1".to_vec())];
    receipts.push(journal.append(replacing(stream(0), 3, b"redaction", taken_out.clone())).await.unwrap());
    drop(journal);

    let journal = database.open().await;
    let expected: [&[u8]; 4] = [b"leaf 0", b"leaf 1", &small, b"redaction"];
    for (number, bytes) in (0..).zip(expected) {
        assert_eq!(stored(&journal, stream(0), number).await, bytes);
    }
    assert_eq!(stored(&journal, stream(1), 0).await, small, "the other journal has entries of the same numbers");
    for (number, receipt) in (0..).zip(&receipts) {
        assert_eq!(&journal.reader().receipt(stream(0), number).await.unwrap(), receipt);
        assert_eq!(journal.reader().entry(stream(0), number).await.unwrap().entry, receipt.entry);
        assert_eq!(entry_of(receipt).number, number);
    }
    assert_eq!(journal.reader().receipt(stream(1), 0).await.unwrap(), elsewhere);
    assert_chained(&journal, stream(0), 4).await;
    // Asking for it again takes nothing out again, and the journal goes on.
    let again = journal.append(replacing(stream(0), 3, b"redaction", vec![(2, Vec::new())])).await.unwrap();
    assert_eq!((again, stored(&journal, stream(0), 2).await), (receipts.remove(3), small));
    journal.append(plain(stream(0), 4)).await.unwrap();
    assert_chained(&journal, stream(0), 5).await;
}

#[tokio::test]
async fn what_was_replaced_is_nowhere_in_the_files_once_the_receipt_is_out() {
    let database = Database::sqlite();
    let journal = database.open().await;
    let holding = |mark: &str| holding(&database, mark);
    for (number, length) in (0..).zip([60, 900, 5_000, 60_000]) {
        let bytes = content(&format!("name {number} "), length);
        journal.append(replacing(stream(0), number, &bytes, Vec::new())).await.unwrap();
    }
    let marks = ["name 0 name 0", "name 1 name 1", "name 2 name 2", "name 3 name 3"];
    assert!(marks.iter().all(|mark| !holding(mark).is_empty()), "the search finds what is there");
    // Shorter, of the same length and longer than before: pages are freed, kept and split.
    for (number, length) in (0..).zip([20, 900, 10, 70_000]) {
        let replaced = vec![(number, content("#", length))];
        journal.append(replacing(stream(0), 10 + number, b"redaction", replaced)).await.unwrap();
    }
    for mark in marks {
        assert_eq!(holding(mark), Vec::<PathBuf>::new(), "{mark}");
    }
    assert_chained(&journal, stream(0), 8).await;
}

async fn a_refused_proposal_replaces_nothing_and_its_neighbours_go_on(database: Database) {
    let journal = database.open().await;
    journal.append(replacing(stream(0), 0, b"whole", Vec::new())).await.unwrap();
    let reused = replacing(stream(0), 0, b"x", vec![(0, b"lost".to_vec())]);
    let reused = Proposal { envelope: sha256(&[b"another"]), ..reused };
    assert!(matches!(journal.append(reused).await, Err(AppendError::RequestReused)));
    // In one group with one that is accepted.
    let waiting = vec![
        journal.append(refused(stream(0), 1)),
        journal.append(replacing(stream(0), 2, b"kept", vec![(0, b"leaf".to_vec())])),
        journal.append(refused(stream(0), 3)),
    ];
    let answers = join_all(waiting).await;
    assert!(matches!(answers[0], Err(AppendError::Refused("no"))));
    assert!(matches!(answers[2], Err(AppendError::Refused("no"))));
    assert_eq!(entry_of(answers[1].as_ref().unwrap()).number, 1);
    assert_eq!(
        (stored(&journal, stream(0), 0).await, stored(&journal, stream(0), 1).await),
        (b"leaf".to_vec(), b"kept".to_vec())
    );
    // A later replacement of the same entry counts, in the same group too.
    let twice = [4, 5].map(|number| journal.append(replacing(stream(0), number, b"", vec![(0, vec![number as u8])])));
    assert!(join_all(twice).await.iter().all(Result::is_ok));
    assert_eq!(stored(&journal, stream(0), 0).await, [5]);
    assert_chained(&journal, stream(0), 4).await;
}

#[tokio::test]
async fn a_reader_in_the_way_delays_the_overwriting_and_nothing_else() {
    let database = Database::sqlite();
    let journal = database.open().await;
    journal.append(replacing(stream(0), 0, &content("a name ", 9_000), Vec::new())).await.unwrap();
    let mut reading = journal.reader().database().pool().begin().await.unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM entry").fetch_one(&mut *reading).await.unwrap();
    journal.append(replacing(stream(0), 1, b"redaction", vec![(0, b"leaf".to_vec())])).await.unwrap();
    assert_eq!((seen, stored(&journal, stream(0), 0).await), (1, b"leaf".to_vec()));
    assert!(!holding(&database, "a name a name").is_empty(), "the reader still sees it");
    reading.commit().await.unwrap();
    journal.append(plain(stream(0), 2)).await.unwrap();
    assert_eq!(holding(&database, "a name a name"), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_a_killed_process_left_in_the_log_is_gone_once_the_journal_is_open() {
    let database = Database::sqlite();
    let journal = database.open().await;
    journal.append(replacing(stream(0), 0, &content("a name ", 9_000), Vec::new())).await.unwrap();
    // Replaced behind the journal's back, so that nothing moves the log on.
    let update = sqlx::query("UPDATE entry SET stored = x'00' WHERE number = 0");
    update.execute(journal.reader().database().writing()).await.unwrap();
    assert!(!holding(&database, "a name a name").is_empty());
    let again = database.open().await;
    assert_eq!(stored(&again, stream(0), 0).await, [0]);
    assert_eq!(holding(&database, "a name a name"), Vec::<PathBuf>::new());
}
