use super::*;

fn row(json: &str) -> Map {
    let value: Value = serde_json::from_str(json).unwrap();
    value.as_map().unwrap().clone()
}

fn holds(condition: &str, json: &str) -> bool {
    let query = Query::parse(condition).unwrap_or_else(|e| panic!("{condition}: {e}"));
    query
        .matches(&row(json))
        .unwrap_or_else(|e| panic!("{condition}: {e}"))
}

/// Which rows of a small table fulfil a condition.
fn selected(condition: &str) -> Vec<usize> {
    let table: Value = serde_json::from_str(
        r#"{"columns":["age","name","s","b","a b"],
            "data":[[10,"al","48",true,1],[30,"Bo","9",false,2],[null,null,"x",true,3]]}"#,
    )
    .unwrap();
    let frame = Frame::from_value(&table).unwrap();
    let query = Query::parse(condition).unwrap_or_else(|e| panic!("{condition}: {e}"));
    let rows = query.select(&frame, usize::MAX, "condition", &Stop::default());
    rows.unwrap_or_else(|e| panic!("{condition}: {e}"))
}

#[test]
fn conditions_mean_what_they_mean_in_pandas() {
    for (condition, want) in [
        ("age > 20", &[1][..]),
        ("age > 20 or name == \"al\"", &[0, 1]),
        ("not (age<18)", &[1, 2]),
        ("age == age", &[0, 1]),
        ("name in ['al']", &[0]),
        ("name not in ['al']", &[1, 2]),
        ("name == ['al', 'Bo']", &[0, 1]),
        ("name != ['al', 'Bo']", &[2]),
        ("`a b` > 1", &[1, 2]),
        ("5 < age <= 30", &[0, 1]),
        ("age > 5 & b", &[0]),
        ("~b", &[1]),
        ("b", &[0, 2]),
        ("age > 5 and not b", &[1]),
        ("name.str.contains('o')", &[1]),
        ("not name.str.contains(\"O\", case=False)", &[0, 2]),
        ("name.str.contains('^a|o$', na=True)", &[0, 1, 2]),
        ("name.str.contains('.', regex=False)", &[]),
        ("age.isnull()", &[2]),
        ("~age.isnull()", &[0, 1]),
        ("age.isna() | b", &[0, 2]),
        ("age.notnull() & name.notna()", &[0, 1]),
        ("age > age.mean()", &[1]),
        ("`a b` == `a b`.max()", &[2]),
        ("index > 0", &[1, 2]),
        ("age % 7 == 2", &[1]),
        ("age ** 2 > 500", &[1]),
        ("-age < -20", &[1]),
        ("age // 7 == 4", &[1]),
        ("'al' in name", &[0]),
        ("age in [10, 30]", &[0, 1]),
        ("age in (10,)", &[0]),
        ("age.between(5, 15)", &[0]),
        ("age.isin([10, 99])", &[0]),
        ("s > '5'", &[1, 2]),
        ("b == True", &[0, 2]),
        ("b == 1", &[0, 2]),
        ("name.str.len() > 1", &[0, 1]),
        ("(age + `a b`) / 2 > 10", &[1]),
        ("abs(age) > 20", &[1]),
        ("sqrt(age) > 5", &[1]),
        ("not b == True", &[1]),
        ("name < 'a'", &[1]),
        ("name.str.lower() == 'bo'", &[1]),
        ("name.str[0] == 'a'", &[0]),
        ("name == 'Bo' # a remark", &[1]),
        ("age != 10", &[1, 2]),
        ("age > 1e1", &[1]),
        (
            "2 ** 3 ** 2 == 512 and -2 ** 2 == -4 and 2 ** -1 == 0.5",
            &[0, 1, 2],
        ),
        ("-7 % 3 == 2 and -7 // 2 == -4 and 7 / 2 == 3.5", &[0, 1, 2]),
    ] {
        assert_eq!(selected(condition), want, "{condition}");
    }
}

#[test]
fn none_means_missing() {
    assert_eq!(selected("age == None"), [2]);
    assert_eq!(selected("age != None"), [0, 1]);
    assert_eq!(selected("age === null || name == 'al'"), [0, 2]);
}

#[test]
fn texts_that_spell_numbers_compare_with_numbers() {
    assert_eq!(selected("s > 20"), [0]);
    assert_eq!(selected("s == 48"), [0]);
    assert_eq!(selected("s in [9, '48']"), [0, 1]);
    assert_eq!(selected("s * 2 == 18"), [1]);
    assert!(!holds("s in ['9.0']", r#"{"s": "9"}"#));
    assert!(holds("n in ['9', 'x']", r#"{"n": 9.0}"#));
}

#[test]
fn javascript_spellings_are_understood() {
    for condition in [
        "age === 10 && !(name !== 'al') || false",
        "!b == false && true",
        "name.startsWith('a') && name.includes('l') && name.length == 2",
        "name.toUpperCase() == \"AL\"",
        "user.name == 'ann' && tags[0] == 'x' && tags.includes('y') && 'x' in tags",
    ] {
        let row = r#"{"age":10,"name":"al","b":true,"user":{"name":"ann"},"tags":["x","y"]}"#;
        assert!(holds(condition, row), "{condition}");
    }
}

#[test]
fn a_name_that_is_not_there_is_an_error() {
    let e = Query::parse("a > 1 or nope > 1").unwrap();
    let e = e.matches(&row(r#"{"a":2}"#)).unwrap_err();
    assert_eq!(e, "name 'nope' is not defined");
    let frame = Frame::from_value(&serde_json::from_str(r#"[{"a":1}]"#).unwrap()).unwrap();
    let query = Query::parse("nope > 1").unwrap();
    let e = query.select(&frame, 1, "condition", &Stop::default());
    let e = e.unwrap_err().to_string();
    assert!(
        e.contains("`condition`") && e.contains("'nope'; the table has a"),
        "{e}"
    );
}

#[test]
fn dates_compare_with_text_that_spells_a_date() {
    let row = r#"{"d":{"type":"date","year":2024,"month":2,"day":1},"t":"2024-02-01"}"#;
    assert!(holds(
        "'2024-01-31' < d <= '2024-02-01T00:00:00Z' and t > '2024-01-31'",
        row
    ));
}

#[test]
fn wrong_conditions_are_refused_with_the_place() {
    for (condition, words) in [
        ("", "is empty"),
        ("age >", "ends too early"),
        ("age = 10", "'=' at character 5 (expected ==)"),
        ("age 10", "10 at character 5"),
        ("(age > 1", "ends too early (expected ',' or ')')"),
        ("name == 'x", "text that begins at character 9"),
        ("`name", "backtick at character 1"),
        ("age > @limit", "'@' at character 7"),
        ("age ? 1", "'?' at character 5"),
        ("é > 1 ; b", "';' at character 7"),
        ("2nd > 1", "backticks"),
        ("system('x')", "no function 'system'"),
        ("name.apply(x)", "no method 'apply'"),
        ("name.str.contains('(')", "regular expression"),
        ("name.str.contains(name)", "takes a text"),
        ("age in", "ends too early"),
        ("age == not b", "'not' at character 8"),
        ("[1, 2] < ", "ends too early"),
        ("1.2.3 > x", "'.3'"),
    ] {
        let e = Query::parse(condition).map(|_| ()).unwrap_err();
        let words = words.replace("(expected ==)", "(expected == to compare)");
        let alternative = words.replace("'.3'", "0.3");
        assert!(
            e.contains(&words) || e.contains(&alternative),
            "{condition}: {e}"
        );
    }
}

#[test]
fn size_depth_and_steps_are_bounded() {
    for condition in [
        "(".repeat(50_000),
        "!".repeat(50_000),
        "not ".repeat(15_000),
        "-".repeat(50_000),
        format!("{}1", "1+".repeat(30_000)),
        format!("a{}", ".b".repeat(30_000)),
        format!("a{}", "[0]".repeat(20_000)),
        format!("{}a{}", "[".repeat(200), "]".repeat(200)),
        format!("1{}", "**1".repeat(20_000)),
        "x".repeat(70_000),
    ] {
        let e = Query::parse(&condition).map(|_| ()).unwrap_err();
        assert!(e.contains("deep") || e.contains("bytes"), "{e}");
    }
    let flat = format!("a == 1{}", " or a == 1".repeat(5_000));
    assert!(holds(&flat, r#"{"a":1}"#));
    let nested = format!("{}a == 1{}", "(".repeat(90), ")".repeat(90));
    assert!(holds(&nested, r#"{"a":1}"#));
    let slow = Query::parse(r"a.str.contains('(a|a)+\\1b')").unwrap();
    let e = slow.matches(&row(&format!(r#"{{"a":"{}!"}}"#, "a".repeat(40))));
    assert!(e.unwrap_err().contains("gave up"));
    let long = "x".repeat(10 << 20);
    let sum = Query::parse("a + a + a == 'x'").unwrap();
    let cells: Map = [("a".into(), Value::from(long))].into_iter().collect();
    assert!(sum.matches(&cells).unwrap_err().contains("too long"));
    let mut shared = Value::from("x");
    for _ in 0..60 {
        shared = Value::list([shared.clone(), shared]);
    }
    let mut other = Value::from("x");
    for _ in 0..60 {
        other = Value::list([other.clone(), other]);
    }
    let cells: Map = [("a".into(), shared), ("b".into(), other)]
        .into_iter()
        .collect();
    let e = Query::parse("a == b").unwrap().matches(&cells);
    assert!(e.unwrap_err().contains("too large to compare"));
}
