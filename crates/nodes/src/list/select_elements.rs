//! `nodetool.list.SelectElements`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::get_element::at;
use super::items::Items;
use crate::bounds;

/// Takes the items at several places of a list, in the order of the places.
/// list, select, pick, indices, elements
///
/// Places count from 0; negative ones from the end.
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct SelectElements {
    /// The list.
    values: Items,
    /// The places.
    indices: Vec<i64>,
}

impl Process for SelectElements {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        bounds::work(self.indices.len(), move || {
            let picked: Result<Vec<_>, _> = self
                .indices
                .iter()
                .map(|&i| at(&self.values, i, "indices").cloned())
                .collect();
            Ok(picked?.into())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn a_place_outside_the_list_is_an_error_that_names_it() {
        let pick = |indices: [i64; 2]| {
            let case =
                case::<SelectElements>().set("values", Value::list([1i64.into(), 2i64.into()]));
            case.set("indices", Value::list(indices.map(Value::from)))
                .value()
        };
        let picked = pick([-1, 0]).await.unwrap();
        assert_eq!(picked, Value::list([2i64.into(), 1i64.into()]));
        for bad in [2, -3, i64::MIN, i64::MAX] {
            let e = pick([0, bad]).await.unwrap_err().to_string();
            assert!(
                e.contains("`indices`") && e.contains(&bad.to_string()),
                "{e}"
            );
        }
    }
}
