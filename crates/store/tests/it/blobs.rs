//! What a bucket of blobs promises, wherever it is: plain functions over an open bucket, run against a local folder and
//! against a service that speaks S3. Such a service is named by `NODETOOL_TEST_S3`, as `ci/s3.py` does; without one its
//! half is counted as skipped.

use std::time::{Duration, SystemTime};

use nodetool_store::{BlobCondition, BlobError, BlobKey, Blobs, IfMatch, S3Settings, new_id};
use tempfile::TempDir;

/// A client without whom to trust: the service is on this machine.
fn client() -> reqwest::Client {
    let config = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    );
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(rustls::RootCertStore::empty());
    let builder =
        reqwest::Client::builder().tls_backend_preconfigured(config.with_no_client_auth());
    builder.build().unwrap()
}

/// A bucket and the folder that goes with it.
struct Bucket {
    folder: TempDir,
    blobs: Blobs,
}

impl Bucket {
    fn local() -> Self {
        let folder = TempDir::new().unwrap();
        let blobs = Blobs::open(&folder.path().join("bucket")).unwrap();
        Bucket { folder, blobs }
    }

    /// An empty bucket of the service that was named for tests.
    async fn remote() -> Option<Self> {
        let endpoint = std::env::var_os("NODETOOL_TEST_S3")?;
        let endpoint = endpoint.into_string().unwrap();
        let bucket = format!("test-{}", new_id());
        let made = client().put(format!("{endpoint}/{bucket}")).send().await;
        assert!(made.unwrap().status().is_success(), "{bucket}");
        Some(Self::named(&endpoint, &bucket))
    }

    fn named(endpoint: &str, bucket: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = S3Settings {
            bucket: bucket.into(),
            endpoint: Some(endpoint.into()),
            region: "us-east-1".into(),
            access_key_id: "id".into(),
            secret_access_key: "secret".into(),
        };
        let incoming = folder.path().join("bucket/incoming");
        let blobs = Blobs::open_s3(settings, client(), &incoming).unwrap();
        Bucket { folder, blobs }
    }

    /// Files that hold what is still coming.
    fn coming(&self) -> usize {
        let folder = self.folder.path().join("bucket/incoming");
        std::fs::read_dir(folder).unwrap().count()
    }
}

/// Runs each case against an empty bucket of each kind.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod local {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&super::Bucket::local()).await;
            })*
        }
        mod s3 {
            $(#[tokio::test]
            async fn $case() {
                match super::Bucket::remote().await {
                    Some(bucket) => super::$case(&bucket).await,
                    None => eprintln!("SKIPPED 1 test: NODETOOL_TEST_S3 names no service"),
                }
            })*
        }
    };
}

contract! {
    what_was_finished_is_read_back_whole_or_in_part,
    contents_of_many_parts_are_those_that_were_sent,
    a_reader_never_gets_some_of_each_of_two_blobs,
    an_upload_that_is_too_large_or_dropped_leaves_nothing,
    old_blobs_expire_and_deleted_ones_are_gone,
    odd_keys_are_keys_like_any_other,
    a_write_with_a_condition_happens_only_if_it_holds,
    of_many_writers_who_want_a_new_key_one_gets_it,
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

async fn what_was_finished_is_read_back_whole_or_in_part(Bucket { blobs, .. }: &Bucket) {
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
    assert_eq!(read(blobs, &key("a/b.bin"), 0, u64::MAX).await, data);
    assert_eq!(
        read(blobs, &key("a/b.bin"), 300_000, 5).await,
        &data[300_000..300_005]
    );
    assert!(read(blobs, &key("a/b.bin"), 700_001, 5).await.is_empty());
    assert_eq!(blobs.head(&key("a")).await.unwrap(), None);
    assert!(blobs.open_blob(&key("a")).await.unwrap().is_none());
    let again = blobs.put(&key("a/b.bin"), b"x").await.unwrap();
    assert_ne!(again.etag, info.etag);
    blobs.put(&key("empty"), b"").await.unwrap();
    assert!(read(blobs, &key("empty"), 0, 9).await.is_empty());
}

async fn contents_of_many_parts_are_those_that_were_sent(bucket: &Bucket) {
    let blobs = &bucket.blobs;
    let data: Vec<u8> = (0..(20u32 << 20))
        .map(|n| (n >> 10) as u8 ^ n as u8)
        .collect();
    let mut upload = blobs.upload(64 << 20).await.unwrap();
    for chunk in data.chunks(1 << 20) {
        upload.write(chunk).await.unwrap();
    }
    let info = upload.finish(&key("large")).await.unwrap();
    assert_eq!((info.size, bucket.coming()), (20 << 20, 0));
    assert!(read(blobs, &key("large"), 0, u64::MAX).await == data);
    let across = (8 << 20) - 3;
    assert_eq!(
        read(blobs, &key("large"), across, 6).await,
        &data[across as usize..][..6]
    );
}

async fn a_reader_never_gets_some_of_each_of_two_blobs(Bucket { blobs, .. }: &Bucket) {
    blobs.put(&key("k"), &[b'o'; 3_000_000]).await.unwrap();
    let mut begun = blobs
        .open_blob(&key("k"))
        .await
        .unwrap()
        .unwrap()
        .read_all();
    let first = begun.next().await.unwrap().unwrap();
    let opened = blobs.open_blob(&key("k")).await.unwrap().unwrap();
    blobs.put(&key("k"), &[b'n'; 3_000_000]).await.unwrap();
    let rest = begun.collect(3_000_000).await.unwrap();
    assert_eq!(first.len() + rest.len(), 3_000_000);
    assert!(first.iter().chain(&rest).all(|b| *b == b'o'));
    if let Ok(all) = opened.read_all().collect(3_000_000).await {
        assert!(all.iter().all(|b| *b == b'o'));
    }
    assert!(
        read(blobs, &key("k"), 0, 9)
            .await
            .iter()
            .all(|b| *b == b'n')
    );
}

#[tokio::test]
async fn a_local_reader_keeps_what_it_opened_while_another_blob_takes_the_key() {
    let Bucket {
        folder: _folder,
        blobs,
    } = Bucket::local();
    blobs.put(&key("k"), b"old").await.unwrap();
    let opened = blobs.open_blob(&key("k")).await.unwrap().unwrap();
    blobs.put(&key("k"), b"newer").await.unwrap();
    assert_eq!(&opened.read_all().collect(9).await.unwrap()[..], b"old");
    assert_eq!(read(&blobs, &key("k"), 0, 9).await, b"newer");
}

async fn an_upload_that_is_too_large_or_dropped_leaves_nothing(bucket: &Bucket) {
    let blobs = &bucket.blobs;
    blobs.put(&key("k"), b"old").await.unwrap();
    let mut upload = blobs.upload(4).await.unwrap();
    upload.write(b"1234").await.unwrap();
    let refused = upload.write(b"5").await;
    assert!(matches!(refused, Err(BlobError::TooLarge { limit: 4 })));
    assert!(upload.write(b"").await.is_err() || upload.finish(&key("k")).await.is_err());
    let mut dropped = blobs.upload(4).await.unwrap();
    dropped.write(b"1").await.unwrap();
    drop(dropped);
    assert_eq!(read(blobs, &key("k"), 0, 9).await, b"old");
    assert_eq!(bucket.coming(), 0);
}

#[tokio::test]
async fn opening_a_bucket_drops_what_a_crash_left_half_written() {
    let Bucket { folder, blobs } = Bucket::local();
    blobs.put(&key("k"), b"kept").await.unwrap();
    let coming = folder.path().join("bucket/incoming");
    std::fs::write(coming.join("half"), b"half").unwrap();
    let blobs = Blobs::open(&folder.path().join("bucket")).unwrap();
    assert_eq!(std::fs::read_dir(coming).unwrap().count(), 0);
    assert_eq!(read(&blobs, &key("k"), 0, 9).await, b"kept");
}

async fn old_blobs_expire_and_deleted_ones_are_gone(Bucket { blobs, .. }: &Bucket) {
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

async fn odd_keys_are_keys_like_any_other(Bucket { blobs, .. }: &Bucket) {
    let keys = [
        "a b+c&d=e.txt",
        "%2e%2e/x",
        "é/ü?#~*.png",
        "a/b",
        "a",
        "0",
        "x%",
        "[{\"'`|^<>}]",
    ];
    for text in keys {
        blobs.put(&key(text), text.as_bytes()).await.unwrap();
    }
    for text in keys {
        assert_eq!(read(blobs, &key(text), 0, 99).await, text.as_bytes());
    }
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let mut listed = blobs.written_before(soon).await.unwrap();
    let mut put: Vec<BlobKey> = keys.iter().map(|text| key(text)).collect();
    listed.sort();
    put.sort();
    assert_eq!(listed, put);
    for text in keys {
        assert!(blobs.delete(&key(text)).await.unwrap(), "{text}");
    }
    assert!(blobs.written_before(soon).await.unwrap().is_empty());
}

fn only_if(matches: IfMatch) -> BlobCondition {
    BlobCondition {
        matches,
        ..BlobCondition::NONE
    }
}

fn only_unless(matches_not: IfMatch) -> BlobCondition {
    BlobCondition {
        matches_not,
        ..BlobCondition::NONE
    }
}

async fn a_write_with_a_condition_happens_only_if_it_holds(bucket: &Bucket) {
    let blobs = &bucket.blobs;
    let write = async |size: usize, condition: BlobCondition| {
        let mut upload = blobs.upload(32 << 20).await.unwrap();
        upload.write(&vec![b'x'; size]).await.unwrap();
        upload.finish_if(&key("k"), &condition).await
    };
    let refused = |result| matches!(result, Err(BlobError::Condition));
    // One that goes in one request, and one that goes in parts.
    for size in [3, 9 << 20] {
        let first = only_unless(IfMatch::Existing);
        assert!(refused(write(size, only_if(IfMatch::Existing)).await));
        assert_eq!(blobs.head(&key("k")).await.unwrap(), None);
        let made = write(size, first.clone()).await.unwrap();
        assert!(refused(write(size, first).await));
        let tag = |tag: &str| IfMatch::OneOf(vec!["other".into(), tag.into()]);
        assert!(refused(write(size, only_if(tag("another"))).await));
        assert!(refused(write(size, only_unless(tag(&made.etag))).await));
        assert_eq!(blobs.head(&key("k")).await.unwrap(), Some(made.clone()));
        let changed = write(size + 1, only_if(tag(&made.etag))).await.unwrap();
        assert!(refused(write(size, only_if(tag(&made.etag))).await));
        write(size, only_unless(tag("another"))).await.unwrap();
        write(size + 1, only_if(IfMatch::Existing)).await.unwrap();
        assert_eq!(changed.size, size as u64 + 1);
        assert!(blobs.delete(&key("k")).await.unwrap());
    }
    assert_eq!(bucket.coming(), 0);
}

async fn of_many_writers_who_want_a_new_key_one_gets_it(Bucket { blobs, .. }: &Bucket) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8u8 {
        let blobs = blobs.clone();
        writers.spawn(async move {
            let mut upload = blobs.upload(9).await.unwrap();
            upload.write(&[writer]).await.unwrap();
            let condition = only_unless(IfMatch::Existing);
            let done = upload.finish_if(&key("k"), &condition).await;
            done.is_ok().then_some(writer)
        });
    }
    let winners: Vec<u8> = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(read(blobs, &key("k"), 0, 9).await, winners);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_says_so_in_one_line() {
    // Nobody listens there: the port is taken by a listener that is never accepted from, then let go.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let bucket = Bucket::named(&format!("http://{address}"), "b-1");
    let told = bucket.blobs.check().await.unwrap_err();
    assert!(
        told.starts_with("the bucket b-1 cannot be used: "),
        "{told}"
    );
    assert!(!told.contains('\n') && !told.contains("secret"), "{told}");
    let debug = format!("{:?}", bucket.blobs);
    assert!(!debug.contains("secret"), "{debug}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_apart() {
    let Some(bucket) = Bucket::remote().await else {
        eprintln!("SKIPPED 1 test: NODETOOL_TEST_S3 names no service");
        return;
    };
    bucket.blobs.check().await.unwrap();
    let endpoint = std::env::var_os("NODETOOL_TEST_S3").unwrap();
    let none = Bucket::named(endpoint.to_str().unwrap(), "no-such-bucket");
    let told = none.blobs.check().await.unwrap_err();
    let expected = "the bucket no-such-bucket cannot be used: there is no such bucket";
    assert_eq!(told, expected);
}
