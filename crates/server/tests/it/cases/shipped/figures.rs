//! Workflows that make tables, charts and cards.

use nodetool_protocol::{Map, Value};

use super::super::house::Order;
use super::super::media::summary;
use super::stage::Stage;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[tokio::test]
async fn a_table_is_made_with_the_columns_of_the_node() {
    let Some(played) = Stage::of("data-generator").play().await else {
        return;
    };
    let played = played.completed();
    let prompt = &played.asked.prompts()[0];
    assert!(
        prompt.starts_with("Generate a table of veggies"),
        "{prompt}"
    );
    for column in ["name", "color"] {
        assert!(prompt.contains(column), "{prompt}");
    }
    assert_eq!(played.asked.chats[0].max_tokens, Some(4096));
    let made = played.result("2ed27bde");
    let want = json(
        r#"{"type":"dataframe","columns":["name","color"],"rows":[["Carrot","orange"],["Spinach","green"],["Eggplant","purple"]]}"#,
    );
    assert_eq!(summary(made.get("dataframe").unwrap()), want);
    // The file's edge leaves from an output the node does not have, so nothing can be shown.
    assert!(played.preview("2").is_empty());
}

#[tokio::test]
async fn rows_of_one_country_become_a_chart_with_all_their_values() {
    let csv = "Country Name,Country Code,Year,Value\nGermany,DEU,2019,3.9\nUnited States,USA,2019,21.4\nUnited States,USA,2020,21.1\nFrance,FRA,2020,2.6\n";
    let place = "raw.githubusercontent.com/datasets/gdp/refs/heads/main/data/gdp.csv";
    let stage = Stage::of("data-visualization-pipeline").page(place, "text/csv", csv);
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    assert_eq!(played.network.asked(), [place]);
    let rows: Vec<Value> = played.preview("4").iter().map(summary).collect();
    assert_eq!(rows.len(), 1);
    let want = r#"[["United States","USA",2019,21.4],["United States","USA",2020,21.1]]"#;
    assert_eq!(rows[0].get("rows"), Some(&json(want)));
    let prompt = &played.asked.prompts()[0];
    for part in [
        "make a line graph of Value over Year",
        "The table has 2 rows",
        "- Year (int)",
    ] {
        assert!(prompt.contains(part), "{prompt}");
    }
    let charts = played.preview("2e9fd814");
    let chart = charts[0].get("config").unwrap();
    let trace = &chart.get("data").and_then(Value::as_list).unwrap()[0];
    assert_eq!(trace.get("x"), Some(&json("[2019,2020]")));
    assert_eq!(trace.get("y"), Some(&json("[21.4,21.1]")));
    assert_eq!(trace.get("mode"), Some(&"lines".into()));
}

/// All cards of the file, the oldest first.
fn reader() -> Value {
    json(
        r#"{"nodes":[
            {"id":"q","type":"lib.sqlite.Query","data":{"database_name":"flashcards.db","table_name":"study_cards","order_by":"id"}},
            {"id":"o","type":"nodetool.output.Output","data":{"name":"cards"}}],
        "edges":[{"source":"q","sourceHandle":"output","target":"o","targetHandle":"value"}]}"#,
    )
}

#[tokio::test]
async fn cards_are_generated_and_lie_in_the_database_of_the_workspace() {
    // Until an insert knows its table it keeps only the latest card, as every node does with what it cannot use yet.
    let stage =
        Stage::of("flashcard-generator").answering_after("create_table", "insert_flashcard");
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    // Nor has the query the output that the file's last edge leaves from.
    assert!(played.preview("display_result").is_empty());
    let prompt = &played.asked.prompts()[0];
    assert!(
        prompt.starts_with("Generate 5 educational flashcards about Python Programming."),
        "{prompt}"
    );
    let order = Order {
        graph: reader(),
        params: Map::new(),
        trigger_event: None,
    };
    let read = played.house.run_in(played.folder.clone(), order).await;
    assert_eq!((&*read.status, &*read.error), ("completed", ""));
    let cards = &read.outputs["cards"];
    let cards = cards[0].as_list().unwrap();
    let field = |name: &str| -> Vec<&str> {
        let texts = cards.iter().filter_map(|card| card.get(name)?.as_str());
        texts.collect()
    };
    let ids: Vec<i64> = cards
        .iter()
        .filter_map(|card| card.get("id")?.as_i64())
        .collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    assert_eq!(
        field("category"),
        ["Built-ins", "Types", "Syntax", "Types", "Modules"]
    );
    assert_eq!(field("answer")[1], "An immutable sequence");
}
