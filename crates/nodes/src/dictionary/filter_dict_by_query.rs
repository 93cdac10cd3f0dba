//! `nodetool.dictionary.FilterDictByQuery`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Severity, Value};

use super::Kept;
use crate::data::query::Query;
use crate::stream_filter::{StreamFilter, setting, sift};

/// Passes the dictionaries of a stream that fulfil a condition.
/// dictionary, filter, query, condition, expression, stream
///
/// The condition compares fields: `age > 30 and city in ['Rome', 'Oslo']`. An empty one passes all; where it cannot
/// be answered, the dictionary is left out.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", kind = Pipe)]
pub(super) struct FilterDictByQuery {
    /// The dictionaries.
    #[prop(ty = "dict", default = nodetool_sdk::Map::new())]
    value: Value,
    /// The condition.
    condition: String,
}

enum Condition {
    Empty,
    Unreadable,
    Asks(Query),
}

/// The condition, read once.
struct Asker {
    condition: Condition,
    /// What is wrong with the condition, until it is told.
    untold: Option<String>,
    told: bool,
}

impl Asker {
    fn new(condition: &str) -> Self {
        let mut untold = None;
        let condition = if condition.trim().is_empty() {
            Condition::Empty
        } else {
            match Query::parse(condition) {
                Ok(query) => Condition::Asks(query),
                Err(e) => {
                    untold = Some(e);
                    Condition::Unreadable
                }
            }
        };
        Asker {
            condition,
            untold,
            told: false,
        }
    }
}

impl StreamFilter for Asker {
    const SETTINGS: &'static [&'static str] = &["condition"];

    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError> {
        *self = Asker::new(&setting::<String>(handle, value)?);
        Ok(())
    }

    async fn keeps(&mut self, item: &Value, cx: &NodeCx) -> bool {
        let Some(row) = item.as_map() else {
            return false;
        };
        let kept = match &self.condition {
            Condition::Empty => true,
            Condition::Unreadable => false,
            Condition::Asks(query) => query.matches(row).unwrap_or_else(|e| {
                self.untold = Some(e);
                false
            }),
        };
        // Once per condition: a long stream must not flood the log.
        if let Some(e) = self.untold.take()
            && !self.told
        {
            self.told = true;
            cx.log(
                Severity::Warning,
                format!("`condition` cannot be answered: {e}"),
            );
        }
        kept
    }
}

impl Pipe for FilterDictByQuery {
    type Output = Kept;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Kept>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let asker = Asker::new(&self.condition);
        sift(asker, self.value, inputs, out, cx, Kept::new).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_answered_is_left_out_and_an_empty_condition_passes_all() {
        let items: Value = serde_json::from_str(r#"[{"a": 2}, {"b": 2}, {"a": "x"}, 5]"#).unwrap();
        for (condition, want) in [("a > 1", 1), ("", 3), ("a >", 0)] {
            let case = case::<FilterDictByQuery>().set("condition", condition);
            let case = case.arrive("value", items.as_list().unwrap().to_vec());
            assert_eq!(case.output().await.unwrap().len(), want, "{condition}");
        }
    }
}
