//! `nodetool.generators.ChartGenerator`.

use nodetool_sdk::{
    DataframeRef, LanguageModel, Node, NodeCx, NodeError, PlotlyConfig, Process, Value,
};

use super::chart_columns::filled;
use crate::bounds;
use crate::data::frame::Frame;
use crate::data::table::Table;
use crate::models::{Question, fill};

const SYSTEM: &str = "\
You make charts with Plotly.
- You are told the columns of a table, its number of rows and its first rows, and what is to be shown.
- Answer with a JSON object of two members: \"data\", a list of Plotly traces, and \"layout\", a Plotly layout.
- Where a trace needs the values of a column, write {\"column\": \"<its name>\"} in the place of the list, such as \
{\"type\": \"scatter\", \"mode\": \"lines\", \"x\": {\"column\": \"Year\"}, \"y\": {\"column\": \"Value\"}}. All rows are \
filled in there.
- Give the chart a title and the axes their names.";

/// Rows the model is shown.
const SHOWN: usize = 10;
/// Characters of a cell the model is shown.
const CELL: usize = 200;

/// Has a model make a chart of a table.
/// chart, plot, plotly, graph, visualize, language model, llm
///
/// The model sees the columns and the first rows; the chart shows all of them.
#[derive(Node)]
#[node(
    namespace = "nodetool.generators",
    uncached,
    effect = "idempotent",
    basic("prompt", "data", "model")
)]
pub(super) struct ChartGenerator {
    /// The model that designs.
    model: LanguageModel,
    /// What the chart is to show.
    prompt: String,
    /// The table.
    data: DataframeRef,
    /// Most tokens of the answer.
    #[prop(default = 4096, min = 1, max = 100000)]
    max_tokens: i64,
}

impl Process for ChartGenerator {
    type Output = PlotlyConfig;

    async fn process(self, cx: &NodeCx) -> Result<PlotlyConfig, NodeError> {
        if self.prompt.trim().is_empty() {
            let message = "is empty (expected what the chart is to show)";
            return Err(NodeError::bad("prompt", message));
        }
        let table = Table::open("data", self.data, cx).await?;
        let table = bounds::work(table.cells(), move || table.read()).await?;
        if table.is_empty() {
            let message = "is empty (expected the table the chart is of)";
            return Err(NodeError::bad("data", message));
        }
        let question = Question {
            model: self.model,
            system: SYSTEM.into(),
            text: format!("{}\n\n{}", self.prompt.trim(), described(&table)),
            max_tokens: Some(self.max_tokens),
            ..Question::default()
        };
        let request = question.request(cx, "prompt").await?;
        let answer = fill(cx, request, "chart", schema()).await?;
        let cells = table.rows().saturating_mul(table.columns().len());
        let chart = bounds::work(cells, move || {
            let member = |key: &str| answer.get(key).cloned().unwrap_or_default();
            let data = filled(&member("data"), &table);
            let data = data.map_err(|e| NodeError::new(format!("the chart of the model: {e}")))?;
            let config = Value::map([("data", data), ("layout", member("layout"))]);
            Ok(Value::map([
                ("type", "plotly_config".into()),
                ("config", config),
            ]))
        });
        chart.await.map(PlotlyConfig)
    }
}

fn schema() -> Value {
    let object = || Value::map([("type", Value::from("object"))]);
    let data = Value::map([
        ("type", "array".into()),
        ("items", object()),
        ("minItems", 1i64.into()),
    ]);
    let properties = Value::map([("data", data), ("layout", object())]);
    let required = Value::list(["data".into(), "layout".into()]);
    Value::map([
        ("type", "object".into()),
        ("properties", properties),
        ("required", required),
    ])
}

/// The table in words: its columns, and its first rows as JSON.
fn described(table: &Frame) -> String {
    let mut text = format!("The table has {} rows. Its columns:", table.rows());
    for column in table.columns() {
        let (name, kind) = (column.name(), column.kind().word());
        text.push_str(&format!("\n- {name} ({kind})"));
    }
    text.push_str("\nIts first rows:");
    for row in 0..table.rows().min(SHOWN) {
        let cells = table.columns().iter().map(|column| {
            let cell = match &column.values()[row] {
                Value::Str(text) if text.len() > CELL => {
                    text.chars().take(CELL).collect::<String>().into()
                }
                cell if cell.weight() > CELL => cell.preview(CELL).into(),
                cell => cell.clone(),
            };
            (column.name().clone(), cell)
        });
        let cells: nodetool_sdk::Map = cells.collect();
        text.push('\n');
        text.push_str(&serde_json::to_string(&cells).unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::models::testing::{language_model, saying, with};

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[tokio::test]
    async fn the_chart_shows_all_rows_though_the_model_sees_few() {
        let rows: Vec<Value> = (0..50i64)
            .map(|i| Value::list([i.into(), (i * i).into()]))
            .collect();
        let table = Value::map([
            ("type", "dataframe".into()),
            (
                "columns",
                json(r#"[{"name":"n","data_type":"int"},{"name":"sq","data_type":"int"}]"#),
            ),
            ("data", rows.into()),
        ]);
        let answer = r#"{"data":[{"type":"scatter","x":{"column":"n"},"y":{"column":"sq"}}],"layout":{"title":"S"}}"#;
        let models = saying([answer]);
        let chart = case::<ChartGenerator>()
            .set("model", language_model())
            .set("prompt", "Squares")
            .set("data", table)
            .within(with(&models))
            .value()
            .await
            .unwrap();
        assert_eq!(chart.type_tag(), Some("plotly_config"));
        let config = chart.get("config").unwrap();
        let trace = &config.get("data").and_then(Value::as_list).unwrap()[0];
        let y = trace.get("y").and_then(Value::as_list).unwrap();
        assert_eq!((y.len(), &y[49]), (50, &Value::from(2401i64)));
        let said = models.requests()[0].messages[1].plain_text();
        assert!(said.contains("The table has 50 rows"), "{said}");
        assert!(said.contains("{\"n\":9,\"sq\":81}"), "{said}");
        assert!(!said.contains("{\"n\":10"), "{said}");
    }

    #[tokio::test]
    async fn a_chart_of_nothing_is_refused_and_so_is_a_column_that_is_not_there() {
        let models = saying([r#"{"data":[{"x":{"column":"z"}}],"layout":{}}"#]);
        let run = || {
            case::<ChartGenerator>()
                .set("model", language_model())
                .set("prompt", "x")
                .within(with(&models))
        };
        let refused = run().run().await.unwrap_err().to_string();
        assert!(refused.contains("`data`: is empty"), "{refused}");
        let refused = run().set("data", json(r#"{"rows":[{"a":1}]}"#)).run().await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("no column 'z'"), "{refused}");
    }
}
