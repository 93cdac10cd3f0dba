//! Packages as a script sees them.

use nodetool_protocol::{Map, Value};
use nodetool_sandbox::{CallResult, SandboxError};

use super::{Desk, ignore, json, limits, pool};

const ALL: [&str; 5] = [
    "@nodetool-ai/sandbox-csv",
    "@nodetool-ai/sandbox-diff",
    "@nodetool-ai/sandbox-html",
    "@nodetool-ai/sandbox-xml",
    "@nodetool-ai/sandbox-zip",
];

async fn with(packages: &[&str], code: &str) -> Result<CallResult, SandboxError> {
    let packages = packages.iter().map(ToString::to_string).collect();
    pool()
        .session(code, packages, limits())
        .await?
        .call(Map::new(), &Desk::default(), ignore)
        .await
}

#[tokio::test]
async fn every_package_can_be_imported_in_every_way() {
    let code = r#"
        import { parse, stringify as write } from "@nodetool-ai/sandbox-csv";
        import * as diff from "@nodetool-ai/sandbox-diff";
        import xml from '@nodetool-ai/sandbox-xml'
        const { zip, unzip } = await import("@nodetool-ai/sandbox-zip");
        import { select } from "@nodetool-ai/sandbox-html";
        const files = await unzip(await zip({ a: "text", b: new Uint8Array([7]) }));
        const pending = parse("a\n1");
        return [
            pending instanceof Promise, await pending, await write([{ x: 1.5 }]), typeof diff.unified,
            await xml.parse("<r><a>1</a><a>2</a></r>"), new TextDecoder().decode(files.a), files.b[0],
            await select("<p> one </p><p>two</p>", "p"),
        ];
    "#;
    let expected = r#"[true, [{"a": "1"}], "x\n1.5", "function", {"r": {"a": ["1", "2"]}}, "text", 7, ["one", "two"]]"#;
    assert_eq!(
        with(&ALL, code).await.unwrap(),
        CallResult::Value(json(expected))
    );
}

#[tokio::test]
async fn a_body_with_imports_may_end_with_an_expression() {
    let code = "import { parse } from '@nodetool-ai/sandbox-csv';\nconst rows = await parse('a\\n1\\n2');\nrows.length";
    assert_eq!(
        with(&ALL, code).await.unwrap(),
        CallResult::Value(Value::Int(2))
    );
}

#[tokio::test]
async fn only_listed_packages_can_be_imported() {
    let text = |result: Result<CallResult, SandboxError>| result.unwrap_err().to_string();
    let fixed = "import { parse } from '@nodetool-ai/sandbox-csv'; return 1";
    assert!(text(with(&[], fixed).await).contains("not among the packages"));
    assert!(text(with(&ALL[1..], fixed).await).contains("`@nodetool-ai/sandbox-csv`"));
    let moving = "return (await import('@nodetool-ai/sandbox-csv')).parse('a')";
    assert!(text(with(&[], moving).await).contains("@nodetool-ai/sandbox-csv"));
    assert!(text(with(&ALL, "await import('fs')").await).contains("fs"));
    assert!(text(with(&["left-pad"], "return 1").await).contains("`left-pad` does not exist"));
}

#[tokio::test]
async fn errors_of_a_package_are_thrown_in_the_script() {
    let code = "import { select } from '@nodetool-ai/sandbox-html'; try { await select('<p>', 'p[') } catch (e) { return e.message }";
    let CallResult::Value(message) = with(&ALL, code).await.unwrap() else {
        panic!("no text")
    };
    assert!(
        message
            .as_str()
            .unwrap()
            .starts_with("html.select: the selector"),
        "{message:?}"
    );
}
