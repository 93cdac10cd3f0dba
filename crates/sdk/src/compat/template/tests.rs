use super::*;

fn names() -> Value {
    let people = [("Ann", 30i64), ("bob", 25), ("Cy", 41)]
        .map(|(name, age)| Value::map([("name", name.into()), ("age", Value::Int(age))]));
    Value::map([
        ("name", Value::from("Ada Lovelace")),
        ("n", 7i64.into()),
        ("f", 1234.0.into()),
        ("none", Value::Null),
        ("yes", true.into()),
        ("list", Value::list([1i64.into(), "x".into(), true.into()])),
        ("people", Value::list(people)),
        (
            "items",
            Value::map([("a", 1i64), ("b", 2)].map(|(k, v)| (k, Value::Int(v)))),
        ),
    ])
}

fn render_with(source: &str, limits: Limits) -> Result<String, String> {
    let names = names();
    let template = Template::parse(source).map_err(|e| e.to_string())?;
    template
        .render(&|name| names.get(name).cloned(), limits)
        .map_err(|e| e.to_string())
}

fn render(source: &str) -> Result<String, String> {
    render_with(source, Limits::default())
}

#[test]
fn templates_render_as_jinja_renders_them() {
    for (source, text) in [
        ("Hi {{ name }}!\n", "Hi Ada Lovelace!"),
        ("{{ unknown }}|{{ items.zz }}|{{ list[9] }}", "||"),
        (
            "{{ list }} {{ yes }} {{ f }} {{ items }}",
            "[1, 'x', True] True 1234.0 {'a': 1, 'b': 2}",
        ),
        (
            "{{ name|truncate(8, leeway=0) }}|{{ name|truncate(6, True, '') }}|{{ name|truncate(7) }}",
            "Ada...|Ada Lo|Ada Lovelace",
        ),
        (
            "{{ name|upper|replace('A', 'o') }} {{ 'x y-z'|title }}",
            "oDo LOVELoCE X Y-Z",
        ),
        (
            "{{ list|join(', ') }} {{ people|map(attribute='name')|join('+') }}",
            "1, x, True Ann+bob+Cy",
        ),
        (
            "{{ people|sort(attribute='name')|map(attribute='age')|list }}",
            "[30, 25, 41]",
        ),
        ("{{ people|selectattr('age', 'gt', 26)|list|length }}", "2"),
        (
            "{{ people|sum(attribute='age') }} {{ people|max(attribute='age') }}",
            "96 {'name': 'Cy', 'age': 41}",
        ),
        (
            "{{ f|round(0) }} {{ 2.5|round }} {{ 1.005|round(2) }} {{ n|round }}",
            "1234.0 2.0 1.0 7",
        ),
        (
            "{{ zz|default('d') }} {{ ''|default('e', true) }} {{ none|default('n') }}",
            "d e None",
        ),
        (
            "{{ name|first }}{{ list|last }} {{ '  a '|trim }} {{ name|length }}",
            "ATrue a 12",
        ),
        (
            "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 }} {{ 1 + 2 * 3 }}",
            "3 -4 2 3.5 8 7",
        ),
        (
            "{{ 'a' ~ 1 ~ none }} {{ 'ab' * 2 }} {{ [1] + [2] }}",
            "a1None abab [1, 2]",
        ),
        (
            "{{ -1|abs }} {{ 1 < n <= 7 }} {{ 'b' in items }} {{ 3 not in list }}",
            "1 True True True",
        ),
        ("{{ 'y' if n > 9 else 'z' }}{{ 'q' if false }}", "z"),
        (
            "{{ name[:3] }} {{ name[::-1] }} {{ list[-1] }} {{ list.0 }}",
            "Ada ecalevoL adA True 1",
        ),
        (
            "{{ name.upper() }} {{ name.split()[1] }} {{ items.get('z', 9) }}",
            "ADA LOVELACE Lovelace 9",
        ),
        (
            "{% for k, v in items.items() %}{{ k }}={{ v }};{% endfor %}",
            "a=1;b=2;",
        ),
        (
            "{% for p in people if p.age > 26 %}{{ loop.index }}/{{ loop.length }}{{ p.name }}{% if not loop.last %},{% endif %}{% endfor %}",
            "1/2Ann,2/2Cy",
        ),
        ("{% for x in [] %}a{% else %}none{% endfor %}", "none"),
        (
            "{% if zz %}a{% elif n is odd %}b{% else %}c{% endif %}",
            "b",
        ),
        (
            "{% set a, b = 1, 2 %}{% for i in range(2) %}{% set a = 9 %}{% endfor %}{{ a }}{{ b }}",
            "12",
        ),
        (
            "{% set t %}<{{ n }}>{% endset %}{{ t|e }}{% with m = n + 1 %}{{ m }}{% endwith %}{{ m }}",
            "&lt;7&gt;8",
        ),
        (
            "{% filter upper %}a{{ n }}{% endfilter %}{# no #}{% raw %}{{ x }}{% endraw %}",
            "A7{{ x }}",
        ),
        (
            "a\n  {%- if yes -%}  \n b {%- endif %}  \nc\n\n",
            "ab  \nc\n",
        ),
        (
            "{{ '%.2f|%5d|%-4s|%04d' % [f, n, 'a', -5] }} {{ '%s!'|format(yes) }}",
            "1234.00|    7|a   |-005 True!",
        ),
        (
            "{{ items|tojson }} {{ {'k': [1, 'é']}|tojson }}",
            "{\"a\": 1, \"b\": 2} {\"k\": [1, \"\\u00e9\"]}",
        ),
        (
            "{{ n is defined and zz is undefined }} {{ 6 is divisibleby 3 }} {{ 'a' is in list }}",
            "True True False",
        ),
        (
            "{ \"json\": {{ n }} } {single} {",
            "{ \"json\": 7 } {single} {",
        ),
        (
            "{% for i in 'ab' %}{{ loop.cycle('x', 'y') }}{{ loop.previtem }}{% endfor %}",
            "xya",
        ),
    ] {
        assert_eq!(render(source).as_deref(), Ok(text), "{source}");
    }
}

#[test]
fn errors_say_what_and_where() {
    for (source, why) in [
        ("a\n{{ zz.a }}", "'zz' is undefined (line 2)"),
        ("{{ name|nope }}", "unknown filter `nope`"),
        ("{{ name is nope }}", "unknown test `nope`"),
        ("{{ nope(1) }}", "unknown function `nope`"),
        ("{{ 1 + 'a' }}", "`+` does not work on int 1 and str \"a\""),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ name", "a tag has no end"),
        (
            "{% if n %}",
            "a block has no end (expected elif or else or endif)",
        ),
        ("{% include 'x' %}", "`include` is not available"),
        ("{{ n n }}", "unexpected `n` (expected the end of the tag)"),
        ("{% for x in none %}{% endfor %}", "none has no items"),
        ("{{ list|sort }}", "have no order"),
        ("{{ 9223372036854775807 + 1 }}", "too large"),
        ("{{ name|upper(1) }}", "too many arguments"),
    ] {
        let e = render(source).unwrap_err();
        assert!(e.contains(why), "{source}: {e}");
    }
}

#[test]
fn hostile_templates_end_soon_and_small() {
    let limits = Limits {
        steps: 300_000,
        output: 1 << 20,
    };
    let doubling = format!(
        "{{% set x = 'abcdefgh' %}}{}{{{{ x|length }}}}",
        "{% set x = x ~ x %}".repeat(60)
    );
    let lists = format!(
        "{{% set x = [1] %}}{}{{{{ x == x }}}}",
        "{% set x = [x, x] %}".repeat(60)
    );
    let captured = "{% set x %}{% for i in range(100000) %}0123456789012345678901234567890123456789{% for j in range(99) %}x{% endfor %}{% endfor %}{% endset %}";
    for source in [
        doubling.as_str(),
        lists.as_str(),
        captured,
        "{{ 'a' * 9999999999 }}",
        "{{ ('a' * 60000000) ~ ('a' * 60000000) }}",
        "{{ 'aaaaaaaa'|replace('a', 'aaaaaaaa' * 1000000)|replace('a', 'aaaaaaaa' * 1000000) }}",
        "{{ 'a'|indent(99999999999, true) }}{{ 'a'|center(99999999999) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ range(99999999999) }}",
        "{{ [1]|batch(99999999999, 'x') }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    ] {
        assert!(render_with(source, limits).is_err(), "{source}");
    }
    let small = Limits {
        steps: 1_000_000,
        output: 10,
    };
    assert_eq!(
        render_with("0123456789", small).as_deref(),
        Ok("0123456789")
    );
    assert!(
        render_with("{{ name }}", small)
            .unwrap_err()
            .contains("at most 10 bytes")
    );
}

/// What a template over two long texts that are equal ends with.
fn compared(source: &str, text: &str, steps: u64) -> Result<String, String> {
    let texts = [Value::from(text), Value::from(text)];
    let look = |name: &str| match name {
        "a" => Some(texts[0].clone()),
        "b" => Some(texts[1].clone()),
        _ => None,
    };
    let limits = Limits {
        steps,
        output: 64 << 20,
    };
    let template = Template::parse(source).unwrap();
    template.render(&look, limits).map_err(|e| e.to_string())
}

#[test]
fn long_texts_that_are_compared_again_and_again_are_too_much_work() {
    let text = "x".repeat(64 << 10);
    for comparison in ["a == b", "a != b", "a <= b"] {
        let often = format!(
            "{{% for i in range(100) %}}{{% for j in range(200) %}}{{{{ {comparison} }}}}{{% endfor %}}{{% endfor %}}"
        );
        // Twenty thousand of them are little work where the texts are short.
        assert!(compared(&often, "x", 1_000_000).is_ok(), "{comparison}");
        let why = compared(&often, &text, 1_000_000).unwrap_err();
        assert!(why.contains("too much work"), "{comparison}: {why}");
        let once = format!("{{{{ {comparison} }}}}");
        assert!(compared(&once, &text, 1_000).is_ok(), "{comparison}");
    }
}

#[test]
fn parts_of_a_long_text_cost_the_way_to_them() {
    let text = "é€😀x".repeat(20_000);
    for (source, part) in [
        ("{{ a[-1] }}{{ a[-2] }}{{ a[1] }}", "x😀€"),
        ("{{ a|first }}{{ a|last }}", "éx"),
        ("[{{ a[-99999999] }}{{ a[99999999] }}]", "[]"),
    ] {
        let steps = if source.starts_with('[') { 50_000 } else { 50 };
        assert_eq!(compared(source, &text, steps).as_deref(), Ok(part));
    }
    // A slice looks at the whole text once: two hundred thousand bytes are some three thousand steps.
    for (source, part) in [
        ("{{ a[:3] }}", "é€😀"),
        ("{{ a[-3:] }}", "€😀x"),
        ("{{ a[40000:40002] }}", "é€"),
        ("{{ a[-1:-4:-1] }}", "x😀€"),
        ("{{ a[::40000] }}", "éé"),
    ] {
        assert_eq!(compared(source, &text, 4_000).as_deref(), Ok(part));
        let often = format!("{{% for i in range(1000) %}}{source}{{% endfor %}}");
        let why = compared(&often, &text, 100_000).unwrap_err();
        assert!(why.contains("too much work"), "{source}: {why}");
    }
    assert_eq!(
        compared("{{ a[::-1]|length }}", &text, 30_000).as_deref(),
        Ok("80000")
    );
}

#[test]
fn numbers_that_no_whole_number_holds_are_no_other_number() {
    for (source, text) in [
        ("{{ '42.9'|int }} {{ -7.9|int }} {{ true|int }}", "42 -7 1"),
        (
            "{{ 'x'|int }} {{ none|int }} {{ 'nan'|int }} {{ 'inf'|int }}",
            "0 0 0 0",
        ),
        ("{{ 'x'|int(5) }} {{ ''|int(default=6) }}", "5 6"),
        (
            "{{ 9223372036854775807|int }} {{ '-9223372036854775808'|int }}",
            "9223372036854775807 -9223372036854775808",
        ),
        (
            "{{ -9223372036854775808.0|int }} {{ 9.2e18|int }}",
            "-9223372036854775808 9200000000000000000",
        ),
        (
            "{{ 1e30|int(7) }} {{ '99999999999999999999'|int(8) }} {{ '-1e30'|int(default=9) }}",
            "7 8 9",
        ),
        (
            "{{ '0xff'|int(base=16) }} {{ '1e30'|int(3, 16) }}",
            "255 7728",
        ),
    ] {
        assert_eq!(render(source).as_deref(), Ok(text), "{source}");
    }
    for source in [
        "{{ 1e30|int }}",
        "{{ -1e30|int }}",
        "{{ 9223372036854775808.0|int }}",
        "{{ '99999999999999999999'|int }}",
        "{{ '-99999999999999999999'|int }}",
        "{{ '1e30'|int }}",
        "{{ (1e308 * 10)|int }}",
        "{{ 'ffffffffffffffffff'|int(base=16) }}",
        "{{ [1, 1e30]|map('int')|list }}",
    ] {
        let why = render(source).unwrap_err();
        assert!(why.contains("too large for `int`"), "{source}: {why}");
    }
}

#[test]
fn long_chains_and_deep_nesting_do_not_exhaust_the_stack() {
    let chain = |step: &str| format!("{{{{ n{} }}}}", step.repeat(20_000));
    assert!(render(&chain(" ~ n")).is_ok());
    assert!(render(&chain("|string")).is_ok());
    assert!(render(&chain(" and n")).is_ok());
    for source in [
        format!("{{{{ {}n{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{{{ {}n }}}}", "not ".repeat(50_000)),
        format!("{{{{ {}n }}}}", "-".repeat(50_000)),
        format!("{{{{ {}n{} }}}}", "[".repeat(50_000), "]".repeat(50_000)),
        format!("{{{{ n{} }}}}", " if n else n".repeat(20_000)),
        "{% if n %}".repeat(20_000),
        format!("{{{{ {}n{} }}}}", "n|d(".repeat(20_000), ")".repeat(20_000)),
    ] {
        let e = render(&source).unwrap_err();
        assert!(e.contains("nested more than"), "{e}");
    }
}

#[test]
fn the_head_of_a_single_expression_is_known() {
    let head = |source: &str| Template::parse(source).unwrap().head().map(str::to_owned);
    assert_eq!(head("{{ body|truncate(9) }}").as_deref(), Some("body"));
    assert_eq!(head("{{ body.x }}").as_deref(), Some("body"));
    assert_eq!(head("{{ 'x' }}"), None);
    assert_eq!(head("{{ f(1) }}"), None);
}

#[test]
fn macros_print_with_their_parameters_and_see_no_blocks() {
    for (source, text) in [
        (
            "{% macro m(a, b='B') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}{{ m() }}",
            "1B12B",
        ),
        (
            "{% macro m() %}[{{ x }}]{% endmacro m %}{% for x in [1] %}{{ m() }}{% endfor %}",
            "[]",
        ),
        (
            "{% set x = 1 %}{% macro m() %}[{{ x }}]{% endmacro %}{{ m()|upper }}",
            "[1]",
        ),
        (
            "{% macro f(n) %}{{ n }}{% if n > 1 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
            "321",
        ),
    ] {
        assert_eq!(render(source).as_deref(), Ok(text), "{source}");
    }
    for (source, part) in [
        ("{% macro m(a, a) %}{% endmacro %}", "twice"),
        ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "too many"),
        (
            "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
            "does not know",
        ),
        (
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "levels deep",
        ),
        ("{% macro m() %}", "no end"),
    ] {
        let why = render(source).unwrap_err();
        assert!(why.contains(part), "{source}: {why}");
    }
}

#[test]
fn a_namespace_is_changed_from_inside_a_block() {
    let sum = "{% set ns = namespace(sum=0) %}{% for i in [1, 2] %}{% set ns.sum = ns.sum + i %}{% endfor %}{{ ns.sum }}";
    assert_eq!(render(sum).as_deref(), Ok("3"));
    for (source, part) in [
        ("{% set zz.a = 1 %}", "'zz' is no namespace"),
        ("{% set x = 1 %}{% set x.a = 1 %}", "'x' is no namespace"),
        ("{% set a, b.c = 1 %}", "alone"),
    ] {
        let why = render(source).unwrap_err();
        assert!(why.contains(part), "{source}: {why}");
    }
    // A namespace that holds itself again and again becomes too deep before it is too deep to be dropped.
    let nested =
        "{% set ns = namespace() %}{% for i in range(9999) %}{% set ns.a = ns %}{% endfor %}";
    assert!(render(nested).unwrap_err().contains("levels deep"));
}

#[test]
fn a_scope_has_names_that_lack_nothing_and_filters_of_its_own() {
    struct Own;
    impl Scope for Own {
        fn name(&self, name: &str) -> Option<Name> {
            let value = Value::map([("a", Value::list([Value::map([("b", Value::Null)])]))]);
            match name {
                "soft" => Some(Name::Soft(value)),
                "firm" => Some(Name::Value(value)),
                _ => None,
            }
        }
        fn filter(
            &self,
            name: &str,
            value: &Value,
            args: &FilterArgs,
        ) -> Option<Result<Value, String>> {
            let by = args.get(0, "by").and_then(Value::as_i64).unwrap_or(1);
            match (name, value) {
                ("more", Value::Int(n)) => Some(Ok((n + by).into())),
                ("more", _) => Some(Err("no number".into())),
                _ => None,
            }
        }
    }
    let render = |source: &str| {
        let template = Template::parse(source).map_err(|e| e.to_string())?;
        let result = template.render_in(&Own, Limits::default());
        result.map_err(|e| e.to_string())
    };
    for (source, text) in [
        ("{{ soft.zz.y['x'] }}", "{}"),
        ("{{ soft.a[0].b }}/{{ firm.a[0].b }}", "{}/None"),
        ("[{{ firm.zz }}]", "[]"),
        ("{% for x in soft.a %}{{ x.zz.y }}{% endfor %}", "{}"),
        (
            "{{ 'zz' in soft }}{{ 'a' in soft }}{{ soft == firm }}",
            "FalseTrueTrue",
        ),
        (
            "{{ 1|more }}{{ 1|more(2) }}{{ 1|more(by=3) }}{{ [1, 2]|map('more')|list }}",
            "234[2, 3]",
        ),
    ] {
        assert_eq!(render(source).as_deref(), Ok(text), "{source}");
    }
    assert!(render("{{ 'x'|more }}").unwrap_err().contains("no number"));
    assert!(
        render("{{ 1|less }}")
            .unwrap_err()
            .contains("unknown filter")
    );
    assert!(render("{{ firm.zz.y }}").is_err());
}

#[test]
fn keys_without_an_order_end_a_sort() {
    assert_eq!(
        render("{{ [3, 1, 2.5, true]|sort }}").as_deref(),
        Ok("[1, True, 2.5, 3]")
    );
    assert_eq!(
        render("{{ ['b', 'A', 'c']|sort(true)|join }}").as_deref(),
        Ok("cbA")
    );
    let mixed = "{{ (range(40)|list + ['a', none, 'b'] + range(40)|list)|sort }}";
    assert!(render(mixed).unwrap_err().contains("have no order"));
}

#[test]
fn a_plain_path_is_known() {
    let parsed = |source: &str| Template::parse(source).unwrap();
    let path = |source: &str| {
        let template = parsed(source);
        let (name, keys) = template.path()?;
        Some(format!("{name}:{}", keys.join(",")))
    };
    assert_eq!(path("{{ data.a.b }}").as_deref(), Some("data:a,b"));
    assert_eq!(path("{{ data }}").as_deref(), Some("data:"));
    assert_eq!(path("{{ data.a[0] }}"), None);
    assert_eq!(path("x{{ data.a }}"), None);
    assert_eq!(path("{{ data.a|upper }}"), None);
}

#[test]
fn further_filters_do_what_jinja_does() {
    for (source, text) in [
        ("{{ 'a b/ü&'|urlencode }}", "a%20b/%C3%BC%26"),
        ("{{ {'q': 'a b', 'p': 'x/y'}|urlencode }}", "q=a+b&p=x%2Fy"),
        (
            "{{ '<p>a  <!-- > -->b</p> &amp;lt; 1 < 2'|striptags }}",
            "a b &lt; 1 < 2",
        ),
        ("{{ 'aa bb cc dddddd'|wordwrap(5) }}", "aa bb\ncc\nddddd\nd"),
        ("{{ 'aa bb'|wordwrap(2, wrapstring='|') }}", "aa|bb"),
        (
            "{{ 1|filesizeformat }},{{ 999|filesizeformat }},{{ 1500000|filesizeformat }}",
            "1 Byte,999 Bytes,1.5 MB",
        ),
        ("{{ 2048|filesizeformat(true) }}", "2.0 KiB"),
        ("{{ [1, 2, 3, 4, 5]|slice(2)|list }}", "[[1, 2, 3], [4, 5]]"),
        ("{{ [1, 2, 3]|slice(2, 0)|list }}", "[[1, 2], [3, 0]]"),
        (
            "{% for age, who in [{'a': 2}, {'a': 1}, {'a': 2}]|groupby('a') %}{{ age }}:{{ who|length }};{% endfor %}",
            "1:1;2:2;",
        ),
        ("{{ 'x'|pprint }}{{ '<'|forceescape }}", "'x'&lt;"),
    ] {
        assert_eq!(render(source).as_deref(), Ok(text), "{source}");
    }
    for source in [
        "{{ [1]|urlencode }}",
        "{{ 'x'|filesizeformat }}",
        "{{ [1]|slice(0) }}",
        "{{ 'a'|wordwrap(0) }}",
    ] {
        assert!(render(source).is_err(), "{source}");
    }
}
