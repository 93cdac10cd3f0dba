//! Scripts that mean harm: the server stays well, and the next script finds a working child.

use std::time::{Duration, Instant};

use nodetool_protocol::{Map, Value};
use nodetool_sandbox::{
    CallLimits, CallResult, Confinement, PoolOptions, SandboxError, SandboxPool,
};

use super::{Desk, ignore, limits, options, pool};

/// Runs a body with half a second and 32 MiB; then another script and an expression must work in the same pool.
async fn survive(code: &str) -> SandboxError {
    let pool = SandboxPool::new(PoolOptions {
        max_children: 1,
        ..options()
    });
    let tight = CallLimits {
        timeout: Duration::from_millis(500),
        memory: 32 << 20,
        max_output_bytes: 1 << 20,
    };
    let packages = ["csv", "diff", "html", "xml", "zip"]
        .map(|name| format!("@nodetool-ai/sandbox-{name}"))
        .to_vec();
    let began = Instant::now();
    let error = match pool.session(code, packages, tight).await {
        Ok(mut session) => session
            .call(Map::new(), &Desk::default(), ignore)
            .await
            .map(|r| format!("{r:?}"))
            .expect_err(code),
        Err(error) => error,
    };
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{code} took {:?}",
        began.elapsed()
    );
    let mut next = pool
        .session("return 1 + 1", Vec::new(), limits())
        .await
        .unwrap();
    assert_eq!(
        next.call(Map::new(), &Desk::default(), ignore)
            .await
            .unwrap(),
        CallResult::Value(Value::Int(2))
    );
    assert_eq!(
        pool.eval_items("item", vec![Value::Int(1)]).await.unwrap(),
        [Ok(Value::Int(1))]
    );
    error
}

#[tokio::test]
async fn endless_loops_run_out_of_time() {
    for code in [
        "while (true) {}",
        "for (;;) { try { while (true) {} } catch {} finally { continue } }",
        "const f = async () => { for (;;) await null }; await f()",
        "function* g() { for (;;) yield 1 } for (const x of g());",
        "JSON.stringify({ get a() { for (;;); } })",
        "return { get a() { for (;;); } }",
        "return { toJSON() { for (;;); } }.toJSON()",
        "throw { toString() { for (;;); }, get name() { for (;;); } }",
        "class E extends Error { get message() { for (;;); } } throw new E()",
        "for (;;) yield 1",
        "for (;;) await sleep(0)",
    ] {
        let error = survive(code).await;
        assert_eq!(
            error.to_string(),
            "The script ran longer than 0.5 s (timeout).",
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_regular_expression_bomb_runs_out_of_time() {
    let error = survive("return /^(a+)+$/.test('a'.repeat(40) + 'b')").await;
    assert!(matches!(error, SandboxError::Timeout(_)), "{error}");
}

#[tokio::test]
async fn work_that_cannot_be_interrupted_is_killed() {
    for code in [
        "return 'a'.repeat(5e6).indexOf('a'.repeat(2.5e6) + 'b')",
        "const b = 7n ** 100000n; for (;;) (b * b).toString()",
    ] {
        let error = survive(code).await;
        assert!(matches!(error, SandboxError::Timeout(_)), "{code}: {error}");
    }
}

#[tokio::test]
async fn allocating_without_end_runs_out_of_memory() {
    for code in [
        "const a = []; for (;;) a.push({ x: 'y'.repeat(1000) + a.length })",
        "let s = 'x'; for (;;) s += s.replace('x', 'yx')",
        "const a = []; for (;;) a.push(new Uint8Array(1 << 20))",
        "return new Array(1e8).fill(0)",
        "const p = () => Promise.resolve().then(p); await p()",
        "return 'x'.repeat(2 ** 29).split('')",
        "return new ArrayBuffer(2 ** 40)",
        "state.keep = []; const f = async () => { for (;;) { state.keep.push(new Array(1e5).fill(1)); await null } }; await f()",
        "return JSON.parse('['.repeat(1e7) + ']'.repeat(1e7))",
        "return JSON.parse('[' + '{},'.repeat(5e6) + '1]')",
    ] {
        let error = survive(code).await;
        let text = error.to_string();
        let is_clear = matches!(error, SandboxError::Memory { limit } if limit == 32 << 20)
            || text.contains("Error: ")
            || matches!(error, SandboxError::Timeout(_));
        assert!(is_clear, "{code}: {text}");
    }
}

#[tokio::test]
async fn deep_recursion_is_an_error_of_the_script() {
    for code in [
        "function f() { return f() + 1 } f()",
        "const f = (a) => [a].map(f); f(1)",
        "let a = {}; a.toJSON = () => JSON.stringify(a); return JSON.stringify(a)",
        "new RegExp('('.repeat(1e6) + ')'.repeat(1e6))",
        "eval('['.repeat(1e6))",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return JSON.stringify(a)",
    ] {
        let error = survive(code).await;
        assert!(
            matches!(error, SandboxError::Script(_) | SandboxError::Memory { .. }),
            "{code}: {error}"
        );
    }
    let bomb = format!("return {}1{}", "(".repeat(200_000), ")".repeat(200_000));
    assert!(matches!(
        survive(&bomb).await,
        SandboxError::Script(_) | SandboxError::Memory { .. }
    ));
}

#[tokio::test]
async fn a_bomb_for_a_package_is_refused_or_killed() {
    for code in [
        "import { toMarkdown } from '@nodetool-ai/sandbox-html'; return await toMarkdown('<b>'.repeat(50000))",
        "import { parse } from '@nodetool-ai/sandbox-xml'; return await parse('<a>'.repeat(1e6))",
        "import { unzip } from '@nodetool-ai/sandbox-zip'; return await unzip(new Uint8Array(100))",
        "import { zip, unzip } from '@nodetool-ai/sandbox-zip'; let z = new Uint8Array(9e6); const f = {}; for (let i = 0; i < 9; i++) f[i] = z; return await unzip(await zip(f))",
    ] {
        survive(code).await;
    }
}

#[tokio::test]
async fn too_many_host_calls_at_once_are_refused() {
    let error = survive("await Promise.all(Array.from({ length: 1000 }, () => sleep(5000)))").await;
    assert!(error.to_string().contains("256 host calls"), "{error}");
}

#[tokio::test]
async fn a_script_that_breaks_its_own_world_harms_only_itself() {
    for code in [
        "Map.prototype.get = Map.prototype.set = () => { throw 1 }; await sleep(1); return 1",
        "globalThis.Promise = null; Object.prototype.then = (f) => f(666); return {}",
        "delete globalThis.Array; Uint8Array.prototype.toBase64 = null; return new Uint8Array([1])",
        "Object.defineProperty(Object.prototype, 'inputs', { set() { throw 1 } }); return inputs",
        "Error.prepareStackTrace = () => { throw 1 }; null.x",
    ] {
        let pool = SandboxPool::new(PoolOptions {
            max_children: 1,
            ..options()
        });
        let tight = CallLimits {
            timeout: Duration::from_secs(2),
            ..limits()
        };
        let mut broken = pool.session(code, Vec::new(), tight).await.unwrap();
        for _ in 0..2 {
            // Whatever comes of it, it comes.
            let _ = broken
                .call(super::inputs(r#"{"a": 1}"#), &Desk::default(), ignore)
                .await;
        }
        let mut next = pool
            .session("return [typeof Array, {}.inputs]", Vec::new(), limits())
            .await
            .unwrap();
        let result = next
            .call(Map::new(), &Desk::default(), ignore)
            .await
            .unwrap();
        assert_eq!(
            result,
            CallResult::Value(super::json(r#"["function", null]"#)),
            "{code}"
        );
        assert_eq!(pool.started(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_promise_nobody_settles_is_named() {
    let error = survive("await new Promise(() => {})").await;
    assert!(matches!(error, SandboxError::Stuck), "{error}");
}

#[tokio::test]
async fn waiting_for_the_host_counts_as_time() {
    let error = survive("await sleep(1e9)").await;
    assert!(matches!(error, SandboxError::Timeout(_)), "{error}");
}

#[tokio::test]
async fn there_is_no_way_out_of_the_child() {
    let code = "return [typeof process, typeof require, typeof std, typeof os, typeof Deno, typeof WebAssembly, typeof XMLHttpRequest]";
    assert_eq!(
        super::value(code).await,
        super::json(
            r#"["undefined","undefined","undefined","undefined","undefined","undefined","undefined"]"#
        )
    );
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_child_is_confined_and_empty_handed() {
    let pool = pool();
    pool.eval_items("1", Vec::new()).await.unwrap();
    assert_eq!(
        pool.confinement(),
        Some(Confinement {
            limits: true,
            no_new_privileges: true,
            system_calls: true
        })
    );
    let own = std::process::id().to_string();
    let field = |text: &str, name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|rest| rest.trim().to_owned())
            .unwrap_or_default()
    };
    let mut checked = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        if field(&status, "PPid:") != own || field(&status, "Name:") != "sandbox-child" {
            continue;
        }
        if field(&status, "State:").starts_with('Z') {
            continue;
        }
        assert_eq!(std::fs::read(path.join("environ")).unwrap(), b"");
        assert_eq!(
            std::fs::read_link(path.join("cwd")).unwrap(),
            std::path::Path::new("/")
        );
        let limits = std::fs::read_to_string(path.join("limits")).unwrap();
        let limit = |name: &str| {
            field(&limits, name)
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        if field(&status, "Seccomp:") != "2" {
            // A child of another test that has only just been started.
            continue;
        }
        assert_eq!(limit("Max core file size"), "0");
        assert_eq!(limit("Max file size"), "0");
        assert_eq!(limit("Max processes"), "0");
        assert_eq!(limit("Max open files"), "8");
        assert_ne!(limit("Max data size"), "unlimited");
        assert_eq!(field(&status, "NoNewPrivs:"), "1");
        checked += 1;
    }
    assert!(checked > 0, "no child was looked at");
}
