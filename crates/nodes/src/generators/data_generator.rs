//! `nodetool.generators.DataGenerator`.

use nodetool_sdk::agent::AgentEvent;
use nodetool_sdk::{
    BoxFuture, DataframeRef, Emitter, Generate, LanguageModel, Map, Node, NodeCx, NodeError,
    Outputs, RecordType, Value, ValueType,
};

use super::prompted;
use super::table_rows::{TableRows, Wanted};
use crate::data::frame::{Frame, Kind};
use crate::models::{Ear, Question, ask};

const SYSTEM: &str = "\
You make tables of data.
- Write one Markdown table with exactly the columns you are told, in that order, under their names.
- Each row is one record. Write numbers with digits alone, dates as ISO 8601, and no bars within cells.
- Write nothing but the table.";

/// Most columns of a table.
const MAX_COLUMNS: usize = 200;

/// Has a model make a table; each row leaves as soon as it is written, and the whole table at the end.
/// data, table, generate, records, dataframe, language model, llm
#[derive(Node)]
#[node(
    namespace = "nodetool.generators",
    kind = Generate,
    effect = "idempotent",
    basic("prompt", "model", "columns")
)]
pub(super) struct DataGenerator {
    /// The model that writes.
    model: LanguageModel,
    /// What the table is to hold.
    prompt: String,
    /// A text the table is made from.
    input_text: String,
    /// Most tokens of the answer.
    #[prop(default = 4096, min = 1, max = 100000)]
    max_tokens: i64,
    /// The columns: name, type and what they hold.
    columns: RecordType,
}

/// A row and its place, or the whole table.
#[derive(Outputs)]
pub(super) struct Made {
    #[slot(ty = "dict")]
    record: Option<Map>,
    dataframe: Option<DataframeRef>,
    index: Option<i64>,
}

impl Generate for DataGenerator {
    type Output = Made;

    async fn generate(self, out: &Emitter<'_, Made>, cx: &NodeCx) -> Result<(), NodeError> {
        let wanted = columns(&self.columns)?;
        let text = prompted(&self.prompt, &self.input_text);
        let question = Question {
            model: self.model,
            system: SYSTEM.into(),
            text: match text.as_str() {
                "" => text,
                text => format!("{text}\n\n{}", described(&wanted)),
            },
            max_tokens: Some(self.max_tokens),
            ..Question::default()
        };
        let request = question.request(cx, "prompt").await?;
        let mut writing = Writing {
            out,
            table: TableRows::new(wanted.clone()),
            rows: Vec::new(),
        };
        let outcome = ask(cx, request, &mut writing).await?;
        let table = std::mem::replace(&mut writing.table, TableRows::new(Vec::new()));
        if let Some(last) = table.finish() {
            writing.row(last).await?;
        }
        let rows = writing.rows;
        if rows.is_empty() {
            let said: String = outcome.text.chars().take(200).collect();
            let message = format!("the model wrote no row of a Markdown table; it said: {said}");
            return Err(NodeError::new(message));
        }
        let declared: Vec<_> = wanted.into_iter().map(|w| (w.name, w.kind)).collect();
        let frame = Frame::from_rows(&declared, &rows).map_err(NodeError::new)?;
        out.emit(Made {
            record: None,
            dataframe: Some(DataframeRef(frame.into_value())),
            index: None,
        })
        .await
    }
}

/// The columns that are wanted.
fn columns(columns: &RecordType) -> Result<Vec<Wanted>, NodeError> {
    let columns = columns.get("columns");
    let columns = columns.as_list().unwrap_or_default();
    let read = |column: &Value| {
        let text = |key: &str| column.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, word) = (text("name").trim(), text("data_type"));
        (!name.is_empty()).then(|| Wanted {
            name: name.into(),
            word: word.into(),
            kind: Kind::named(word),
            description: text("description").into(),
        })
    };
    let wanted: Option<Vec<Wanted>> = columns.iter().map(read).collect();
    match wanted {
        None => Err(NodeError::bad("columns", "a column has no name")),
        Some(wanted) if wanted.is_empty() || wanted.len() > MAX_COLUMNS => {
            let count = wanted.len();
            let message = format!("{count} columns (expected 1 to {MAX_COLUMNS})");
            Err(NodeError::bad("columns", message))
        }
        Some(wanted) => Ok(wanted),
    }
}

fn described(wanted: &[Wanted]) -> String {
    let mut text = String::from("The columns:");
    for column in wanted {
        text.push_str("\n- ");
        text.push_str(&column.name);
        if !column.word.is_empty() {
            text.push_str(&format!(" ({})", column.word));
        }
        if !column.description.is_empty() {
            text.push_str(&format!(": {}", column.description));
        }
    }
    text
}

struct Writing<'a> {
    out: &'a Emitter<'a, Made>,
    table: TableRows,
    rows: Vec<Value>,
}

impl Writing<'_> {
    async fn row(&mut self, row: Map) -> Result<(), NodeError> {
        let index = self.rows.len() as i64;
        self.rows.push(row.clone().into_value());
        self.out
            .emit(Made {
                record: Some(row),
                dataframe: None,
                index: Some(index),
            })
            .await
    }
}

impl Ear for Writing<'_> {
    fn hear<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let AgentEvent::Text(text) = event else {
                return Ok(());
            };
            for row in self.table.take(&text) {
                self.row(row).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{Case, case};

    use super::*;
    use crate::models::testing::{language_model, saying, with};

    fn generator() -> Case {
        let columns = r#"{"type":"record_type","columns":[{"name":"name","data_type":"string","description":"in English"},
            {"name":"calories","data_type":"int"}]}"#;
        case::<DataGenerator>()
            .set("model", language_model())
            .set("prompt", "Vegetables")
            .set("columns", serde_json::from_str::<Value>(columns).unwrap())
    }

    #[tokio::test]
    async fn rows_leave_one_by_one_and_then_the_table() {
        let models = saying(["| name | calories |\n|---|---|\n| Carrot | 41 |\n| Pea | 81 |"]);
        let given = generator().within(with(&models)).run().await.unwrap();
        assert_eq!(given.len(), 3);
        let second = given[1]["record"].clone();
        assert_eq!(second.get("name"), Some(&"Pea".into()));
        assert_eq!(second.get("calories"), Some(&81i64.into()));
        assert_eq!(given[1]["index"], 1i64.into());
        assert!(given[1]["dataframe"].is_null());
        let table = &given[2]["dataframe"];
        assert_eq!(table.type_tag(), Some("dataframe"));
        let data = serde_json::to_string(table.get("data").unwrap()).unwrap();
        assert_eq!(data, r#"[["Carrot",41],["Pea",81]]"#);
        let said = models.requests()[0].messages[1].plain_text();
        let want = "Vegetables\n\nThe columns:\n- name (string): in English\n- calories (int)";
        assert_eq!(said, want);
    }

    #[tokio::test]
    async fn a_table_needs_columns_and_rows() {
        let models = saying(["Sorry."]);
        let refused = generator().within(with(&models)).run().await.unwrap_err();
        assert!(
            refused.to_string().ends_with("it said: Sorry."),
            "{refused}"
        );
        let run = generator().set("columns", RecordType::default().0);
        let refused = run.within(with(&models)).run().await.unwrap_err();
        assert!(
            refused.to_string().contains("`columns`: 0 columns"),
            "{refused}"
        );
    }
}
