//! What a call costs. The bounds are wide, so that a busy machine passes; the numbers are printed.

use std::time::{Duration, Instant};

use nodetool_protocol::{Map, Value};

use super::{Desk, ignore, open, pool};

/// The middle one of so many timings, after a warm-up.
async fn median(rounds: usize, mut work: impl AsyncFnMut()) -> Duration {
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds + 20 {
        let began = Instant::now();
        work().await;
        if round >= 20 {
            times.push(began.elapsed());
        }
    }
    times.sort();
    times[rounds / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warm_calls_take_milliseconds_at_most() {
    let pool = pool();
    let desk = Desk::default();
    let fleeting = median(300, async || {
        pool.eval_items("item > 5", vec![Value::Int(7)])
            .await
            .unwrap();
    })
    .await;
    let expression = pool.expression("item > 5");
    let lasting = median(300, async || {
        expression.eval(vec![Value::Int(7)]).await.unwrap();
    })
    .await;
    let mut session = open(&pool, "return { n: inputs.n + 1 }").await.unwrap();
    let call = median(300, async || {
        session
            .call(Map::from_iter([("n".into(), Value::Int(1))]), &desk, ignore)
            .await
            .unwrap();
    })
    .await;
    let opening = median(50, async || drop(open(&pool, "return 1").await.unwrap())).await;
    println!(
        "one item {fleeting:?}, lasting expression {lasting:?}, call {call:?}, open {opening:?}"
    );
    for time in [fleeting, lasting, call, opening] {
        assert!(time < Duration::from_millis(20), "{time:?}");
    }
    assert!(pool.started() <= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_items_are_one_round_trip() {
    let pool = pool();
    pool.eval_items("1", Vec::new()).await.unwrap();
    let items: Vec<Value> = (0..10_000)
        .map(|n| Value::map([("n", Value::Int(n)), ("t", Value::from("text"))]))
        .collect();
    let began = Instant::now();
    let results = pool.eval_items("item.n % 2 === 0", items).await.unwrap();
    println!("10,000 items {:?}", began.elapsed());
    assert_eq!(
        results
            .iter()
            .filter(|result| **result == Ok(Value::Bool(true)))
            .count(),
        5000
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(pool.started(), 1);
}
