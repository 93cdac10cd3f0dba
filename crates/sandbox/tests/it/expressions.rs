//! Batches of one expression.

use std::time::Duration;

use nodetool_protocol::Value;
use nodetool_sandbox::{PoolOptions, SandboxError, SandboxPool};

use super::{json, options, pool};

fn items(text: &str) -> Vec<Value> {
    json(text).as_list().expect("a list").to_vec()
}

async fn eval(expression: &str, list: &str) -> Result<Vec<Result<Value, String>>, SandboxError> {
    pool().eval_items(expression, items(list)).await
}

fn fine(values: &str) -> Vec<Result<Value, String>> {
    items(values).into_iter().map(Ok).collect()
}

#[tokio::test]
async fn each_item_gives_one_result_in_order() {
    assert_eq!(
        eval("item % 2 === 0", "[0, 1, 2]").await.unwrap(),
        fine("[true, false, true]")
    );
    assert_eq!(
        eval("item !== null", "[\"a\", null]").await.unwrap(),
        fine("[true, false]")
    );
    assert_eq!(
        eval("item.a.b[1] + index; // why not", r#"[{"a":{"b":[1,2]}}]"#)
            .await
            .unwrap(),
        fine("[2]")
    );
    assert_eq!(
        eval("({k: [item, 0.5, undefined], u: undefined})", "[1]")
            .await
            .unwrap(),
        fine(r#"[{"k":[1,0.5,null]}]"#)
    );
    assert_eq!(eval("true", "[]").await.unwrap(), []);
}

#[tokio::test]
async fn a_throwing_expression_fails_that_item_only() {
    let results = eval("item.a.b > 1", r#"[1, {"a":{"b":2}}]"#).await.unwrap();
    assert!(
        results[0].as_ref().unwrap_err().starts_with("TypeError: "),
        "{results:?}"
    );
    assert_eq!(results[1], Ok(Value::Bool(true)));
}

#[tokio::test]
async fn a_wrong_expression_fails_as_a_whole_and_says_why() {
    for wrong in ["item >", "return item", ""] {
        let Err(SandboxError::Script(text)) = eval(wrong, "[1]").await else {
            panic!("{wrong}")
        };
        assert!(
            text.contains("SyntaxError") || text.contains("empty"),
            "{text}"
        );
    }
    assert!(matches!(
        eval("item >", "[]").await,
        Err(SandboxError::Script(_))
    ));
}

#[tokio::test]
async fn nothing_is_left_behind_for_the_next_batch() {
    let pool = SandboxPool::new(PoolOptions {
        max_children: 1,
        ..options()
    });
    let write = "(globalThis.left = item, Array.prototype.map = () => 'mine', typeof left)";
    assert_eq!(
        pool.eval_items(write, items("[1]")).await.unwrap(),
        fine("[\"number\"]")
    );
    let read = "[typeof left, [1].map(x => x)]";
    assert_eq!(
        pool.eval_items(read, items("[1]")).await.unwrap(),
        fine(r#"[["undefined", [1]]]"#)
    );
    assert_eq!(
        pool.eval_items(write, items("[1]")).await.unwrap(),
        fine("[\"number\"]")
    );
}

#[tokio::test]
async fn a_lasting_expression_sees_only_what_it_left_itself() {
    let pool = SandboxPool::new(PoolOptions {
        max_children: 1,
        ..options()
    });
    let count = "(globalThis.n = (globalThis.n ?? 0) + 1)";
    let (first, second) = (pool.expression(count), pool.expression(count));
    assert_eq!(first.eval(items("[0]")).await.unwrap(), fine("[1]"));
    assert_eq!(first.eval(items("[0]")).await.unwrap(), fine("[2]"));
    assert_eq!(second.eval(items("[0]")).await.unwrap(), fine("[1]"));
}

#[tokio::test]
async fn more_lasting_expressions_than_are_kept_still_work() {
    let pool = SandboxPool::new(PoolOptions {
        max_children: 1,
        ..options()
    });
    let many: Vec<_> = (0..80)
        .map(|n| (n, pool.expression(&format!("item + {n}"))))
        .collect();
    for _ in 0..2 {
        for (n, expression) in &many {
            assert_eq!(
                expression.eval(vec![Value::Int(1)]).await.unwrap(),
                [Ok(Value::Int(n + 1))]
            );
        }
    }
}

#[tokio::test]
async fn an_endless_expression_ends_with_a_clear_error() {
    let pool = SandboxPool::new(PoolOptions {
        expression_timeout: Duration::from_millis(200),
        ..options()
    });
    let error = pool
        .eval_items("(() => { for (;;); })()", items("[1, 2]"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "The script ran longer than 0.2 s (timeout)."
    );
    assert_eq!(
        pool.eval_items("item", items("[1]")).await.unwrap(),
        fine("[1]")
    );
    assert_eq!(pool.started(), 1);
}

#[tokio::test]
async fn an_expression_without_end_of_memory_ends_with_a_clear_error() {
    let pool = SandboxPool::new(PoolOptions {
        memory_bytes: 16 << 20,
        ..options()
    });
    let greedy = "(() => { const a = []; for (;;) a.push('x'.repeat(1e5) + a.length) })()";
    let error = pool.eval_items(greedy, items("[1]")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "The script used more than its 16 MiB of memory."
    );
    assert_eq!(
        pool.eval_items("item", items("[1]")).await.unwrap(),
        fine("[1]")
    );
    assert_eq!(pool.started(), 1);
}

#[tokio::test]
async fn large_batches_are_split_and_keep_their_numbers() {
    let text = Value::from("x".repeat(1 << 20));
    let results = pool()
        .eval_items("index + item.length", vec![text; 40])
        .await
        .unwrap();
    let expected: Vec<_> = (0..40).map(|n| Ok(Value::Int((1 << 20) + n))).collect();
    assert_eq!(results, expected);
}

#[tokio::test]
async fn a_promise_is_no_result() {
    let results = eval("Promise.resolve(item)", "[1]").await.unwrap();
    assert!(
        results[0].as_ref().unwrap_err().contains("promise"),
        "{results:?}"
    );
}

#[tokio::test]
async fn items_too_deep_or_too_large_are_refused_here() {
    let deep = (0..200).fold(Value::Null, |inner, _| Value::list([inner]));
    assert!(matches!(
        pool().eval_items("item", vec![deep]).await,
        Err(SandboxError::Input(_))
    ));
    let large = Value::Bytes(vec![0; 65 << 20].into());
    assert!(matches!(
        pool().eval_items("1", vec![large]).await,
        Err(SandboxError::Input(_))
    ));
}
