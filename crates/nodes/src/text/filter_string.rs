//! `nodetool.text.FilterString`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value, ValueType};

use super::chars;
use crate::stream_filter::{StreamFilter, setting, sift};

/// Which test an item has to stand.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.text.FilterString.FilterType")]
pub(super) enum FilterType {
    Contains,
    StartsWith,
    EndsWith,
    LengthGreater,
    LengthLess,
    ExactLength,
}

/// A text that passed.
#[derive(nodetool_sdk::Outputs)]
pub(super) struct Kept {
    #[slot(ty = "str")]
    output: Value,
}

impl Kept {
    pub(super) fn new(output: Value) -> Self {
        Kept { output }
    }
}

/// Passes the texts of a stream that stand a test.
/// filter, text, stream, contains, prefix, suffix, length
///
/// What is no text is left out. A length that is no whole number lets nothing pass.
#[derive(Node)]
#[node(namespace = "nodetool.text", kind = Pipe)]
pub(super) struct FilterString {
    /// The texts.
    #[prop(ty = "str", default = "")]
    value: Value,
    /// Which test.
    filter_type: FilterType,
    /// The text or the length to test against.
    criteria: String,
}

impl StreamFilter for FilterString {
    const SETTINGS: &'static [&'static str] = &["filter_type", "criteria"];

    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError> {
        match handle {
            "filter_type" => self.filter_type = setting(handle, value)?,
            _ => self.criteria = setting(handle, value)?,
        }
        Ok(())
    }

    async fn keeps(&mut self, item: &Value, _: &NodeCx) -> bool {
        let Value::Str(text) = item else {
            return false;
        };
        let criteria = self.criteria.as_str();
        let length = || {
            let wanted: i64 = chars::trim(criteria).replace('_', "").parse().ok()?;
            Some((text.chars().count() as i64).cmp(&wanted))
        };
        match self.filter_type {
            FilterType::Contains => text.contains(criteria),
            FilterType::StartsWith => text.starts_with(criteria),
            FilterType::EndsWith => text.ends_with(criteria),
            FilterType::LengthGreater => length().is_some_and(|o| o.is_gt()),
            FilterType::LengthLess => length().is_some_and(|o| o.is_lt()),
            FilterType::ExactLength => length().is_some_and(|o| o.is_eq()),
        }
    }
}

impl Pipe for FilterString {
    type Output = Kept;

    async fn pipe(
        mut self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Kept>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let configured = std::mem::take(&mut self.value);
        sift(self, configured, inputs, out, cx, Kept::new).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn only_texts_that_stand_the_test_pass() {
        let items = || ["äb".into(), Value::Int(3), "abc".into(), Value::Null];
        for (test, criteria, expected) in [
            ("length_greater", " 2 ", vec!["abc"]),
            ("exact_length", "2", vec!["äb"]),
            ("length_less", "x", vec![]),
            ("ends_with", "b", vec!["äb"]),
        ] {
            let kept = case::<FilterString>()
                .set("filter_type", test)
                .set("criteria", criteria)
                .arrive("value", items())
                .output();
            let expected: Vec<Value> = expected.into_iter().map(Value::from).collect();
            assert_eq!(kept.await.unwrap(), expected, "{test}");
        }
    }
}
