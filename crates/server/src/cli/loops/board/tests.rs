use serde_json::json;

use super::*;

fn value(json: serde_json::Value) -> Value {
    serde_json::from_value(json).expect("a value")
}

fn take(board: &mut Board, json: serde_json::Value) -> Option<End> {
    board.take(&value(json))
}

fn completed(node: &str, seq: i64) -> serde_json::Value {
    json!({"type": "node_completed", "node_id": node, "node_type": "counter", "route": "default",
        "duration": 0.0015, "output_data": format!("{{\"n\":{seq}}}"), "seq": seq})
}

fn running(done: i64, completed: serde_json::Value) -> serde_json::Value {
    json!({"type": "state_sync", "state": {"workflow_id": "w", "status": "running", "started_at": "t1",
        "executing_nodes": {"b": {"node_id": "b", "node_type": "static-delay-node"}},
        "completed_nodes": completed, "completed_count": done}})
}

/// Node, state and runs of each row.
fn brief(board: &Board) -> Vec<[String; 3]> {
    let rows = board.rows().1;
    let brief = |row: &Vec<String>| [row[0].clone(), row[2].clone(), row[3].clone()];
    rows.iter().map(brief).collect()
}

#[test]
fn events_make_a_table_and_an_end() {
    let mut board = Board::default();
    let idle = json!({"type": "state_sync", "state": {"status": "idle", "completed_count": 0}});
    assert_eq!(take(&mut board, idle), None);
    assert!(board.is_idle());
    let begun = json!({"type": "node_started", "node_id": "a", "node_type": "counter"});
    assert_eq!(take(&mut board, begun), None);
    assert_eq!(brief(&board), [["a", "running", "0"]]);
    take(&mut board, completed("a", 1));
    take(&mut board, completed("a", 2));
    let failed =
        json!({"type": "node_failed", "node_id": "b", "node_type": "x", "error": "no\u{1b}pe"});
    take(&mut board, failed);
    let rows = board.rows().1;
    assert_eq!(
        rows[0],
        [
            "a",
            "counter",
            "completed",
            "2",
            "1.50 ms",
            "default",
            "{\"n\":2}"
        ]
    );
    assert_eq!(rows[1][2..], ["failed", "1", "", "", "no pe"]);
    let end = json!({"type": "workflow_completed", "status": "success", "duration": 2.0});
    assert_eq!(take(&mut board, end), Some(End::Completed));
    let end = json!({"type": "workflow_failed", "error": "no url"});
    assert_eq!(take(&mut board, end), Some(End::Failed("no url".into())));
}

#[test]
fn a_state_after_lost_events_says_that_counts_are_at_least() {
    let mut board = Board::default();
    let listed = json!([{"node_id": "a", "node_type": "counter", "duration_seconds": 0.5, "route": "default"}]);
    take(&mut board, running(1, listed.clone()));
    assert_eq!(
        brief(&board),
        [["a", "completed", "1"], ["b", "running", "0"]]
    );
    take(&mut board, completed("a", 2));
    // Nothing was lost: counts stay exact.
    take(&mut board, running(2, listed.clone()));
    assert_eq!(brief(&board)[0], ["a", "completed", "2"]);
    take(&mut board, running(900, listed));
    assert_eq!(brief(&board)[0], ["a", "completed", "2+"]);
    assert_eq!(board.line(), "running, 900 steps done");
}

#[test]
fn a_run_that_is_stopped_or_over_is_an_end_and_a_new_one_begins_anew() {
    let mut board = Board::default();
    take(&mut board, running(0, json!([])));
    let idle = json!({"type": "state_sync", "state": {"status": "idle", "completed_count": 0}});
    assert_eq!(take(&mut board, idle), Some(End::Stopped));
    let failed = json!({"type": "state_sync", "state": {"status": "failed", "started_at": "t2",
        "completed_count": 0, "error": "server restarted"}});
    let end = take(&mut board, failed);
    assert_eq!(end, Some(End::Failed("server restarted".into())));
    assert_eq!(brief(&board).len(), 0);
}

#[test]
fn each_event_is_one_line_that_cannot_steer_the_terminal() {
    let message = value(completed("a", 1));
    assert_eq!(
        line(&message).as_deref(),
        Some("node_completed  a  counter  default  0.001500 s  {\"n\":1}")
    );
    let message = value(json!({"type": "workflow_failed", "error": "a\n\u{1b}[2Jb"}));
    assert_eq!(line(&message).as_deref(), Some("workflow_failed  a  [2Jb"));
    assert_eq!(line(&value(json!({"type": "pong"}))), None);
    assert_eq!(line(&value(json!([]))), None);
}
