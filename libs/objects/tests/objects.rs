//! The same promises on a folder and on S3, with a real server.

#![allow(clippy::unwrap_used)]

use objects::{MAX_OBJECT_BYTES, ObjectError, Objects, OpenError};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use testbed::s3::S3;

const LIMIT: usize = 1 << 20;

/// Runs `check` on a folder and on a bucket; it gets the folder where the files are.
async fn on_both(check: impl AsyncFn(Objects, PathBuf)) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().join("new/objects").display());
    check(Objects::open(&url).unwrap(), folder.path().join("new/objects")).await;
    let s3 = S3::start();
    let opened = Objects::open_with(&s3.url("a/prefix"), s3.variables()).unwrap();
    check(opened, s3.folder().join("a/prefix")).await;
}

#[tokio::test]
async fn what_is_put_is_there_under_its_plain_name() {
    on_both(async |objects, folder| {
        assert_eq!(objects.get("tile/0/x001/067.p/8", LIMIT).await, Ok(None));
        assert_eq!(objects.size("tile/0/x001/067.p/8").await, Ok(None));
        objects.put("tile/0/x001/067.p/8", b"part".to_vec()).await.unwrap();
        objects.put("tile/0/x001/067", b"whole".to_vec()).await.unwrap();
        assert_eq!(fs::read(folder.join("tile/0/x001/067.p/8")).unwrap(), b"part");
        assert_eq!(objects.get("tile/0/x001/067", LIMIT).await, Ok(Some(b"whole".to_vec())));
        assert_eq!(objects.size("tile/0/x001/067").await, Ok(Some(5)));
        objects.replace("checkpoint", b"first".to_vec()).await.unwrap();
        objects.replace("checkpoint", b"second".to_vec()).await.unwrap();
        assert_eq!(objects.get("checkpoint", LIMIT).await, Ok(Some(b"second".to_vec())));
    })
    .await;
}

#[tokio::test]
async fn putting_again_mends_what_was_cut_short() {
    on_both(async |objects, folder| {
        objects.put("document", b"consent".to_vec()).await.unwrap();
        objects.put("document", b"consent".to_vec()).await.unwrap();
        fs::write(folder.join("document"), b"con").unwrap();
        objects.put("document", b"consent".to_vec()).await.unwrap();
        assert_eq!(objects.get("document", LIMIT).await, Ok(Some(b"consent".to_vec())));
        fs::remove_file(folder.join("document")).unwrap();
        assert_eq!(objects.get("document", LIMIT).await, Ok(None));
    })
    .await;
}

#[tokio::test]
async fn sizes_and_names_are_bounded() {
    on_both(async |objects, _| {
        objects.put("five", b"12345".to_vec()).await.unwrap();
        assert_eq!(objects.get("five", 4).await, Err(ObjectError::TooLarge));
        assert_eq!(objects.get("five", 5).await, Ok(Some(b"12345".to_vec())));
        assert_eq!(objects.put("large", vec![0; MAX_OBJECT_BYTES + 1]).await, Err(ObjectError::TooLarge));
        for name in ["", "/", "a//b", "../up", "a/../b", "."] {
            assert_eq!(objects.put(name, Vec::new()).await, Err(ObjectError::Name), "{name:?}");
            assert_eq!(objects.get(name, LIMIT).await, Err(ObjectError::Name), "{name:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_away_says_so_and_goes_on_when_it_is_back() {
    let mut s3 = S3::start();
    let objects = Objects::open_with(&s3.url("p"), s3.variables()).unwrap();
    objects.put("kept", b"before".to_vec()).await.unwrap();
    s3.stop();
    assert_eq!(objects.put("kept", b"before".to_vec()).await, Err(ObjectError::Away));
    assert_eq!(objects.get("kept", LIMIT).await, Err(ObjectError::Away));
    s3.restart();
    assert_eq!(objects.get("kept", LIMIT).await, Ok(Some(b"before".to_vec())));
    objects.put("more", b"after".to_vec()).await.unwrap();
}

#[tokio::test]
async fn a_full_store_refuses_and_keeps_what_it_had() {
    let s3 = S3::on_small_disk(2);
    let objects = Objects::open_with(&s3.url("p"), s3.variables()).unwrap();
    objects.put("kept", b"before".to_vec()).await.unwrap();
    assert!(objects.put("large", vec![1; 4 << 20]).await.is_err());
    assert_eq!(objects.get("large", 8 << 20).await, Ok(None));
    assert_eq!(objects.get("kept", LIMIT).await, Ok(Some(b"before".to_vec())));
}

/// Runs this test file's `#[ignore]`d body in a mount namespace where `folder` is a disk of 2 MiB.
fn on_a_small_disk(folder: &Path, test: &str) {
    let own = std::env::current_exe().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=2m tmpfs {} && exec {} --exact {test} --ignored --nocapture",
        folder.display(),
        own.display()
    );
    let mut run = Command::new("unshare");
    run.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).env("SMALL_DISK", folder);
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_full_disk_refuses_and_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    on_a_small_disk(folder.path(), "body_of_the_full_disk");
}

#[tokio::test]
#[ignore = "runs on the small disk of a_full_disk_refuses_and_leaves_nothing_half_written"]
async fn body_of_the_full_disk() {
    let folder = PathBuf::from(std::env::var_os("SMALL_DISK").unwrap());
    let objects = Objects::folder(&folder).unwrap();
    objects.put("kept", b"before".to_vec()).await.unwrap();
    assert_eq!(objects.put("kept", vec![1; 4 << 20]).await, Err(ObjectError::Full));
    assert_eq!(objects.put("large", vec![1; 4 << 20]).await, Err(ObjectError::Full));
    assert_eq!(objects.get("kept", LIMIT).await, Ok(Some(b"before".to_vec())));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no half-written file stays");
    objects.put("small", b"after".to_vec()).await.unwrap();
}

#[tokio::test]
async fn wrong_credentials_and_addresses_are_told_apart_and_nothing_is_repeated() {
    let s3 = S3::start();
    let secret = |(key, value): (String, String)| {
        let value = if key == "AWS_SECRET_ACCESS_KEY" { "a-secret-nobody-may-see".to_owned() } else { value };
        (key, value)
    };
    let objects = Objects::open_with(&s3.url("p"), s3.variables().into_iter().map(secret)).unwrap();
    let denied = objects.put("name", Vec::new()).await.unwrap_err();
    assert_eq!(denied, ObjectError::Denied);
    for shown in [format!("{denied:?}{denied}"), format!("{objects:?}")] {
        assert!(!shown.contains("secret") && !shown.contains("trialseal"), "{shown}");
    }
    for url in ["", "file://relative", "s3://", "s3:///prefix", "s3://bucket/a//b", "https://bucket", "/folder"] {
        assert!(matches!(Objects::open_with(url, s3.variables()), Err(OpenError::Address)), "{url:?}");
    }
    assert!(matches!(Objects::open("file:///dev/null/folder"), Err(OpenError::Folder(_))));
    let wrong = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ALLOW_HTTP", "perhaps")];
    assert!(matches!(Objects::open_with("s3://bucket", wrong), Err(OpenError::Variables)));
}
