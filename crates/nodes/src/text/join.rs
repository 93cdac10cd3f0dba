//! `nodetool.text.Join`.

use nodetool_sdk::compat::py_str;
use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::fits;
use crate::{bounds, extent};

/// Joins the items of a list into one text.
/// text, join, combine, list, separator, merge
///
/// Items that are not text are written as Python prints them.
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct Join {
    /// The items.
    strings: Vec<Value>,
    /// What stands between them.
    separator: String,
}

impl Process for Join {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        bounds::work(self.strings.len() * 16, move || {
            let mut out = String::new();
            for (i, item) in self.strings.iter().enumerate() {
                if i > 0 {
                    out.push_str(&self.separator);
                }
                fits(
                    "strings",
                    out.len() + self.separator.len() + extent::text("strings", item, 0)?,
                )?;
                out.push_str(&py_str(item));
            }
            Ok(out)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn items_are_written_as_python_prints_them() {
        let items = Value::list([
            "a".into(),
            Value::Null,
            1.0.into(),
            Value::list(["b".into()]),
        ]);
        let case = case::<Join>().set("strings", items).set("separator", ";");
        assert_eq!(case.value().await.unwrap(), Value::from("a;None;1.0;['b']"));
    }
}
