//! Orders records by how near one of their texts is to a query.

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{Map, NodeError, Value};

use super::embedding::{cosine, embed, model};
use crate::{Fields, FormStep};

/// Most records of one run.
const MAX_RECORDS: usize = 10_000;

/// It keeps nothing.
#[derive(Default)]
pub(super) struct BatchCosineSimilarity;

impl FormStep for BatchCosineSimilarity {
    const IDENTIFIER: &'static str = "batch-cosine-similarity-scorer";
    const CLASS: &'static str = "BatchCosineSimilarityScorerNode";
    const LABEL: Option<&'static str> = Some("Batch Cosine Similarity Scorer");
    const DESCRIPTION: Option<&'static str> = Some(
        "Scores records by the cosine of a text of theirs and a query, best first, with an embedding model.",
    );
    const CATEGORY: &'static str = "Data";

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "BatchCosineSimilarityScorerForm",
            fields: vec![
                FieldSpec::textarea("query")
                    .label("Query")
                    .required()
                    .help("Text the records are compared with."),
                FieldSpec::json("records")
                    .label("Records")
                    .required()
                    .help("JSON array of objects."),
                FieldSpec::text("content_key")
                    .label("Content key")
                    .longest(255)
                    .required()
                    .help("Key of the text in each record."),
            ],
            check: None,
        })
    }

    async fn setup(&mut self, cx: &StepCx) -> Result<(), NodeError> {
        model(Self::IDENTIFIER, cx).await.map(drop)
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        cx: &StepCx,
    ) -> Result<Flow, NodeError> {
        let records = records(fields.text("records"))?;
        let key = fields.text("content_key");
        let mut texts = vec![fields.text("query").to_owned()];
        for (at, record) in records.iter().enumerate() {
            texts.push(content(record, key).ok_or_else(|| {
                let why = format!("record {} has no text under `{key}`", at + 1);
                NodeError::bad("records", why)
            })?);
        }
        let mut vectors = embed(Self::IDENTIFIER, texts, cx).await?.into_iter();
        let query = vectors.next().unwrap_or_default();
        let scores = vectors.map(|vector| cosine(&query, &vector));
        let mut scored: Vec<(f64, Map)> = scores.zip(records).collect();
        scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let scored = scored.into_iter().map(|(score, mut record)| {
            record.insert("similarity_score".into(), Value::Float(score));
            Value::from(record)
        });
        token.put("batch_cosine_similarity_scorer", Value::list(scored));
        Ok(Flow::Go(token))
    }
}

fn records(text: &str) -> Result<Vec<Map>, NodeError> {
    let wrong = |why: String| NodeError::bad("records", why);
    let value: Value = serde_json::from_str(text)
        .map_err(|e| wrong(format!("{e}; expected a JSON array of objects")))?;
    let Some(items) = value.as_list() else {
        let found = value.kind();
        return Err(wrong(format!(
            "found {found}, expected a JSON array of objects"
        )));
    };
    if items.len() > MAX_RECORDS {
        let found = items.len();
        return Err(wrong(format!("{found} records; {MAX_RECORDS} are allowed")));
    }
    let each = |(at, item): (usize, &Value)| {
        let found = || {
            wrong(format!(
                "record {} is a {}, expected an object",
                at + 1,
                item.kind()
            ))
        };
        item.as_map().cloned().ok_or_else(found)
    };
    items.iter().enumerate().map(each).collect()
}

fn content(record: &Map, key: &str) -> Option<String> {
    match record.get(key)? {
        Value::Null => None,
        Value::Str(text) => Some(text.to_string()),
        other => serde_json::to_string(other).ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::embedding::testing::counting;
    use super::super::testing::{data, refusal};
    use super::*;

    #[tokio::test]
    async fn records_come_best_first_with_their_scores() {
        let (_, cx) = counting();
        let records = r#"[{"t": "b", "n": 1}, {"t": "ab", "n": 2}, {"t": "aa", "n": 3}]"#;
        let form = json!({"query": "a", "records": records, "content_key": "t"});
        let out = data::<BatchCosineSimilarity>(form, json!({}), &cx).await;
        let scored = out["batch_cosine_similarity_scorer"].as_array().unwrap();
        let order: Vec<i64> = scored.iter().map(|r| r["n"].as_i64().unwrap()).collect();
        assert_eq!(order, [3, 2, 1]);
        assert!((scored[0]["similarity_score"].as_f64().unwrap() - 1.0).abs() < 1e-9);
        let none = json!({"query": "a", "records": "[]", "content_key": "t"});
        let out = data::<BatchCosineSimilarity>(none, json!({}), &cx).await;
        assert_eq!(out["batch_cosine_similarity_scorer"], json!([]));
    }

    #[tokio::test]
    async fn records_without_the_text_are_named() {
        let (_, cx) = counting();
        for (records, part) in [
            (
                r#"[{"t": "a"}, {"x": 1}]"#,
                "record 2 has no text under `t`",
            ),
            (r#"[{"t": "a"}, 5]"#, "record 2 is a int"),
            ("{}", "found dict"),
            ("[", "expected a JSON array"),
        ] {
            let form = json!({"query": "a", "records": records, "content_key": "t"});
            let said = refusal::<BatchCosineSimilarity>(form, json!({}), &cx).await;
            assert!(said.contains("`records`") && said.contains(part), "{said}");
        }
    }
}
