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
