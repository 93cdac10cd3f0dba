//! How children come, are shared, and go.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nodetool_protocol::{Map, Value};
use nodetool_sandbox::{CallLimits, CallResult, PoolOptions, SandboxError, SandboxPool};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::{Desk, ignore, limits, open, options, pool};

const COUNT: &str = "state.n = (state.n ?? 0) + 1; return state.n";

/// Searches for hours without ever asking whether it should stop.
const STUBBORN: &str = "'a'.repeat(5e6).indexOf('a'.repeat(2.5e6) + 'b')";

fn one_child() -> SandboxPool {
    SandboxPool::new(PoolOptions {
        max_children: 1,
        ..options()
    })
}

fn number(n: i64) -> CallResult {
    CallResult::Value(Value::Int(n))
}

/// Waits until a fact holds; fails when it never does.
async fn until(what: &str, fact: impl Fn() -> bool) {
    let wait = async {
        while !fact() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), wait)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn many_batches_at_once_start_no_more_children_than_allowed() {
    let pool = pool();
    let batches = (0..50).map(|n| {
        let pool = pool.clone();
        async move {
            pool.eval_items("item * 2", vec![Value::Int(n); 20])
                .await
                .unwrap()
        }
    });
    let results = futures_util::future::join_all(batches).await;
    for (n, result) in (0..).zip(results) {
        assert_eq!(result, vec![Ok(Value::Int(n * 2)); 20]);
    }
    assert!(pool.started() <= 2, "{}", pool.started());
}

#[tokio::test]
async fn a_script_that_waits_for_its_host_leaves_the_child_to_others() {
    let pool = one_child();
    let mut waiting = open(&pool, "await sleep(1e6); return 1").await.unwrap();
    let desk = Desk::default();
    let call = waiting.call(Map::new(), &desk, ignore);
    tokio::pin!(call);
    let others = async {
        for n in 0..5 {
            assert_eq!(
                pool.eval_items("item", vec![Value::Int(n)]).await.unwrap(),
                [Ok(Value::Int(n))]
            );
        }
        super::value("return 1").await
    };
    tokio::select! {
        result = &mut call => panic!("it should wait: {result:?}"),
        value = others => assert_eq!(value, Value::Int(1)),
    }
    assert_eq!(pool.started(), 1);
}

#[tokio::test]
async fn two_scripts_on_one_child_answer_to_their_own_callers() {
    let pool = one_child();
    let code = "const out = []; for (let i = 0; i < 20; i++) { out.push(await getSecret(name + i)) } return out.every((s, i) => s === 'secret of ' + name + i)";
    let mut sessions = [
        open(&pool, code).await.unwrap(),
        open(&pool, code).await.unwrap(),
    ];
    let desk = Desk::default();
    let calls = sessions.iter_mut().zip(["a", "b"]).map(|(session, name)| {
        session.call(
            Map::from_iter([("name".into(), Value::from(name))]),
            &desk,
            ignore,
        )
    });
    for result in futures_util::future::join_all(calls).await {
        assert_eq!(result.unwrap(), CallResult::Value(Value::Bool(true)));
    }
}

#[tokio::test]
async fn dropping_a_call_stops_an_endless_script_without_harm_to_others() {
    let pool = one_child();
    let mut counter = open(&pool, COUNT).await.unwrap();
    let desk = Desk::default();
    assert_eq!(
        counter.call(Map::new(), &desk, ignore).await.unwrap(),
        number(1)
    );
    let no_limit = CallLimits {
        timeout: Duration::ZERO,
        ..limits()
    };
    let mut endless = pool
        .session("for (;;);", Vec::new(), no_limit)
        .await
        .unwrap();
    assert!(
        timeout(
            Duration::from_millis(50),
            endless.call(Map::new(), &desk, ignore)
        )
        .await
        .is_err()
    );
    let began = Instant::now();
    assert_eq!(
        counter.call(Map::new(), &desk, ignore).await.unwrap(),
        number(2)
    );
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert!(matches!(
        endless.call(Map::new(), &desk, ignore).await,
        Err(SandboxError::Ended(_))
    ));
    assert_eq!(pool.started(), 1);
}

#[tokio::test]
async fn a_dropped_call_that_cannot_be_interrupted_is_killed() {
    let pool = one_child();
    let no_limit = CallLimits {
        timeout: Duration::ZERO,
        ..limits()
    };
    let mut stubborn = pool.session(STUBBORN, Vec::new(), no_limit).await.unwrap();
    let desk = Desk::default();
    assert!(
        timeout(
            Duration::from_millis(50),
            stubborn.call(Map::new(), &desk, ignore)
        )
        .await
        .is_err()
    );
    let began = Instant::now();
    assert_eq!(
        pool.eval_items("item", vec![Value::Int(1)]).await.unwrap(),
        [Ok(Value::Int(1))]
    );
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(pool.started(), 2);
}

#[tokio::test]
async fn a_killed_child_costs_its_other_scripts_their_state_and_says_so() {
    let pool = one_child();
    let desk = Desk::default();
    let mut counter = open(&pool, COUNT).await.unwrap();
    assert_eq!(
        counter.call(Map::new(), &desk, ignore).await.unwrap(),
        number(1)
    );
    let mut fresh = open(&pool, COUNT).await.unwrap();
    let tight = CallLimits {
        timeout: Duration::from_millis(100),
        ..limits()
    };
    let mut stubborn = pool.session(STUBBORN, Vec::new(), tight).await.unwrap();
    let error = stubborn.call(Map::new(), &desk, ignore).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "The script ran longer than 0.1 s (timeout)."
    );
    let error = counter.call(Map::new(), &desk, ignore).await.unwrap_err();
    let expected = "The script's `state` is lost, because the process that held it ended: a script ran longer than its limit.";
    assert_eq!(error.to_string(), expected);
    assert!(matches!(
        counter.call(Map::new(), &desk, ignore).await,
        Err(SandboxError::Ended(_))
    ));
    // This one had no state to lose.
    assert_eq!(
        fresh.call(Map::new(), &desk, ignore).await.unwrap(),
        number(1)
    );
    assert_eq!(pool.started(), 2);
}

#[tokio::test]
async fn scripts_come_and_go_in_any_state_without_harm_to_others() {
    let pool = one_child();
    let desk = Desk::default();
    let mut counter = open(&pool, COUNT).await.unwrap();
    for n in 1..=5 {
        for code in [
            "return ((",
            "import a from 'b'",
            "throw new Error('x')",
            "await sleep(1e6)",
            "for (let i = 0;; i++) yield i",
            "state.f = () => sleep(1e6); state.p = state.f(); await new Promise(() => {})",
            "const a = []; for (;;) a.push(new Array(1e5).fill(a))",
            "return { f: async () => 1, m: new Map() }",
        ] {
            let Ok(mut session) = open(&pool, code).await else {
                continue;
            };
            // A consumer who never takes anything, and a caller who soon leaves.
            let call = session.call(Map::new(), &desk, |_| std::future::pending());
            let _ = timeout(Duration::from_millis(30), call).await;
        }
        assert_eq!(
            counter.call(Map::new(), &desk, ignore).await.unwrap(),
            number(n)
        );
    }
    assert_eq!(pool.started(), 1);
}

#[tokio::test]
async fn a_child_that_dies_of_its_work_is_explained() {
    let pool = SandboxPool::new(PoolOptions {
        max_children: 1,
        memory_bytes: 32 << 20,
        ..options()
    });
    let code = "import { select } from '@nodetool-ai/sandbox-html';\
        return await select('<b>x</b>'.repeat(1e6), 'b')";
    let packages = vec!["@nodetool-ai/sandbox-html".to_owned()];
    let mut heavy = pool.session(code, packages, limits()).await.unwrap();
    let desk = Desk::default();
    let error = heavy.call(Map::new(), &desk, ignore).await.unwrap_err();
    let expected =
        "The script's process ended: it gave up, most often for lack of memory (signal 6).";
    assert_eq!(error.to_string(), expected);
    assert_eq!(
        pool.eval_items("item", vec![Value::Int(1)]).await.unwrap(),
        [Ok(Value::Int(1))]
    );
}

#[tokio::test]
async fn the_consumer_of_yielded_values_sets_the_pace_and_its_time_is_not_counted() {
    let tight = CallLimits {
        timeout: Duration::from_millis(300),
        ..limits()
    };
    let mut session = pool()
        .session("for (let i = 0; i < 3; i++) yield i", Vec::new(), tight)
        .await
        .unwrap();
    let gate = Arc::new(Notify::new());
    let desk = Desk::default();
    let began = Instant::now();
    let call = session.call(Map::new(), &desk, |_| {
        let gate = gate.clone();
        async move { gate.notified().await }
    });
    tokio::pin!(call);
    for _ in 0..3 {
        assert!(
            timeout(Duration::from_millis(200), &mut call)
                .await
                .is_err()
        );
        gate.notify_one();
    }
    assert_eq!(call.await.unwrap(), CallResult::Nothing);
    assert!(began.elapsed() > Duration::from_millis(600));
}

#[tokio::test]
async fn idle_children_go_and_children_with_sessions_stay() {
    let pool_options = PoolOptions {
        idle_timeout: Duration::from_millis(20),
        max_children: 1,
        ..options()
    };
    let pool = SandboxPool::new(pool_options.clone());
    let desk = Desk::default();
    let mut counter = open(&pool, COUNT).await.unwrap();
    assert_eq!(
        counter.call(Map::new(), &desk, ignore).await.unwrap(),
        number(1)
    );
    let other = SandboxPool::new(pool_options);
    other.eval_items("1", Vec::new()).await.unwrap();
    until("a child without a session goes", || other.children() == 0).await;
    assert_eq!(
        counter.call(Map::new(), &desk, ignore).await.unwrap(),
        number(2)
    );
    assert_eq!((pool.started(), pool.children()), (1, 1));
    drop(counter);
    until("the child goes", || pool.children() == 0).await;
    assert_eq!(
        pool.eval_items("item", vec![Value::Int(1)]).await.unwrap(),
        [Ok(Value::Int(1))]
    );
    assert_eq!(pool.started(), 2);
}

#[tokio::test]
async fn closing_the_pool_ends_calls_and_children() {
    let pool = pool();
    let mut session = open(&pool, "await sleep(1e6)").await.unwrap();
    let mut endless = open(&pool, "for (;;);").await.unwrap();
    let desk = Desk::default();
    let calls = async {
        tokio::join!(
            session.call(Map::new(), &desk, ignore),
            endless.call(Map::new(), &desk, ignore)
        )
    };
    tokio::pin!(calls);
    assert!(
        timeout(Duration::from_millis(100), &mut calls)
            .await
            .is_err()
    );
    pool.close();
    let (waiting, running) = timeout(Duration::from_secs(5), calls)
        .await
        .expect("both calls end");
    assert!(matches!(waiting, Err(SandboxError::Closed)), "{waiting:?}");
    assert!(matches!(running, Err(SandboxError::Closed)), "{running:?}");
    assert!(matches!(
        pool.eval_items("1", Vec::new()).await,
        Err(SandboxError::Closed)
    ));
    assert!(matches!(open(&pool, "1").await, Err(SandboxError::Closed)));
}

#[tokio::test]
async fn a_call_can_move_between_threads() {
    fn moves<T: Send>(work: T) -> T {
        work
    }
    let pool = pool();
    let desk = Desk::default();
    let mut session = moves(open(&pool, COUNT)).await.unwrap();
    let call = moves(session.call(Map::new(), &desk, ignore));
    assert_eq!(call.await.unwrap(), number(1));
    assert!(moves(pool.eval_items("1", Vec::new())).await.is_ok());
}

#[tokio::test]
async fn a_time_limit_beyond_all_clocks_is_no_limit() {
    let endless = CallLimits {
        timeout: Duration::MAX,
        ..limits()
    };
    let mut session = pool()
        .session("await sleep(1); return 1", Vec::new(), endless)
        .await
        .unwrap();
    assert_eq!(
        session
            .call(Map::new(), &Desk::default(), ignore)
            .await
            .unwrap(),
        number(1)
    );
}

#[test]
fn a_pool_outlives_the_runtime_it_was_first_used_in() {
    let pool = one_child();
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let results = runtime
            .block_on(pool.eval_items("item", vec![Value::Int(1)]))
            .unwrap();
        assert_eq!(results, [Ok(Value::Int(1))]);
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named() {
    let pool = SandboxPool::new(PoolOptions {
        program: "/does/not/exist".into(),
        ..options()
    });
    let error = pool.eval_items("1", Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("`/does/not/exist`"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_no_child_is_an_error_and_not_a_hang() {
    for program in ["/bin/true", "/bin/cat", "/usr/bin/yes"] {
        if !Path::new(program).exists() {
            continue;
        }
        let pool = SandboxPool::new(PoolOptions {
            program: program.into(),
            ..options()
        });
        let error = timeout(Duration::from_secs(10), pool.eval_items("1", Vec::new()))
            .await
            .unwrap()
            .unwrap_err();
        assert!(matches!(error, SandboxError::Died(_)), "{program}: {error}");
    }
}

#[tokio::test]
async fn a_pool_outside_of_a_runtime_can_be_made_and_dropped() {
    std::thread::spawn(|| drop(pool())).join().unwrap();
}
