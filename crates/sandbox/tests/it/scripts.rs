//! What a body can say and do.

use std::sync::Mutex;

use nodetool_protocol::{Map, Value};
use nodetool_sandbox::{CallResult, SandboxError};

use super::{Desk, ignore, inputs, json, limits, open, pool, run, value};

#[tokio::test]
async fn a_plain_object_becomes_outputs_and_anything_else_a_value() {
    assert_eq!(
        run("return { a: 1, b: undefined }").await.unwrap(),
        CallResult::Outputs(inputs(r#"{"a": 1}"#))
    );
    assert_eq!(
        run("return {};").await.unwrap(),
        CallResult::Outputs(Map::new())
    );
    assert_eq!(
        run("return [1]").await.unwrap(),
        CallResult::Value(json("[1]"))
    );
    assert_eq!(
        run("return 'x'").await.unwrap(),
        CallResult::Value(Value::from("x"))
    );
    for nothing in [
        "return null",
        "return",
        "",
        "const x = 1",
        "undefined",
        "(() => 1)",
    ] {
        assert_eq!(
            run(nothing).await.unwrap(),
            CallResult::Nothing,
            "{nothing}"
        );
    }
}

#[tokio::test]
async fn without_return_the_last_expression_is_the_result() {
    assert_eq!(value("const x = 20; x * 2").await, Value::Int(40));
    assert_eq!(
        value("const x = await Promise.resolve(3); if (x > 2) { 'big' } else { 'small' }").await,
        Value::from("big")
    );
    assert_eq!(
        value("{ a: 1, b: [2] }").await,
        json(r#"{"a": 1, "b": [2]}"#)
    );
    assert_eq!(value("Promise.resolve(5)").await, Value::Int(5));
    assert_eq!(value("1 + 1 // two").await, Value::Int(2));
}

#[tokio::test]
async fn inputs_have_two_names_and_may_be_shadowed() {
    let code = "const text = inputs.text; return [text, n, typeof globalThis.text, inputs.state, typeof state, Math]";
    let pool = pool();
    let mut session = open(&pool, code).await.unwrap();
    let given = inputs(r#"{"text": "t", "n": 2, "state": "s", "Math": "m"}"#);
    let result = session.call(given, &Desk::default(), ignore).await.unwrap();
    assert_eq!(
        result,
        CallResult::Value(json(r#"["t", 2, "string", "s", "object", "m"]"#))
    );
}

#[tokio::test]
async fn inputs_of_one_call_are_gone_in_the_next() {
    let pool = pool();
    let mut session = open(&pool, "return [typeof a, typeof b, Math.max(1, 2)]")
        .await
        .unwrap();
    let desk = Desk::default();
    let first = session
        .call(inputs(r#"{"a": 1, "JSON": 2}"#), &desk, ignore)
        .await
        .unwrap();
    assert_eq!(
        first,
        CallResult::Value(json(r#"["number", "undefined", 2]"#))
    );
    let second = session
        .call(inputs(r#"{"b": 1}"#), &desk, ignore)
        .await
        .unwrap();
    assert_eq!(
        second,
        CallResult::Value(json(r#"["undefined", "number", 2]"#))
    );
}

#[tokio::test]
async fn state_lives_across_calls_of_one_session_only() {
    let pool = pool();
    for code in [
        "state.n = (state.n ?? 0) + 1; return state.n",
        "const was = state.n ?? 0; state.n = was + 1; state.n",
    ] {
        let (mut one, mut other) = (
            open(&pool, code).await.unwrap(),
            open(&pool, code).await.unwrap(),
        );
        let desk = Desk::default();
        for n in 1..=3 {
            assert_eq!(
                one.call(Map::new(), &desk, ignore).await.unwrap(),
                CallResult::Value(Value::Int(n))
            );
        }
        assert_eq!(
            other.call(Map::new(), &desk, ignore).await.unwrap(),
            CallResult::Value(Value::Int(1))
        );
    }
}

#[tokio::test]
async fn yielded_values_leave_in_order_and_before_the_result() {
    let code = "for (let i = 0; i < 3; i++) { yield i % 2 ? { i } : i; console.log('after ' + i) } return 'end'";
    let taken = Mutex::new(Vec::new());
    let desk = Desk::default();
    let mut session = open(&pool(), code).await.unwrap();
    let result = session
        .call(Map::new(), &desk, |given| {
            taken.lock().unwrap().push((given, desk.seen("log").len()));
            std::future::ready(())
        })
        .await
        .unwrap();
    assert_eq!(result, CallResult::Value(Value::from("end")));
    let number = |n| CallResult::Value(Value::Int(n));
    let expected = [
        (number(0), 0),
        (CallResult::Outputs(inputs(r#"{"i": 1}"#)), 1),
        (number(2), 2),
    ];
    assert_eq!(*taken.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_body_that_only_yields_gives_nothing_at_the_end() {
    assert_eq!(
        run("yield 1; yield [2]").await.unwrap(),
        CallResult::Nothing
    );
}

#[tokio::test]
async fn errors_name_the_kind_the_text_and_the_line() {
    let text = |error: SandboxError| error.to_string();
    assert_eq!(
        text(run("\nnull.x").await.unwrap_err()),
        "TypeError: cannot read property 'x' of null (line 2)"
    );
    assert_eq!(
        text(run("const a = 1;\n\nreturn b").await.unwrap_err()),
        "ReferenceError: b is not defined (line 3)"
    );
    assert_eq!(
        text(run("await 1; throw new Error('mine')").await.unwrap_err()),
        "Error: mine (line 1)"
    );
    let many = "\nawait Promise.all(Array.from({ length: 300 }, () => sleep(5000)))";
    assert_eq!(
        text(run(many).await.unwrap_err()),
        "Error: More than 256 host calls are open at once. (line 2)"
    );
    assert_eq!(text(run("throw 'text'").await.unwrap_err()), "text");
    assert_eq!(
        text(run("throw { code: 1 }").await.unwrap_err()),
        "{\"code\":1}"
    );
    let wrong = open(&pool(), "return 1;\nreturn ((").await.unwrap_err();
    assert!(text(wrong).starts_with("SyntaxError: "));
}

#[tokio::test]
async fn a_script_that_threw_can_be_called_again() {
    let mut session = open(
        &pool(),
        "if (x) throw new Error('no'); state.n = (state.n ?? 0) + 1; return state.n",
    )
    .await
    .unwrap();
    let desk = Desk::default();
    let (bad, good) = (inputs(r#"{"x": true}"#), inputs(r#"{"x": false}"#));
    assert_eq!(
        session.call(good.clone(), &desk, ignore).await.unwrap(),
        CallResult::Value(Value::Int(1))
    );
    assert!(matches!(
        session.call(bad, &desk, ignore).await,
        Err(SandboxError::Script(_))
    ));
    assert_eq!(
        session.call(good, &desk, ignore).await.unwrap(),
        CallResult::Value(Value::Int(2))
    );
}

#[tokio::test]
async fn host_calls_are_answered_and_their_errors_are_caught() {
    let code = r#"
        const answer = await fetch("http://x/", { method: "post", headers: { A: 1 }, body: "b" });
        const files = await workspace.list();
        let missing;
        try { await workspace.read("a") } catch (error) { missing = error.message }
        await workspace.write("b", new Uint8Array([1, 2]));
        await sleep(5);
        console.log("done", { n: 1 }, [2], undefined);
        const secrets = await Promise.all(["k", "l"].map(getSecret));
        return { ok: answer.ok, status: answer.status, a: answer.headers.get("a"), body: await answer.json(), files, missing, secrets };
    "#;
    let desk = Desk::default();
    let mut session = open(&pool(), code).await.unwrap();
    let CallResult::Outputs(outputs) = session.call(Map::new(), &desk, ignore).await.unwrap()
    else {
        panic!("a value")
    };
    let expected = r#"{"ok": true, "status": 200, "a": "1", "body": {"n": 3}, "files": ["a.txt"],
        "missing": "there is no such file", "secrets": ["secret of k", "secret of l"]}"#;
    assert_eq!(Value::from(outputs), json(expected));
    let request = json(r#"["http://x/", {"method": "POST", "headers": {"a": "1"}, "body": "b"}]"#);
    assert_eq!(Value::from(desk.seen("fetch").remove(0)), request);
    assert_eq!(
        desk.seen("workspace.write"),
        [[Value::from("b"), Value::Bytes(vec![1, 2].into())]]
    );
    assert_eq!(
        desk.seen("log"),
        [[
            Value::from("info"),
            Value::from("done {\"n\":1} [2] undefined")
        ]]
    );
}

#[tokio::test]
async fn values_keep_their_kinds_both_ways() {
    let given = Map::from_iter([
        ("big".into(), Value::Int(i64::MAX)),
        ("safe".into(), Value::Int(-9_007_199_254_740_991)),
        ("float".into(), Value::Float(0.5)),
        ("nan".into(), Value::Float(f64::NAN)),
        ("bytes".into(), Value::Bytes(vec![0, 128, 255].into())),
        ("text".into(), Value::from("ü\u{1f600}\0")),
        ("none".into(), Value::Null),
        ("__proto__".into(), json(r#"{"polluted": true}"#)),
    ]);
    let code = "return { ...inputs, ['__proto__']: inputs['__proto__'], kinds: [typeof big, typeof safe, bytes instanceof Uint8Array, {}.polluted] }";
    let mut session = open(&pool(), code).await.unwrap();
    let CallResult::Outputs(mut got) = session
        .call(given.clone(), &Desk::default(), ignore)
        .await
        .unwrap()
    else {
        panic!("a value")
    };
    let kinds = got.shift_remove("kinds").unwrap();
    assert_eq!(kinds, json(r#"["bigint", "number", true, null]"#));
    let nan = got.shift_remove("nan").unwrap();
    assert!(nan.as_f64().unwrap().is_nan());
    for (key, value) in &got {
        assert_eq!(
            (value.kind(), value),
            (given[key].kind(), &given[key]),
            "{key}"
        );
    }
    assert_eq!(got.len(), given.len() - 1);
}

#[tokio::test]
async fn odd_values_leave_as_the_nearest_plain_ones() {
    let code = r#"return [
        new Date(0), new Date(NaN), new Map([["a", 1], [2, new Set([3])]]), new Float32Array([0.5]), 10n, 2n ** 80n,
        new Uint8Array([1, 2, 3]).subarray(1).length, Symbol("s"), () => 1, new Error("e"), new (class { toJSON() { return "j" } })(),
        new (class A { x = 1; #y = 2 })(), Object.create(null), "\ud800", 1e300, -0, [, 1], new Proxy({ p: 1 }, {}),
    ]"#;
    let expected = r#"["1970-01-01T00:00:00.000Z", null, {"a": 1, "2": [3]}, [0.5], 10, 1208925819614629174706176.0,
        2, null, null, {"name": "Error", "message": "e"}, "j", {"x": 1}, {}, "\ufffd", 1e300, 0, [null, 1], {"p": 1}]"#;
    assert_eq!(value(code).await, json(expected));
    assert_eq!(
        value("return new Uint8Array([1, 2, 3]).subarray(1)").await,
        Value::Bytes(vec![2, 3].into())
    );
    assert_eq!(
        value("return new Uint8Array([1, 2]).buffer").await,
        Value::Bytes(vec![1, 2].into())
    );
}

#[tokio::test]
async fn the_usual_globals_exist() {
    let code = r#"
        const url = new URL("../b?x=1&x=2#h", "https://u:p@e.org:8080/a/c");
        url.searchParams.set("y", "a b");
        const original = { d: new Date(5), m: new Map([[1, { z: [1] }]]), self: null };
        original.self = original;
        const copy = structuredClone(original);
        const order = [];
        await new Promise((done) => { setTimeout(() => { order.push(2); done() }, 5); order.push(1) });
        clearTimeout(setTimeout(() => order.push(3), 1));
        return [
            new TextDecoder().decode(new TextEncoder().encode("ü\ud800")),
            new TextDecoder("latin1").decode(new Uint8Array([0xfc, 0x80])),
            new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 65, 0xff])),
            atob(btoa("hi")), url.href, url.host, url.origin, [...url.searchParams.keys()],
            copy !== original && copy.self === copy && copy.m.get(1).z[0] === 1 && copy.d.getTime() === 5,
            /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuid()), uuid() !== uuid(),
            crypto.getRandomValues(new Uint8Array(4)).length, order, URL.canParse("no"),
            new URLSearchParams({ a: "1&2" }).toString(), typeof queueMicrotask,
        ];
    "#;
    let expected = r#"["ü\ufffd", "ü€", "A\ufffd", "hi", "https://u:p@e.org:8080/b?x=1&x=2&y=a+b#h", "e.org:8080",
        "https://e.org:8080", ["x", "x", "y"], true, true, true, 4, [1, 2], false, "a=1%262", "function"]"#;
    assert_eq!(value(code).await, json(expected));
}

#[tokio::test]
async fn logs_are_bounded() {
    let desk = Desk::default();
    let code = "console.error('x'.repeat(1e5)); for (let i = 0; i < 5000; i++) console.log(i)";
    open(&pool(), code)
        .await
        .unwrap()
        .call(Map::new(), &desk, ignore)
        .await
        .unwrap();
    let lines = desk.seen("log");
    assert_eq!(lines.len(), 1001);
    assert_eq!(lines[0][0], Value::from("error"));
    assert!(lines[0][1].as_str().unwrap().len() < 10_000);
    assert!(lines[1000][1].as_str().unwrap().contains("1000"));
}

#[tokio::test]
async fn what_leaves_is_bounded_in_size_and_depth() {
    let small = super::CallLimits {
        max_output_bytes: 10_000,
        ..limits()
    };
    for code in [
        "return 'x'.repeat(20000)",
        "return new Array(5000).fill(0)",
        "yield new Uint8Array(20000)",
        "const a = []; a.length = 4e9; return a",
    ] {
        let mut session = pool().session(code, Vec::new(), small).await.unwrap();
        let error = session
            .call(Map::new(), &Desk::default(), ignore)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("10000 bytes") || error.to_string().contains("too large"),
            "{code}: {error}"
        );
    }
    for code in [
        "const a = {}; a.a = a; return a",
        "let a = 1; for (let i = 0; i < 1000; i++) a = [a]; return a",
    ] {
        let error = run(code).await.unwrap_err();
        assert!(
            error.to_string().contains("nested deeper than 100"),
            "{code}: {error}"
        );
    }
}

#[tokio::test]
async fn host_calls_nobody_waits_for_do_not_pile_up() {
    let mut session = open(
        &pool(),
        "for (let i = 0; i < 200; i++) sleep(5000); return 1",
    )
    .await
    .unwrap();
    for _ in 0..3 {
        let result = session
            .call(Map::new(), &Desk::default(), ignore)
            .await
            .unwrap();
        assert_eq!(result, CallResult::Value(Value::Int(1)));
    }
}
