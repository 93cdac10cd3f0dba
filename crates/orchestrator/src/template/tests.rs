use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use nodetool_sdk::steps::{Compat, Runtime};
use nodetool_sdk::{Map, Value};
use proptest::prelude::*;

use super::{AT_ONCE, LIMITS, Names, Rendering, Template};

fn map(json: &str) -> Map {
    let value: Value = serde_json::from_str(json).unwrap();
    value.as_map().unwrap().clone()
}

fn names() -> Names {
    Names {
        data: Arc::new(map(
            r#"{"n":1,"b":true,"off":false,"f":1.50,"nothing":null,"text":"a \"q\" <b>","list":[1,{"k":2}],
                "items":[7],"get":"got","d":{"x":{"y":"deep"},"é":"ü"},"rows":[{"a":1},{}],"counter":{"current":3}}"#,
        )),
        env: Arc::new(map(r#"{"base":"http://x","depth":{"a":1},"none":null}"#)),
        runtime: Arc::new(Runtime::new(map(r#"{"seen":5}"#))),
    }
}

async fn render(source: &str) -> Result<String, String> {
    rendered(source, &names()).await
}

async fn rendered(source: &str, names: &Names) -> Result<String, String> {
    let template = Template::parse(source).map_err(|e| e.to_string())?;
    let text = template.render(names).await.map_err(|e| e.to_string())?;
    Ok(text.to_string())
}

#[test]
fn a_template_is_told_by_its_marks_wherever_they_stand() {
    for text in [
        "{{ data }}",
        "a {{\n data.x\n}} b",
        "{% if 1 %}{% endif %}",
        "{{",
    ] {
        assert!(Template::is_in(text, Compat::Doc), "{text}");
    }
    for text in [
        "",
        "plain",
        "{ {",
        "{# note #}",
        "}} %}",
        r#"{"a":{"b":1}}"#,
    ] {
        assert!(!Template::is_in(text, Compat::Doc), "{text}");
    }
}

#[test]
fn for_clients_of_the_reference_an_expression_stands_on_one_line() {
    for text in ["{{ data }}", "a\nb {{ x }}\nc", "}} {{ {{ }}", "{{}}"] {
        assert!(Template::is_in(text, Compat::Reference), "{text}");
    }
    for text in ["{{\n data.x\n}}", "{% if 1 %}{% endif %}", "{{", "}} {{"] {
        assert!(!Template::is_in(text, Compat::Reference), "{text}");
    }
}

#[tokio::test]
async fn values_are_rendered_as_python_prints_them() {
    for (source, text) in [
        ("{{ data.b }}", "True"),
        ("{{ data.off }}", "False"),
        ("{{ data.nothing }}", "{}"),
        ("{{ data.missing }}", "{}"),
        ("{{ data.list }}", "[1, {'k': 2}]"),
        ("{{ data.d }}", "{'x': {'y': 'deep'}, 'é': 'ü'}"),
        ("{{ data.f }}", "1.5"),
        ("{{ data.n }}", "1"),
        ("{{ data.text }}", "a \"q\" <b>"),
        ("{{ data['text'] }}", "a \"q\" <b>"),
        ("n={{ data.n }};b={{ data.b ~ '' }}", "n=1;b=True"),
        ("{{ data.list[1].k }}", "2"),
        ("{{ data.list[9] }}", ""),
        ("one newline\n{{ data.n }}\n\n", "one newline\n1\n"),
        ("{%- if data.b %} yes {%- endif %}", " yes"),
    ] {
        assert_eq!(render(source).await.as_deref(), Ok(text), "{source}");
    }
}

#[tokio::test]
async fn what_data_lacks_is_an_empty_dict_that_can_be_asked_on() {
    for (source, text) in [
        ("{{ data.zz.yy }}", "{}"),
        ("{{ data.zz.yy.xx['w'] }}", "{}"),
        ("{{ data['zz']['yy'] }}", "{}"),
        ("{{ data.nothing.more }}", "{}"),
        ("{{ data.zz or 'd' }}", "d"),
        ("{{ data.zz|default('d') }}", "{}"),
        ("{{ data.zz|default('d', true) }}", "d"),
        ("{{ data.zz is defined }}", "True"),
        (
            "{% if data.zz %}there{% else %}not there{% endif %}",
            "not there",
        ),
        ("{{ (data.zz or data.d).x.y }}", "deep"),
        ("{% set d = data.d %}{{ d.x.none.at.all }}", "{}"),
        (
            "{% for row in data.rows %}{{ row.a }},{% endfor %}",
            "1,{},",
        ),
        ("{{ data.zz|length }}", "0"),
        // A dict of the template's own lacks like any other.
        ("{{ {'a': 1}.b }}", ""),
    ] {
        assert_eq!(render(source).await.as_deref(), Ok(text), "{source}");
    }
    // A number has no parts at all.
    assert_eq!(render("{{ data.n.more }}").await.as_deref(), Ok(""));
    assert!(render("{{ data.n.more.still }}").await.is_err());
}

#[tokio::test]
async fn keys_shadow_the_methods_of_a_dict() {
    for (source, text) in [
        ("{{ data.items }}", "[7]"),
        ("{{ data['items']|tojson }}", "[7]"),
        ("{{ data.get }}", "got"),
        ("{{ data.counter.items()|list }}", "[['current', 3]]"),
        ("{{ data.counter.keys()|list }}", "['current']"),
        ("{{ data.counter.values()|list }}", "[3]"),
        ("{{ data.get('n', 9) }}/{{ data.get('zz', 9) }}", "1/9"),
        ("{{ data.get('d').x.y }}", "deep"),
    ] {
        assert_eq!(render(source).await.as_deref(), Ok(text), "{source}");
    }
}

#[tokio::test]
async fn what_the_workflow_and_the_run_lack_prints_as_nothing() {
    for (source, text) in [
        ("{{ workflowenv.base }}/y", "http://x/y"),
        ("{{ workflowenv.depth.a }}", "1"),
        ("[{{ workflowenv.zz }}]", "[]"),
        ("{{ workflowenv.zz|default('d') }}", "d"),
        ("{{ workflowenv.none }}", "None"),
        ("{{ runtime.seen }}", "5"),
        ("[{{ runtime.zz }}]", "[]"),
        ("{{ runtime.get('zz', 'd') }}", "d"),
        ("{{ runtime.get('seen') }}", "5"),
        ("[{{ nope }}]", "[]"),
    ] {
        assert_eq!(render(source).await.as_deref(), Ok(text), "{source}");
    }
    for source in ["{{ workflowenv.zz.deeper }}", "{{ runtime.zz.deeper }}"] {
        let why = render(source).await.unwrap_err();
        assert!(why.contains("'zz' is undefined"), "{why}");
    }
}

#[tokio::test]
async fn case_24_values_of_the_token_and_the_workflow_make_json() {
    let source = r#"{"v": {{ data.counter.current }}, "e":"{{ workflowenv.base }}"}"#;
    assert_eq!(
        render(source).await.as_deref(),
        Ok(r#"{"v": 3, "e":"http://x"}"#)
    );
}

#[tokio::test]
async fn case_25_templates_keep_and_forget_values_of_the_run() {
    let names = names();
    let at = |source| rendered(source, &names);
    assert_eq!(at("{{ 'x'|set_runtime('k',7) }}").await.as_deref(), Ok("x"));
    assert_eq!(names.runtime.get("k"), Some(Value::Int(7)));
    assert_eq!(at("{{ runtime.k }}").await.as_deref(), Ok("7"));
    let both = "{{ 1|set_runtime(key='k', val=8) }}{{ runtime.k }}{{ runtime.k|set_runtime('k', runtime.k + 1) }}";
    assert_eq!(at(both).await.as_deref(), Ok("188"));
    assert_eq!(names.runtime.get("k"), Some(Value::Int(9)));
    let gone = "{{ 'y'|delete_runtime('k') }}[{{ runtime.k }}]";
    assert_eq!(at(gone).await.as_deref(), Ok("y[]"));
    assert_eq!(names.runtime.get("k"), None);
    // What a failing template changed is not kept.
    assert!(at("{{ 1|set_runtime('bad', 1) }}{{ zz.y }}").await.is_err());
    assert_eq!(names.runtime.get("bad"), None);
}

#[tokio::test]
async fn what_a_run_keeps_is_bounded() {
    for (source, part) in [
        ("{{ 1|set_runtime(2, 3) }}", "expected text"),
        ("{{ 1|set_runtime('k') }}", "needs a key and a value"),
        ("{{ 1|set_runtime('k', 1, 2) }}", "more than 2"),
        ("{{ 1|set_runtime('k' * 300, 1) }}", "at most 255"),
        ("{{ 1|set_runtime('k', 'a' * 2000000) }}", "too large"),
        (
            "{% for i in range(2000) %}{{ 1|set_runtime('k' ~ i, 1) }}{% endfor %}",
            "at most 1000 keys",
        ),
        (
            "{% for i in range(90) %}{{ 1|set_runtime('k', [runtime.k]) }}{% endfor %}",
            "levels deep",
        ),
    ] {
        let why = render(source).await.unwrap_err();
        assert!(why.contains(part), "{source}: {why}");
    }
}

#[tokio::test]
async fn case_26_truth_objects_and_lists_are_rendered() {
    for (source, text) in [
        (r#""{{ data.b }}""#, r#""True""#),
        (
            "{{ data.d|tojson }}",
            r#"{"x": {"y": "deep"}, "\u00e9": "\u00fc"}"#,
        ),
        ("{{ data.text|tojson }}", r#""a \"q\" <b>""#),
        (r#""{{ data.zz.yy }}""#, r#""{}""#),
        ("{{ data['items']|tojson }}", "[7]"),
        ("{{ data.list|tojson }}", r#"[1, {"k": 2}]"#),
    ] {
        assert_eq!(render(source).await.as_deref(), Ok(text), "{source}");
    }
}

#[tokio::test]
async fn case_27_what_cannot_be_evaluated_says_why() {
    for (source, part) in [
        ("{{ nope.x }}", "'nope' is undefined"),
        ("{{ 1|nofilter }}", "unknown filter `nofilter`"),
        ("{{ 1 + }}", "unexpected"),
        ("{% if %}", "unexpected"),
        ("{{ open", "no end"),
    ] {
        let why = render(source).await.unwrap_err();
        assert!(why.contains(part), "{source}: {why}");
    }
}

#[tokio::test]
async fn case_28_nothing_of_the_engine_can_be_reached() {
    for source in [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ data.get.__globals__['x'] }}",
        "{{ self.__init__.__globals__.__builtins__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ request.application.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ [].append.__self__ }}",
        "{{ config.items() }}",
        "{{ ''|attr('__class__')|attr('__mro__') }}",
    ] {
        match render(source).await {
            Ok(text) => assert!(text.is_empty() || text == "{}", "{source}: {text}"),
            Err(why) => assert!(!why.contains("nodetool") && !why.contains(".rs"), "{why}"),
        }
    }
}

#[tokio::test]
async fn loops_and_macros_work_as_in_jinja() {
    for (source, text) in [
        (
            "{% for i in data.list %}{{ loop.index }}{% if not loop.last %},{% endif %}{% endfor %}",
            "1,2",
        ),
        (
            "{% macro tag(name, end='/') %}<{{ name }}{{ end }}>{% endmacro %}{{ tag('a') }}{{ tag(name='b', end='') }}",
            "<a/><b>",
        ),
        (
            "{% set ns = namespace(sum=0) %}{% for i in [1, 2, 3] %}{% set ns.sum = ns.sum + i %}{% endfor %}{{ ns.sum }}",
            "6",
        ),
    ] {
        assert_eq!(render(source).await.as_deref(), Ok(text), "{source}");
    }
}

#[tokio::test]
async fn a_template_that_never_ends_is_stopped() {
    for source in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace(t='a') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
        "{% set ns = namespace(t='a') %}{% for i in range(60) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}",
        "{% for i in range(90000) %}0123456789012345678901234567890123456789012345678901234567890{% endfor %}",
        "{% for i in range(99999) %}{{ i|set_runtime('k', i) }}{% for j in range(99) %}{{ runtime.k }}{% endfor %}{% endfor %}",
    ] {
        assert!(render(source).await.is_err(), "{source}");
    }
}

#[test]
fn the_runtime_goes_on_while_a_long_template_is_rendered() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let template = Template::parse(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    )
    .unwrap();
    let names = names();
    runtime.block_on(async {
        // While the one thread for long work is taken, the rendering waits and the runtime does not.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let taken = tokio::task::spawn_blocking(move || wait.recv());
        let mut render = pin!(template.render(&names));
        let waits = poll_fn(|cx| Poll::Ready(render.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
        go.send(()).unwrap();
        let why = render.await.unwrap_err().to_string();
        assert!(why.contains(&LIMITS.steps.to_string()), "{why}");
        taken.await.unwrap().unwrap();
    });
}

#[tokio::test]
async fn a_long_template_within_the_limits_is_rendered_to_its_end() {
    let source = "{% for i in range(20000) %}{{ i % 10 }}{% endfor %}{{ 1|set_runtime('n', 1) }}";
    let names = names();
    let text = rendered(source, &names).await.unwrap();
    assert_eq!(text.len(), 20_001);
    assert_eq!(names.runtime.get("n"), Some(Value::Int(1)));
}

#[test]
fn a_plain_path_gives_the_value_itself() {
    let data = map(r#"{"a":{"b":[1]}}"#);
    let value = |source: &str| Template::parse(source).unwrap().value(&data);
    assert_eq!(value("{{ data.a.b }}"), Some(Value::list([Value::Int(1)])));
    assert_eq!(value("{{ data.a.zz.y }}"), Some(Value::Null));
    assert_eq!(value("{{ data }}"), Some(data.clone().into()));
    assert_eq!(value("{{ data.a.b }} "), None);
    assert_eq!(value("{{ data.a|tojson }}"), None);
    assert_eq!(value("{{ workflowenv.a }}"), None);
}

fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "{{",
        "}}",
        "{%",
        "%}",
        "-%}",
        "{#",
        "#}",
        "if",
        "elif",
        "else",
        "endif",
        "for",
        "in",
        "endfor",
        "set",
        "endset",
        "macro",
        "endmacro",
        "m",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ".",
        "|",
        "~",
        "+",
        "**",
        "=",
        "==",
        "not",
        "is",
        "data",
        "runtime",
        "workflowenv",
        "loop",
        "ns",
        "namespace",
        "range",
        "9",
        "'k'",
        "\"",
        "items",
        "list",
        "sort",
        "map",
        "tojson",
        "groupby",
        "slice",
        "urlencode",
        "wordwrap",
        "set_runtime",
        "delete_runtime",
        "raw",
        "endraw",
        "\n",
        "é",
        "index",
        "cycle",
        "x",
    ];
    prop_oneof![
        12 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => Just("{{ data.a }}".to_owned()),
        1 => Just("{% for x in data.list %}".to_owned()),
        1 => Just("{% macro m(x) %}{{ m(x) }}{% endmacro %}".to_owned()),
        1 => ".{0,3}",
    ]
}

proptest! {
    #[test]
    fn no_template_panics(pieces in proptest::collection::vec(piece(), 0..50), glue in any::<bool>()) {
        let source = pieces.join(if glue { "" } else { " " });
        if let Ok(template) = Template::parse(&source) {
            let names = names();
            let _ = template.plain(&names.data);
            let _ = template.value(&names.data);
            let quick = Rendering::of(&names, &template.parsed, AT_ONCE);
            prop_assert!(quick.is_err() || quick.is_ok_and(|r| r.text.len() <= LIMITS.output));
        }
    }
}
