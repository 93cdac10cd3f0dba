//! The public workflows that ask models, run as they lie there. Models answer from the script of these tests; searches,
//! feeds, files and mail come from servers on this machine that speak the real protocols.
//!
//! Chat with docs needs collections and runs in a whole server: `wire/shipped.rs`.

mod figures;
mod letters;
mod mailbox;
mod network;
mod pictures;
mod research;
mod sounds;
mod stage;
mod studio;
mod talk;

use std::collections::BTreeSet;

use nodetool_protocol::Value;

use super::house::House;
use super::{models, tables};
use stage::Stage;

/// Workflows that have a run here or in `wire/shipped.rs`.
const PLAYED: [&str; 19] = [
    "agent-google-search",
    "categorize-mails",
    "chat-with-docs",
    "concept-art-iteration-board",
    "creative-story-ideas",
    "data-generator",
    "data-visualization-pipeline",
    "flashcard-generator",
    "game-encounter-planner-agent",
    "image-to-audio-story",
    "learning-path-generator",
    "music-video-visualizer",
    "photo-enhancement-suite",
    "search-duckduckgo",
    "story-to-video-generator",
    "summarize-paper",
    "summarize-rss",
    "transcribe-audio",
    "travel-planner-inspiration",
];
/// Those that need a node type this server does not have.
const WITHOUT_NODE: [(&str, &str); 1] = [("realtime-agent", "openai.agents.RealtimeAgent")];

/// Edges of these files that leave from outputs their nodes do not have, and so carry nothing.
const NOWHERE: [(&str, &str); 2] = [
    (
        "data-generator",
        "(nodetool.generators.DataGenerator) has no output 'output'",
    ),
    (
        "flashcard-generator",
        "(lib.sqlite.Query) has no output 'row'",
    ),
];

/// Whether some node asks a model.
fn asks(workflow: &Value) -> bool {
    let nodes = workflow.get("graph").and_then(|g| g.get("nodes"));
    let nodes = nodes.and_then(Value::as_list).unwrap_or_default();
    let types = nodes.iter().filter_map(|n| n.get("type")?.as_str());
    models::asked_in(workflow) || types.into_iter().any(|t| t.contains(".agents."))
}

#[test]
fn every_workflow_that_asks_models_has_a_run() {
    let Ok(entries) = std::fs::read_dir(tables::shared("workflows")) else {
        println!(
            "SKIPPED: there is no {}",
            tables::shared("workflows").display()
        );
        return;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let asking = paths.filter(|path| {
        let stem = path
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or_default();
        let workflow = path.extension().is_some_and(|e| e == "json") && !stem.contains('.');
        workflow && asks(&tables::read(path))
    });
    let asking: BTreeSet<String> = asking
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let known = PLAYED
        .iter()
        .chain(WITHOUT_NODE.iter().map(|(name, _)| name));
    let known: BTreeSet<String> = known.map(|name| (*name).to_owned()).collect();
    assert_eq!(asking, known);
}

#[test]
fn no_other_edge_of_these_workflows_is_lost() {
    let house = House::open();
    let mut lost = Vec::new();
    for name in PLAYED {
        let path = tables::shared(&format!("workflows/{name}.json"));
        if !path.exists() {
            println!("SKIPPED 1 workflow: there is no {}", path.display());
            return;
        }
        let graph = tables::read(&path)
            .get("graph")
            .cloned()
            .unwrap_or_default();
        // What cannot run at all says so in a test of its own.
        let edges = house.ignored(graph).unwrap_or_default();
        lost.extend(edges.into_iter().map(|edge| (name, edge)));
    }
    assert_eq!(lost.len(), NOWHERE.len(), "{lost:?}");
    for ((name, edge), (known, why)) in lost.iter().zip(NOWHERE) {
        assert_eq!(*name, known);
        assert!(edge.ends_with(why), "{edge}");
    }
}

#[tokio::test]
async fn a_node_type_that_is_not_there_is_named() {
    for (workflow, node) in WITHOUT_NODE {
        let Some(played) = Stage::of(workflow).play().await else {
            continue;
        };
        assert_eq!(played.ran.status, "failed");
        assert!(played.ran.error.contains(node), "{}", played.ran.error);
    }
}
