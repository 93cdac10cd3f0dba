//! Cases 20 to 34: how items become executions.

use nodetool_sdk::protocol::NodeStatus;
use nodetool_sdk::{Node, Value};

use crate::fixtures::*;

/// One producer's items on two handles of a [`Pair`], in the order of the line, and the pairs that come out.
async fn pairs(line: &str, zip: bool) -> Vec<(i64, i64)> {
    let flow = Flow::new()
        .node("seq", Seq::TYPE, [("script", script(line))])
        .node("pair", Pair::TYPE, []);
    let flow = if zip { flow.zip() } else { flow }.edges(
        "seq.a -> pair.a
         seq.b -> pair.b",
    );
    pairs_of(&flow).await
}

async fn pairs_of(flow: &Flow) -> Vec<(i64, i64)> {
    let ran = run(flow, []).await.completed();
    let pair = |v: &Value| match v.as_list() {
        Some([Value::Int(a), Value::Int(b)]) => (*a, *b),
        other => panic!("not a pair: {other:?}"),
    };
    ran.slot("pair", "output").iter().map(pair).collect()
}

#[tokio::test]
async fn case_20_a_buffered_node_executes_for_every_item_in_order() {
    let flow = Flow::new()
        .node("seq", Seq::TYPE, [("script", script("a10 a11 a12"))])
        .node("id", Id::TYPE, [])
        .edges("seq.a -> id.x");
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.slot("id", "output"), ints(10..=12));
    assert_eq!(ran.count("id", NodeStatus::Running), 3);
}

#[tokio::test]
async fn case_21_on_any_executes_on_every_item_once_all_handles_have_one() {
    assert_eq!(
        pairs("a1 b10 a2 b20 a3", false).await,
        [(1, 10), (2, 10), (2, 20), (3, 20)]
    );
}

#[tokio::test]
async fn case_22_on_any_overwrites_what_came_before_the_set_was_complete() {
    assert_eq!(pairs("a1 a2 b10 b20", false).await, [(2, 10), (2, 20)]);
}

#[tokio::test]
async fn case_23_on_any_keeps_the_one_value_of_a_constant() {
    let flow = Flow::new()
        .input("in", 100)
        .node("gen", Gen::TYPE, [("k", 3.into())])
        .node("pair", Pair::TYPE, [])
        .edges(
            "gen -> pair.a
             in -> pair.b",
        );
    assert_eq!(pairs_of(&flow).await, [(1, 100), (2, 100), (3, 100)]);
}

#[tokio::test]
async fn case_24_on_any_never_executes_without_an_item_on_every_handle() {
    let flow = Flow::new()
        .node("seq", Seq::TYPE, [("script", script("a1"))])
        .node("pair", Pair::TYPE, [])
        .output("out")
        .edges(
            "seq.a -> pair.a
             seq.b -> pair.b
             pair -> out.value",
        );
    let ran = run(&flow, []).await.completed();
    assert!(ran.updates("pair").is_empty());
    assert_eq!(ran.edge("e3"), [None]);
    assert_eq!(ran.announced("out"), [(Value::Null, "none".into())]);
}

#[tokio::test]
async fn case_25_zip_pairs_items_in_order() {
    assert_eq!(pairs("a1 b10 a2 b20", true).await, [(1, 10), (2, 20)]);
    assert_eq!(pairs("a1 a2 b10 b20", true).await, [(1, 10), (2, 20)]);
}

#[tokio::test]
async fn case_26_zip_leaves_the_longer_tail() {
    assert_eq!(pairs("a1 a2 b10 b20 b30", true).await.len(), 2);
}

#[tokio::test]
async fn case_27_zip_repeats_the_item_of_a_handle_that_does_not_stream() {
    let flow = Flow::new()
        .input("in", 1)
        .node("gen", Gen::TYPE, [("k", 3.into())])
        .node("pair", Pair::TYPE, [])
        .zip()
        .edges(
            "in -> pair.a
             gen -> pair.b",
        );
    assert_eq!(pairs_of(&flow).await, [(1, 1), (1, 2), (1, 3)]);
}

#[tokio::test]
async fn case_28_zip_uses_up_sticky_items_before_it_repeats_the_last() {
    let flow = Flow::new()
        .input("one", 1)
        .input("two", 2)
        .node("gen", Gen::TYPE, [("k", 3.into())])
        .node("dyn", Dyn::TYPE, [])
        .zip()
        .edges(
            "one -> dyn.a
             two -> dyn.a
             gen -> dyn.b",
        );
    let ran = run(&flow, []).await.completed();
    let got: Vec<_> = ran.slot("dyn", "output");
    let want =
        [(1, 1), (2, 2), (2, 3)].map(|(a, b)| Value::map([("a", a.into()), ("b", b.into())]));
    assert_eq!(got, want);
}

#[tokio::test]
async fn case_29_zip_of_constants_executes_on_every_new_one() {
    let flow = Flow::new()
        .input("a1", 1)
        .input("b10", 10)
        .input("a2", 2)
        .node("dyn", Dyn::TYPE, [])
        .zip()
        .edges(
            "a1 -> dyn.a
             b10 -> dyn.b
             a2 -> dyn.a",
        );
    let ran = run(&flow, []).await.completed();
    let got: Vec<_> = ran.slot("dyn", "output");
    let want = [(1, 10), (2, 10)].map(|(a, b)| Value::map([("a", a.into()), ("b", b.into())]));
    assert_eq!(got, want);
}

#[tokio::test]
async fn case_30_three_inputs_into_a_list_run_once() {
    let flow = Flow::new()
        .input("x", 10)
        .input("y", 20)
        .input("z", 30)
        .node("sum", Sum::TYPE, [])
        .edges(
            "x -> sum.values
             y -> sum.values
             z -> sum.values",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.slot("sum", "sum"), ints([60]));
    assert_eq!(ran.slot("sum", "count"), ints([3]));
}

#[tokio::test]
async fn case_31_two_empty_streams_into_a_list_run_once_with_nothing() {
    let flow = Flow::new()
        .node("x", Gen::TYPE, [])
        .node("y", Gen::TYPE, [])
        .node("sum", Sum::TYPE, [])
        .edges(
            "x -> sum.values
             y -> sum.values",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.slot("sum", "sum"), ints([0]));
    assert_eq!(ran.slot("sum", "count"), ints([0]));
}

#[tokio::test]
async fn case_32_a_gathering_node_takes_the_last_item_of_its_other_handles() {
    let flow = Flow::new()
        .input("x", 1)
        .input("y", 2)
        .input("ten", 10)
        .node("sum", Sum::TYPE, [])
        .edges(
            "x -> sum.values
             y -> sum.values
             ten -> sum.factor",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.slot("sum", "sum"), ints([30]));
    let properties = ran.updates("sum")[0]
        .properties
        .clone()
        .expect("properties");
    assert_eq!(properties["values"], Value::list(ints([1, 2])));
    assert_eq!(properties["factor"], Value::Int(10));
}

#[tokio::test]
async fn case_33_one_stream_into_a_list_executes_for_every_item() {
    let flow = Flow::new()
        .node("gen", Gen::TYPE, [("k", 3.into())])
        .node("sum", Sum::TYPE, [])
        .edges("gen -> sum.values");
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.slot("sum", "sum"), ints(1..=3));
    assert_eq!(ran.slot("sum", "count"), ints([1, 1, 1]));
}

#[tokio::test]
async fn case_34_lists_of_list_slots_are_spliced_into_a_list() {
    let flow = Flow::new()
        .node("list", Items::TYPE, [("values", Value::list(ints([1, 2])))])
        .node("three", Int::TYPE, [("value", 3.into())])
        .node("items", Items::TYPE, [])
        .edges(
            "list -> items.values
             three -> items.values",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.slot("items", "output"), [Value::list(ints(1..=3))]);
    // A list that merely happens to be one item stays one item.
    let flow = Flow::new()
        .input("list", Value::list(ints([1, 2])))
        .input("three", 3)
        .node("items", Items::TYPE, [])
        .edges(
            "three -> items.values
             list -> items.values",
        );
    let ran = run(&flow, []).await.completed();
    let want = Value::list([3.into(), Value::list(ints([1, 2]))]);
    assert_eq!(ran.slot("items", "output"), [want]);
}

#[tokio::test]
async fn an_empty_list_is_a_value_and_null_stands_for_the_default() {
    let texts = async |value: Value| {
        let flow = Flow::new()
            .input("in", value)
            .node("texts", Texts::TYPE, [])
            .edges("in -> texts.values");
        run(&flow, []).await.completed().slot("texts", "output")
    };
    assert_eq!(texts(Value::list([])).await, [Value::list([])]);
    assert_eq!(texts(Value::Null).await, [Value::list(["default".into()])]);
    let flow = Flow::new()
        .node("seq", Seq::TYPE, [])
        .node("texts", Texts::TYPE, [])
        .edges(
            "seq.a -> texts.values
             seq.b -> texts.values",
        );
    let ran = run(&flow, []).await.completed();
    assert_eq!(ran.slot("texts", "output"), [Value::list([])]);
}
