//! What a bucket of blobs promises.

use std::time::{Duration, SystemTime};

use nodetool_store::{BlobError, BlobKey, Blobs};
use tempfile::TempDir;

fn bucket() -> (TempDir, Blobs) {
    let folder = TempDir::new().unwrap();
    let blobs = Blobs::open(&folder.path().join("bucket")).unwrap();
    (folder, blobs)
}

fn key(text: &str) -> BlobKey {
    BlobKey::parse(text).unwrap()
}

async fn read(blobs: &Blobs, at: &BlobKey, start: u64, length: u64) -> Vec<u8> {
    let blob = blobs.open_blob(at).await.unwrap().expect("a blob");
    blob.read(start, length)
        .collect(u64::MAX)
        .await
        .unwrap()
        .to_vec()
}

#[tokio::test]
async fn what_was_finished_is_read_back_whole_or_in_part() {
    let (_folder, blobs) = bucket();
    let data: Vec<u8> = (0..700_000u32).map(|n| n as u8).collect();
    let mut upload = blobs.upload(1 << 20).await.unwrap();
    for chunk in data.chunks(9_999) {
        upload.write(chunk).await.unwrap();
    }
    let info = upload.finish(&key("a/b.bin")).await.unwrap();
    assert_eq!(info.size, 700_000);
    assert_eq!(
        blobs.head(&key("a/b.bin")).await.unwrap(),
        Some(info.clone())
    );
    assert_eq!(read(&blobs, &key("a/b.bin"), 0, u64::MAX).await, data);
    assert_eq!(
        read(&blobs, &key("a/b.bin"), 300_000, 5).await,
        &data[300_000..300_005]
    );
    assert!(read(&blobs, &key("a/b.bin"), 700_001, 5).await.is_empty());
    assert_eq!(blobs.head(&key("a")).await.unwrap(), None);
    let again = blobs.put(&key("a/b.bin"), b"x").await.unwrap();
    assert_ne!(again.etag, info.etag);
}

#[tokio::test]
async fn a_reader_keeps_what_it_opened_while_another_blob_takes_the_key() {
    let (_folder, blobs) = bucket();
    blobs.put(&key("k"), b"old").await.unwrap();
    let opened = blobs.open_blob(&key("k")).await.unwrap().unwrap();
    blobs.put(&key("k"), b"newer").await.unwrap();
    assert_eq!(&opened.read_all().collect(9).await.unwrap()[..], b"old");
    assert_eq!(read(&blobs, &key("k"), 0, 9).await, b"newer");
}

#[tokio::test]
async fn an_upload_that_is_too_large_or_dropped_leaves_nothing() {
    let (folder, blobs) = bucket();
    blobs.put(&key("k"), b"old").await.unwrap();
    let mut upload = blobs.upload(4).await.unwrap();
    upload.write(b"1234").await.unwrap();
    let refused = upload.write(b"5").await;
    assert!(matches!(refused, Err(BlobError::TooLarge { limit: 4 })));
    assert!(upload.write(b"").await.is_err() || upload.finish(&key("k")).await.is_err());
    let mut dropped = blobs.upload(4).await.unwrap();
    dropped.write(b"1").await.unwrap();
    drop(dropped);
    assert_eq!(read(&blobs, &key("k"), 0, 9).await, b"old");
    let coming = std::fs::read_dir(folder.path().join("bucket/incoming")).unwrap();
    assert_eq!(coming.count(), 0);
}

#[tokio::test]
async fn opening_a_bucket_drops_what_a_crash_left_half_written() {
    let (folder, blobs) = bucket();
    blobs.put(&key("k"), b"kept").await.unwrap();
    let coming = folder.path().join("bucket/incoming");
    std::fs::write(coming.join("half"), b"half").unwrap();
    let blobs = Blobs::open(&folder.path().join("bucket")).unwrap();
    assert_eq!(std::fs::read_dir(coming).unwrap().count(), 0);
    assert_eq!(read(&blobs, &key("k"), 0, 9).await, b"kept");
}

#[tokio::test]
async fn old_blobs_expire_and_deleted_ones_are_gone() {
    let (_folder, blobs) = bucket();
    blobs.put(&key("a%2F/b"), b"1").await.unwrap();
    let hour = Duration::from_secs(3600);
    assert_eq!(blobs.expire(hour).await.unwrap(), 0);
    let soon = SystemTime::now() + hour;
    let listed = blobs.written_before(soon).await.unwrap();
    assert_eq!(listed, [key("a%2F/b")]);
    assert_eq!(blobs.expire(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(blobs.head(&key("a%2F/b")).await.unwrap(), None);
    assert!(!blobs.delete(&key("a%2F/b")).await.unwrap());
}
