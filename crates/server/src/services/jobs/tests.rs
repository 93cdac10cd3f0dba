use nodetool_engine::{Emission, Journal};
use nodetool_protocol::{Graph, JobEvent, Severity};
use nodetool_store::{NewJob, NodeRecordStatus, Options, Store};

use super::journal::{JobJournal, left_behind};
use super::*;
use crate::node_services;
use crate::services::feeds::{Begin, Taken};
use crate::services::{KeyPlaces, Keys, Ledger, ModelParts, ModelSettings, Safe, SecretsParts};

/// A process over a store.
fn process(store: &Store, folder: &tempfile::TempDir) -> JobService {
    process_with(store, folder, node_services::registry())
}

/// The same with more node types.
fn process_with(
    store: &Store,
    folder: &tempfile::TempDir,
    registry: nodetool_sdk::Registry,
) -> JobService {
    let changes = Changes::default();
    let registry = Arc::new(registry);
    let assets = folder.path().join("assets");
    let workflows = WorkflowService::new(store.clone(), registry, changes.clone());
    let models = Services::none().models;
    let models = Arc::new(move |_: &Caller| models.clone());
    JobService::new(JobServiceParts {
        store: store.clone(),
        assets: AssetService::open(store.clone(), &assets, changes.clone(), 1 << 20).unwrap(),
        collections: CollectionService::new(store.clone(), workflows.clone(), models),
        workflows,
        services: Services::none(),
        threads: crate::services::ThreadService::new(store.clone(), changes.clone()),
        models: ModelService::new(ModelParts {
            settings: ModelSettings::default(),
            keys: Keys::Given(Arc::default()),
            chosen: None,
            ledger: Ledger::default(),
        })
        .unwrap(),
        secrets: SecretsService::new(SecretsParts {
            store: store.clone(),
            changes: changes.clone(),
            safe: Safe::new(store.clone(), KeyPlaces::default()),
            environment: std::collections::BTreeMap::new(),
            shared: true,
            accounts: None,
            google: None,
            more: Default::default(),
        }),
        workspace: folder.path().join("workspace"),
        changes,
        feeds: Feeds::default(),
        limits: Limits::default(),
        recovery: Recovery::Resume,
    })
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("db"), Options::default()).unwrap();
    (folder, store)
}

/// A job of a graph that is not stored, which waits to be resumed three times.
async fn held(jobs: &JobService) -> Arc<Feed> {
    let wait =
        |id: &str| serde_json::json!({ "id": id, "type": "nodetool.triggers.Wait", "data": {} });
    let edge = |from: &str, to: &str| serde_json::json!({ "source": from, "sourceHandle": "data", "target": to, "targetHandle": "input" });
    let graph: Graph = serde_json::from_value(serde_json::json!({
        "nodes": [wait("a"), wait("b"), wait("c")],
        "edges": [edge("a", "b"), edge("b", "c")],
    }))
    .unwrap();
    let caller = Caller::local();
    let loaded = Arc::new(jobs.0.workflows.plan_graph(&caller, &graph));
    let start = StartRun::new(caller, loaded, Map::new());
    jobs.start(start).await.unwrap()
}

/// Follows a feed to its end; gives the numbers it showed.
async fn numbers(feed: &Arc<Feed>) -> Vec<u64> {
    let wake = Arc::new(Notify::new());
    let mut watch = feed.watch(Begin::Lossless, wake.clone());
    let mut seen = Vec::new();
    while let Taken::Frames(frames) = watch.next(&wake, 100).await {
        seen.extend(frames.iter().map(|f| f.number));
    }
    seen
}

#[tokio::test]
async fn no_number_is_given_out_twice_however_often_a_job_is_taken_up() {
    let (folder, store) = store();
    let caller = Caller::local();
    let feed = held(&process(&store, &folder)).await;
    let id = feed.subject().job_id.clone();
    let mut last = *numbers(&feed).await.last().unwrap();
    for attempt in 0..3 {
        // Another process knows nothing but the store.
        let next = process(&store, &folder);
        assert!(next.feed(&caller, &id).is_none());
        let noted = store.get_job_payload(&id).await.unwrap().unwrap().event_seq;
        let answer = Some(Value::from(attempt));
        let feed = next.resume(&caller, &id, answer).await.unwrap();
        let seen = numbers(&feed).await;
        assert!(
            seen[0] > last && seen[0] > noted.cast_unsigned(),
            "{seen:?} after {last}"
        );
        last = *seen.last().unwrap();
        let payload = store.get_job_payload(&id).await.unwrap().unwrap();
        assert!(payload.event_seq.cast_unsigned() >= last);
    }
    let row = store.get_job(&id).await.unwrap().unwrap();
    assert_eq!(row.status, nodetool_store::JobStatus::Completed);
}

#[tokio::test]
async fn listeners_see_no_number_the_store_does_not_know_of() {
    let feeds = Feeds::default();
    let subject = Subject {
        job_id: "j".into(),
        workflow_id: "w".into(),
        user_id: "1".into(),
    };
    let feed = feeds.open(subject, 1, 3);
    for n in 0..5 {
        feed.emit(JobEvent::Notification {
            node_id: "n".into(),
            content: n.to_string(),
            severity: Severity::Info,
            workflow_id: None,
        });
    }
    let wake = Arc::new(Notify::new());
    let mut watch = feed.watch(Begin::Lossless, wake.clone());
    let mut shown = || -> Vec<u64> {
        match watch.take(100) {
            Taken::Frames(frames) => frames.iter().map(|f| f.number).collect(),
            _ => Vec::new(),
        }
    };
    assert_eq!(shown(), [1, 2, 3]);
    assert!(shown().is_empty());
    let asked = feed.short_of_numbers().await;
    assert!(asked > 5, "{asked}");
    feed.allow(asked);
    assert_eq!(shown(), [4, 5]);
}

async fn journal_of(store: &Store, id: &str) -> JobJournal {
    let mut job = NewJob::new(id, "1", "w", 1);
    job.status = nodetool_store::JobStatus::Running;
    store.add_job(job).await.unwrap();
    JobJournal::new(store.clone(), id.into(), None, true)
}

#[tokio::test]
async fn what_nodes_emitted_is_read_back_as_it_was() {
    let (_folder, store) = store();
    let journal = journal_of(&store, "j").await;
    let emitted: Vec<Emission> = vec![
        ("a".into(), Value::from(f64::INFINITY)),
        ("a".into(), Value::from(2.0)),
        ("a".into(), Value::from(2i64)),
        ("b".into(), Value::Bytes(vec![0, 255].into())),
        (
            "b".into(),
            Value::map([("z", Value::Null), ("a", Value::list([true.into()]))]),
        ),
    ];
    journal.node_finished(&"n".into(), Some(emitted.clone()));
    journal.effect_begins(&"e".into(), 0).await.unwrap();
    journal
        .effect_done(&"e".into(), 0, emitted.clone())
        .await
        .unwrap();
    journal.effect_begins(&"e".into(), 1).await.unwrap();
    let left = left_behind(store.node_records("j").await.unwrap()).unwrap();
    let equal = |a: &[Emission], b: &[Emission]| format!("{a:?}") == format!("{b:?}");
    assert!(equal(&left.resume.finished["n"], &emitted));
    let effects = format!("{:?}", left.resume.effects["e"]);
    assert_eq!(effects, format!("[Done({emitted:?}), Begun]"));
}

#[tokio::test]
async fn an_answer_is_kept_until_an_execution_has_used_it_up() {
    let (_folder, store) = store();
    let journal = journal_of(&store, "j").await;
    let node: Arc<str> = "n".into();
    let left = async || left_behind(store.node_records("j").await.unwrap()).unwrap();
    journal.suspended(&node, "question".into());
    journal.flush().await.unwrap();
    let waiting = left().await;
    assert_eq!(waiting.waiting.get(&node), Some(&"question".into()));
    assert!(waiting.resume.states.is_empty(), "nobody has answered");
    journal.answered(&node, "answer".into());
    journal.flush().await.unwrap();
    assert_eq!(
        left().await.resume.states.get(&node),
        Some(&"answer".into())
    );
    journal.effect_begins(&node, 0).await.unwrap();
    journal.effect_done(&node, 0, Vec::new()).await.unwrap();
    let used = left().await;
    assert!(used.resume.states.is_empty() && used.waiting.is_empty());
}

#[tokio::test]
async fn a_write_that_fails_or_is_broken_off_loses_nothing() {
    let (_folder, store) = store();
    let journal = journal_of(&store, "j").await;
    for n in 0..2500 {
        let node: Arc<str> = format!("n{n}").into();
        journal.node_finished(&node, Some(vec![("o".into(), Value::from(n))]));
    }
    {
        let flush = journal.flush();
        tokio::pin!(flush);
        // Broken off wherever it first waits.
        let _ = futures_util::poll!(&mut flush);
    }
    journal.flush().await.unwrap();
    let records = store.node_records("j").await.unwrap();
    assert_eq!(records.len(), 2500);
    assert!(
        records
            .iter()
            .all(|r| r.status == NodeRecordStatus::Finished)
    );
}

/// Asks a model.
/// test
#[derive(nodetool_sdk::Node)]
#[node(namespace = "test")]
struct Ask {
    /// The model.
    model: String,
    /// What to say to it.
    prompt: String,
}

impl nodetool_sdk::Process for Ask {
    type Output = String;

    async fn process(self, cx: &nodetool_sdk::NodeCx) -> Result<String, nodetool_sdk::NodeError> {
        use nodetool_sdk::models::{Answer, ChatMessage, ChatRequest, Role};
        let request = ChatRequest {
            model: self.model,
            messages: vec![ChatMessage::text(Role::User, self.prompt)],
            ..ChatRequest::default()
        };
        let answer = cx.run.services.models.chat(request).await?;
        Ok(Answer::of(answer).await?.text)
    }
}

/// Saves a workflow that passes what it is told on to a model.
async fn asking(jobs: &JobService, name: &str, model: &str) {
    let node = |id: &str, kind: &str, data: serde_json::Value| serde_json::json!({ "id": id, "type": kind, "data": data });
    let edge = |from: &str, to: &str, handle: &str| serde_json::json!({ "source": from, "sourceHandle": "output", "target": to, "targetHandle": handle });
    let graph = serde_json::from_value(serde_json::json!({
        "nodes": [
            node("i", "nodetool.input.StringInput", serde_json::json!({ "name": "prompt" })),
            node("a", "test.Ask", serde_json::json!({ "model": model })),
            node("o", "nodetool.output.Output", serde_json::json!({ "name": "out" })),
        ],
        "edges": [edge("i", "a", "prompt"), edge("a", "o", "value")],
    }));
    let save = crate::services::SaveWorkflow {
        name: name.into(),
        access: "private".into(),
        graph: Some(graph.unwrap()),
        ..Default::default()
    };
    let workflows = &jobs.0.workflows;
    workflows.create(&Caller::local(), save).await.unwrap();
}

async fn told(jobs: &JobService, model: &str) -> Result<String, String> {
    use nodetool_sdk::models::{Answer, ChatMessage, ChatRequest, Role};
    let workflows = jobs.0.workflows.clone();
    let models = crate::services::WorkflowModels::saved(workflows, jobs.clone(), Vec::new());
    let request = ChatRequest {
        messages: vec![ChatMessage::text(Role::User, "hello")],
        ..ChatRequest::default()
    };
    let answer = models.unwrap().chat(Caller::local(), model, &request).await;
    let answer = Answer::of(answer.map_err(|e| e.message)?).await;
    answer.map(|answer| answer.text).map_err(|e| e.message)
}

#[tokio::test]
async fn a_workflow_converses_with_others_but_not_with_itself_for_ever() {
    let (folder, store) = store();
    let mut registry = node_services::registry();
    registry.add::<Ask>();
    let jobs = process_with(&store, &folder, registry);
    asking(&jobs, "Echo", "local/echo").await;
    asking(&jobs, "Outer", "workflow/Echo").await;
    asking(&jobs, "Narcissus", "workflow/Narcissus").await;
    let echoed = told(&jobs, "Echo").await.unwrap();
    assert!(echoed.contains("hello"), "{echoed}");
    assert_eq!(told(&jobs, "Outer").await.unwrap(), echoed);
    let refused = told(&jobs, "Narcissus").await.unwrap_err();
    assert!(
        refused.contains("does 'Narcissus' converse with itself?"),
        "{refused}"
    );
    let unknown = told(&jobs, "Nobody").await.unwrap_err();
    assert!(unknown.contains("no workflow `Nobody`"), "{unknown}");
}

/// A loop that goes on until it is told to end, unless it is to end by itself.
fn looping(jobs: &JobService, id: &str, endless: bool) -> StartRun {
    let caller = Caller::local();
    let loaded = Arc::new(jobs.0.workflows.plan_graph(&caller, &Graph::default()));
    let mut start = StartRun::new(caller, loaded, Map::new());
    start.job_id = Some(id.to_owned());
    start.work = Some(Work {
        job_type: "loop",
        run: Box::new(move |cx| {
            Box::pin(async move {
                if endless {
                    cx.stop.cancelled().await;
                }
                let status = if cx.stop.is_cancelled() {
                    JobStatus::Cancelled
                } else {
                    JobStatus::Completed
                };
                outcome_of(status, None, None, Duration::ZERO)
            })
        }),
        ended: None,
    });
    start
}

#[tokio::test]
async fn a_stop_that_comes_before_the_row_of_a_job_is_written_ends_it() {
    let (folder, store) = store();
    let jobs = process(&store, &folder);
    let caller = Caller::local();
    // Nothing is written as long as this is.
    let (go_on, held_up) = std::sync::mpsc::channel::<()>();
    let busy = store.change_loop("w", "loop", move |_| {
        let _ = held_up.recv();
        true
    });
    tokio::pin!(busy);
    assert!(futures_util::poll!(&mut busy).is_pending());
    let begin = jobs.start(looping(&jobs, "j", true));
    tokio::pin!(begin);
    assert!(futures_util::poll!(&mut begin).is_pending());
    assert!(store.get_job("j").await.unwrap().is_none());
    let stranger = Caller::user("another");
    assert!(!jobs.cancel(&stranger, "j").await.unwrap());
    assert!(jobs.cancel(&caller, "j").await.unwrap());
    drop(go_on);
    let feed = begin.await.unwrap();
    // Its end comes by itself, and is told.
    assert!(!numbers(&feed).await.is_empty());
    let status = async |id: &str| store.get_job(id).await.unwrap().unwrap().status;
    assert_eq!(status("j").await, nodetool_store::JobStatus::Cancelled);
    assert!(jobs.active(&caller).is_empty());
    assert!(!jobs.cancel(&caller, "j").await.unwrap(), "it has ended");
    // What comes after it is not told to end.
    let feed = jobs.start(looping(&jobs, "k", false)).await.unwrap();
    numbers(&feed).await;
    assert_eq!(status("k").await, nodetool_store::JobStatus::Completed);
}
