//! Workflows that are called like a function.

use nodetool_sdk::steps::{Mode, Token};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fixtures::{Flow, ended, plain};

#[tokio::test]
async fn the_first_node_is_given_the_input_and_the_last_one_gives_the_answer() {
    let nodes = [("h hook", json!({})), ("t add", json!({}))];
    let flow = Flow::new(&nodes, "h -> t");
    let answer = flow.call(json!({"x": 1})).await.expect("an answer");
    assert_eq!(
        plain(answer.data),
        json!({"x": 1, "webhook": {"x": 1}, "added": "t"})
    );
    assert_eq!(&*answer.id, "call");
    assert_eq!(flow.record.completed(), "h t");
    assert_eq!(
        flow.log.lines(),
        [
            "setup h",
            "setup t",
            "run h",
            "run t",
            "cleanup h",
            "cleanup t"
        ]
    );
}

#[tokio::test]
async fn any_error_is_the_answer_and_nothing_runs_after_it() {
    let nodes = [
        ("h hook", json!({})),
        ("f fail", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "h -> f -> z");
    assert_eq!(
        flow.call(json!({})).await.expect_err("an error"),
        "it went wrong"
    );
    assert_eq!(flow.log.count("run z"), 0);
    assert_eq!(flow.log.count("cleanup"), 3);
}

#[tokio::test]
async fn what_does_not_block_does_not_end_the_path_here() {
    let nodes = [
        ("h hook", json!({})),
        ("a apart", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "h -> a -> z");
    let answer = flow.call(json!({})).await.expect("an answer");
    assert_eq!(plain(answer.data)["added_2"], "z");
}

#[tokio::test]
async fn forks_and_loop_nodes_work_as_ever() {
    let nodes = [
        ("h hook", json!({})),
        ("a add", json!({"turns": 2})),
        ("l each", json!({"items": [1, 2]})),
        ("s replace", json!({"data": {"n": 1}})),
        ("j add", json!({})),
    ];
    let flow = Flow::new(&nodes, "h -> a -> j, h -> l -> j, l -subdag-> s");
    let answer = flow.call(json!({})).await.expect("an answer");
    let data = plain(answer.data);
    assert_eq!(data["loop_results"], json!([{"n": 1}, {"n": 1}]));
    assert_eq!(
        (&data["added"], &data["added_2"]),
        (&json!("a"), &json!("j"))
    );
}

#[tokio::test]
async fn without_a_node_behind_it_a_loop_node_answers_with_its_results() {
    let nodes = [
        ("h hook", json!({})),
        ("l each", json!({"items": [1]})),
        ("s replace", json!({"data": {"n": 1}})),
    ];
    let flow = Flow::new(&nodes, "h -> l, l -subdag-> s");
    let answer = flow.call(json!({})).await.expect("an answer");
    assert_eq!(plain(answer.data)["loop_results"], json!([{"n": 1}]));
}

#[tokio::test]
async fn a_step_that_cannot_be_set_up_is_the_answer() {
    let nodes = [("h hook", json!({})), ("t add", json!({"unset": true}))];
    let flow = Flow::new(&nodes, "h -> t");
    let error = flow.call(json!({})).await.expect_err("an error");
    assert_eq!(error, "test needs a browser, which is not available");
    assert_eq!(flow.log.lines(), ["setup h", "cleanup h"]);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test waits for its end")]
async fn a_call_can_be_given_up() {
    let nodes = [("h hook", json!({})), ("w hang", json!({}))];
    let flow = Flow::new(&nodes, "h -> w");
    let cancel = CancellationToken::new();
    let run = flow.run(Mode::Api).once(Token::default(), cancel.clone());
    let run = tokio::spawn(run);
    flow.record.until_started("w", 1).await;
    cancel.cancel();
    assert_eq!(
        ended(run).await.expect_err("an error"),
        "The run was cancelled"
    );
    assert_eq!(flow.log.count("cleanup"), 2);
}

#[tokio::test]
async fn the_only_webhook_that_nothing_leads_to_is_the_first_node() {
    let nodes = [
        ("a add", json!({})),
        ("h hook", json!({})),
        ("z add", json!({})),
    ];
    let flow = Flow::new(&nodes, "h -> z");
    let first = |mode| {
        flow.plan(mode)
            .expect("a plan")
            .first()
            .expect("a node")
            .id
            .to_string()
    };
    assert_eq!(first(Mode::Api), "h");
    assert_eq!(first(Mode::Production), "a");
    let answer = flow.call(json!({})).await.expect("an answer");
    assert_eq!(plain(answer.data)["added"], "z");
}
