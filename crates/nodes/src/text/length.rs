//! `nodetool.text.Length`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, ValueType};

use super::{chars, on};

/// What is counted.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.text.Length.Measure")]
pub(super) enum Measure {
    Characters,
    Words,
    Lines,
}

/// Counts the characters, words or lines of a text.
/// text, length, count, words, lines, size
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Measure Length")]
pub(super) struct Length {
    /// The text.
    text: String,
    /// What to count.
    measure: Measure,
    /// Whether blanks at the ends are left out.
    trim_whitespace: bool,
}

impl Process for Length {
    type Output = i64;

    async fn process(self, _: &NodeCx) -> Result<i64, NodeError> {
        let (measure, trim) = (self.measure, self.trim_whitespace);
        on(self.text, move |text| {
            let text = if trim { chars::trim(text) } else { text };
            let count = match measure {
                Measure::Characters => text.chars().count(),
                Measure::Words => chars::words(text).count(),
                Measure::Lines => chars::count_lines(text),
            };
            Ok(count as i64)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn each_measure_counts_its_own() {
        for (measure, expected) in [("characters", 8i64), ("words", 2), ("lines", 2)] {
            let case = case::<Length>()
                .set("text", " éa\n bc ")
                .set("measure", measure);
            assert_eq!(
                case.value().await.unwrap(),
                Value::Int(expected),
                "{measure}"
            );
        }
    }
}
