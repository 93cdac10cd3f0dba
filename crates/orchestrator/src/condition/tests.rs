use nodetool_sdk::{Map, Value};
use proptest::prelude::*;

use super::{evaluate, literal, truth};

fn data() -> Map {
    let data: Value = serde_json::from_str(
        r#"{"n":3,"f":1.5,"name":"Ann Lee","empty":"","none":null,"yes":true,"list":[1,2,"x"],
            "d":{"k":"v","deep":{"a":[10,20]}},"counter":{"current":2}}"#,
    )
    .unwrap();
    data.as_map().unwrap().clone()
}

fn value(condition: &str) -> Result<Value, String> {
    evaluate(condition, &data())
}

fn holds(condition: &str) -> bool {
    truth(&value(condition).unwrap_or_else(|why| panic!("{condition}: {why}")))
}

#[test]
fn conditions_follow_the_rules_of_python() {
    for yes in [
        "True",
        "data",
        "data['counter']['current'] > 1",
        "data['n'] == 3 and data['f'] < 2",
        "not data['empty']",
        "1 < data['n'] <= 3 < 4",
        "'Ann' in data['name'] and 'x' in data['list'] and 'k' in data['d']",
        "'zz' not in data['d']",
        "data['none'] is None and data['n'] is not None",
        "data['yes'] is True and not (1 is True)",
        "data.get('zz') is None",
        "data.get('zz', 5) == 5",
        "data['name'].lower().startswith('ann')",
        "data['name'].upper().endswith(('LEE', 'X'))",
        "data['name'].split()[1] == 'Lee'",
        "'a,b,c'.split(',', 1) == ['a', 'b,c']",
        "'  x '.strip() == 'x' and 'xxax'.strip('x') == 'a'",
        "data['list'].count('x') == 1 and data['name'].count('e') == 2",
        "'k' in data['d'].keys() and 'v' in data['d'].values()",
        "data['d'].items()[0] == ('k', 'v')",
        "data['list'][-1] == 'x' and data['list'][:2] == [1, 2] and data['name'][::-1] == 'eeL nnA'",
        "data['d']['deep']['a'][1] == 20",
        "('yes' if data['n'] > 2 else 'no') == 'yes'",
        "2 + 3 * 4 == 14 and 7 // 2 == 3 and -7 // 2 == -4 and 7 % 3 == 1 and 1 / 2 == 0.5",
        "-2 ** 2 == -4 and 2 ** -1 == 0.5 and 2 ** 3 ** 2 == 512",
        "'a' + 'b' == \"ab\" and 'ab' * 2 == 'abab'",
        "{'a': 1, 'b': [2]} == {'b': [2], 'a': 1}",
        "1 == 1.0 == True",
        "'1' != 1",
        "'a' 'b' == 'ab' and '\\x41\\u0042' == 'AB'",
        "() == [] and (1,) == [1]",
        "true and not false and null is None",
        "1_000 == 1e3",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in [
        "data['empty']",
        "None",
        "0",
        "0.0",
        "[]",
        "{}",
        "''",
        "1 > 2 > 0",
    ] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn and_and_or_give_the_deciding_value_and_look_no_further() {
    assert_eq!(value("data['empty'] or 'x'"), Ok("x".into()));
    assert_eq!(value("data['empty'] and data['zz']"), Ok("".into()));
    assert_eq!(value("1 or data['zz']"), Ok(Value::Int(1)));
    assert_eq!(value("1 if True else data['zz']"), Ok(Value::Int(1)));
    assert_eq!(value("2 < 1 < data['zz']"), Ok(Value::Bool(false)));
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    for (condition, part) in [
        ("", "unexpected the end"),
        ("data['zz']", "the key 'zz' is missing"),
        ("data['list'][9]", "out of range"),
        ("data['list']['a']", "no index"),
        ("1 / 0", "division by zero"),
        ("'a' < 1", "have no order"),
        ("'a' + 1", "`+` does not work"),
        ("name == 1", "the name `name` is not known"),
        ("open('/etc/passwd')", "is not known"),
        ("__import__('os')", "is not known"),
        ("data.__class__", "`.__class__` is no part"),
        ("data.n", "expected ['n']"),
        ("data.pop('n')", "unknown method `pop`"),
        ("data('n')", "only methods can be called"),
        ("data['n'].get('x')", "has no method `get`"),
        ("data.get()", "got 0 arguments"),
        ("data['n'] = 3", "unexpected `=`"),
        ("= 3", "expected `==`"),
        ("data['n'] is 3", "use `==`"),
        ("'abc", "no closing quote"),
        ("1 2", "expected the end"),
        ("(1", "expected `)`"),
        ("1 if 2", "expected `else`"),
        ("data['name'] ? 1", "unexpected character '?'"),
        ("99999999999999999999", "too large"),
        ("lambda: 1", "is not known"),
        ("[x for x in data]", "is not known"),
    ] {
        let why = value(condition).unwrap_err();
        assert!(why.contains(part), "{condition}: {why}");
    }
    let long = format!("{} +", "1".repeat(5000));
    assert!(evaluate(&long, &data()).unwrap_err().len() < 2000);
}

#[test]
fn conditions_are_bounded_in_size_depth_and_work() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(9000), close.repeat(9000));
    for condition in [
        deep("(", ")"),
        deep("[", "]"),
        deep("not ", ""),
        deep("-", ""),
        deep("2 ** ", ""),
        deep("{1:", "}"),
        deep("1 if 1 else ", ""),
        "1 ".repeat(40_000),
    ] {
        let why = value(&condition).unwrap_err();
        assert!(
            why.contains("at most") || why.contains("levels deep"),
            "{why}"
        );
    }
    for condition in [
        "'a' * 9999999999",
        "('a' * 1000000) * 1000000",
        "9 ** 9 ** 9 ** 9",
    ] {
        assert!(value(condition).is_err(), "{condition}");
    }
    // Flat chains are long at most, never deep.
    assert!(holds(&format!("1{}", " + 1".repeat(9_000))));
    assert!(holds(&format!("1{}", " and 1".repeat(9_000))));
    let nested = format!("data{}", "['d']".repeat(9_000));
    assert!(value(&nested).unwrap_err().contains("missing"));
    // Much data, looked at again and again.
    let list = Value::list((0..50_000i64).map(Value::Int));
    let many = Map::from_iter([("l".into(), list)]);
    let looks = format!("1{}", " and -1 not in data['l']".repeat(2_000));
    let why = evaluate(&looks, &many).unwrap_err();
    assert!(why.contains("too much work"), "{why}");
}

#[test]
fn parts_of_a_long_text_cost_the_way_to_them() {
    let text = Map::from_iter([("t".into(), Value::from("é€😀x".repeat(50_000)))]);
    let holds = |condition: &str| evaluate(condition, &text).map(|v| truth(&v));
    // Nine thousand looks at an end, of which one at the whole would cost as much as a tenth of all there is.
    let looks = format!("True{}", " and data['t'][-1] == 'x'".repeat(2_500));
    assert_eq!(holds(&looks), Ok(true));
    for slice in [
        "data['t'][:2] == 'é€'",
        "data['t'][-2:] == '😀x'",
        "data['t'][-1:-3:-1] == 'x😀'",
        "data['t'][::100000] == 'éé'",
        "data['t'][100000] == 'é'",
    ] {
        assert_eq!(holds(slice), Ok(true), "{slice}");
        let often = format!("True{}", format!(" and {slice}").repeat(100));
        let why = holds(&often).unwrap_err();
        assert!(why.contains("too much work"), "{slice}: {why}");
    }
    for index in [
        "200000",
        "-200001",
        "9223372036854775807",
        "-9223372036854775807 - 1",
    ] {
        let why = holds(&format!("data['t'][{index}]")).unwrap_err();
        assert!(why.contains("out of range"), "{index}: {why}");
    }
}

#[test]
fn literals_are_read_as_python_writes_them() {
    let json: Value = serde_json::from_str(r#"[1,-2.5,"a",{"k":null},true]"#).unwrap();
    assert_eq!(literal("[1, -2.5, 'a', {'k': None}, True]"), Some(json));
    assert_eq!(
        literal("('a', 'b')"),
        Some(Value::list(["a".into(), "b".into()]))
    );
    for text in ["data", "data.list", "1 + 1", "[data]", "a.b", "[1", ""] {
        assert_eq!(literal(text), None, "{text}");
    }
}

fn word() -> impl Strategy<Value = String> {
    let words = [
        "data", "'a'", "\"", "1", "2.5", "99", "[", "]", "(", ")", "{", "}", ":", ",", ".", "+",
        "-", "*", "**", "/", "//", "%", "==", "!=", "<", ">=", "=", "and", "or", "not", "in", "is",
        "if", "else", "None", "True", "get", "split", "items", "count", "strip", "x", "\\", "é",
        "\u{0}", "['n']", ".lower()", "[::]",
    ];
    prop_oneof![
        9 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => ".{0,4}",
    ]
}

proptest! {
    #[test]
    fn no_condition_panics_or_goes_on_for_ever(words in proptest::collection::vec(word(), 0..60), glue in any::<bool>()) {
        let condition = words.join(if glue { "" } else { " " });
        let _ = evaluate(&condition, &data());
        let _ = literal(&condition);
    }

    #[test]
    fn whole_numbers_compare_as_they_are(a in any::<i32>(), b in any::<i32>()) {
        let data = Map::from_iter([("a".into(), i64::from(a).into()), ("b".into(), i64::from(b).into())]);
        let holds = |c: &str| evaluate(c, &data).map(|v| truth(&v));
        prop_assert_eq!(holds("data['a'] < data['b']"), Ok(a < b));
        prop_assert_eq!(holds(&format!("data['a'] == {a}")), Ok(true));
        prop_assert_eq!(holds("data['a'] - data['b'] + data['b'] == data['a']"), Ok(true));
    }
}
