//! `test.Input`: stands for any input in files that were written for tests.

use nodetool_sdk::{Behaviour, Emitted, Registry, Value};

use crate::input::plain;
use crate::table::slot;

pub(crate) fn register(r: &mut Registry) {
    let mut def = plain(
        "test.Input",
        "any",
        "Takes any value from the run and gives it on both its outputs.\ninput, parameter, any, test",
    );
    def.metadata.outputs.insert(0, slot("value", "any"));
    def.behaviour = Behaviour::Process(Box::new(|mut props, _| {
        Box::pin(async move {
            let value = props.take::<Value>(1, "value")?;
            Ok(if value.is_null() {
                Emitted::nothing()
            } else {
                Emitted::Slots([(0, value.clone()), (1, value)].into_iter().collect())
            })
        })
    }));
    def.hidden = true;
    r.add_def(def);
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case_of;

    use super::*;

    #[tokio::test]
    async fn a_value_leaves_on_both_outputs_and_nothing_on_none() {
        let mut r = Registry::new();
        register(&mut r);
        let def = r.get("test.Input").unwrap();
        let given = case_of(def.clone()).set("value", 3i64).run().await.unwrap();
        assert_eq!(given[0].get("value"), Some(&Value::Int(3)));
        assert_eq!(given[0].get("output"), Some(&Value::Int(3)));
        let missing = case_of(def.clone()).run().await.unwrap();
        assert!(missing[0].is_empty());
    }
}
