//! Public workflow files whose node types are all built in: their graphs load and are sound.

use nodetool_engine::Plan;
use nodetool_protocol::Graph;

use super::tables;

/// Files, by their names.
const SOUND: [&str; 6] = [
    "agent-google-search",
    "categorize-mails",
    "flashcard-generator",
    "search-duckduckgo",
    "summarize-rss",
    "travel-planner-inspiration",
];

#[test]
fn workflows_that_search_read_feeds_and_sort_mail_load() {
    let registry = nodetool_server::registry();
    let folder = tables::shared("workflows");
    if !folder.exists() {
        println!(
            "SKIPPED {} files: there is no {}",
            SOUND.len(),
            folder.display()
        );
        return;
    }
    let mut faults = Vec::new();
    for name in SOUND {
        let file = tables::read(&folder.join(format!("{name}.json")));
        let graph = file.get("graph").cloned().unwrap_or_default();
        let graph = serde_json::to_value(&graph).expect("JSON");
        let graph: Graph = serde_json::from_value(graph).expect("a graph");
        if let Err(error) = Plan::build(&graph, &registry) {
            faults.push(format!("{name}: {error}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
