//! What watchers are told, over a hub that nobody answers for.

use super::*;

fn service(folder: &std::path::Path) -> DownloadService {
    DownloadService::new(DownloadParts {
        // Nothing listens there.
        endpoint: "http://127.0.0.1:9".into(),
        cache: folder.join("hub"),
        llama: folder.join("llama"),
        tokens: Tokens::default(),
        min_free: 0,
        at_once: 1,
        parallel_files: 1,
    })
    .unwrap()
}

fn order(repo_id: &str) -> Order {
    Order::read(Ordered {
        repo_id: repo_id.into(),
        ..Ordered::default()
    })
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_end_is_remembered_for_a_minute_and_told_to_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let downloads = service(folder.path());
    downloads.start("1", order("o/m")).unwrap();
    let mut watch = downloads.watch("1");
    let end = watch.end_of("o/m").await;
    assert_eq!(end.status, Status::Error);
    assert!(end.error.unwrap().contains("broke"));
    assert_eq!(downloads.watch("1").waiting.len(), 1);
    assert_eq!(downloads.watch("2").waiting.len(), 0);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(downloads.watch("1").waiting.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_ends_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let downloads = service(folder.path());
    let held = downloads.0.room.acquire().await.unwrap();
    for i in 0..2 * REMEMBERED_PER_USER {
        let id = format!("o/m{i}");
        downloads.start("1", order(&id)).unwrap();
        downloads.cancel("1", &id);
        downloads.watch("1").end_of(&id).await;
    }
    assert_eq!(downloads.0.known().len(), REMEMBERED_PER_USER);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_was_too_slow_still_learns_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let downloads = service(folder.path());
    let mut slow = downloads.watch("1");
    downloads.start("1", order("o/m")).unwrap();
    downloads.watch("1").end_of("o/m").await;
    for i in 0..2 * WAITING {
        let mut other = order("o/x").snapshot();
        other.downloaded_bytes = i as u64;
        downloads.0.tell("2", other);
    }
    assert_eq!(slow.next().await.status, Status::Error);
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_in_line_can_be_cancelled_and_there_are_only_so_many() {
    let folder = tempfile::tempdir().unwrap();
    let downloads = service(folder.path());
    let held = downloads.0.room.acquire().await.unwrap();
    for i in 0..PER_USER {
        downloads.start("1", order(&format!("o/m{i}"))).unwrap();
    }
    let refused = downloads.start("1", order("o/more")).unwrap_err();
    assert!(matches!(refused, DownloadError::TooMany));
    downloads.start("2", order("o/more")).unwrap();
    assert!(!downloads.cancel("2", "o/m0"), "it is another user's");
    assert!(downloads.cancel("1", "o/m0"));
    let end = downloads.watch("1").end_of("o/m0").await;
    assert_eq!(end.status, Status::Cancelled);
    assert!(!downloads.cancel("1", "o/m0"), "it has ended");
    downloads.start("1", order("o/more")).unwrap();
    drop(held);
    downloads.shut_down(Duration::from_secs(5)).await;
    assert!(matches!(
        downloads.start("1", order("o/m")),
        Err(DownloadError::Stopping)
    ));
}

#[test]
fn models_of_llama_cpp_are_single_files() {
    let ordered = Ordered {
        repo_id: "o/m".into(),
        model_type: Some("hf.gguf".into()),
        ..Ordered::default()
    };
    assert_eq!(
        Order::read(ordered.clone()).unwrap_err(),
        NameError::LlamaPath
    );
    let path = Some("a/q4.gguf".to_owned());
    let order = Order::read(Ordered { path, ..ordered }).unwrap();
    assert!(order.for_llama());
    assert_eq!(order.snapshot().id(), "o/m/a/q4.gguf");
    let cache = LlamaCache::new("/c".into());
    let place = cache.place(&order.repo, order.path.as_ref().unwrap());
    assert_eq!(place, std::path::Path::new("/c/o_m_a_q4.gguf"));
}
