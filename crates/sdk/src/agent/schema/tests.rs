use proptest::prelude::*;

use super::*;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn faults(schema: &str, text: &str) -> Vec<String> {
    Schema::parse(schema).unwrap().faults(&value(text))
}

#[test]
fn values_are_checked_and_faults_name_their_place() {
    let schema = r#"{"type":"object","required":["id","tags"],"additionalProperties":false,"properties":{
        "id":{"type":"integer","minimum":1},
        "tags":{"type":"array","minItems":1,"maxItems":2,"items":{"type":"string","enum":["a","b"]}},
        "note":{"type":["string","null"],"maxLength":3}}}"#;
    for (text, want) in [
        (r#"{"id":1,"tags":["a"],"note":null}"#, vec![]),
        (r#"{"id":2.0,"tags":["a","b"],"note":"äöü"}"#, vec![]),
        ("[]", vec!["the value: expected object, got array"]),
        (
            r#"{"id":0,"tags":[]}"#,
            vec![
                "id: expected at least 1, got 0",
                "tags: expected at least 1 items, got 0",
            ],
        ),
        (
            r#"{"tags":["a",1,"c"],"more":1}"#,
            vec![
                "the value: `id` is missing",
                "tags: expected at most 2 items, got 3",
                "tags[1]: expected string, got number",
                "tags[2]: expected one of [\"a\", \"b\"], got \"c\"",
                "more: is not known; expected only: id, tags, note",
            ],
        ),
        (
            r#"{"id":1.5,"tags":["a"],"note":"long"}"#,
            vec![
                "id: expected integer, got number",
                "note: expected at most 3 characters, got 4",
            ],
        ),
    ] {
        assert_eq!(faults(schema, text), want, "{text}");
    }
}

#[test]
fn choices_and_references_are_followed() {
    let tree = r##"{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","required":["name"],"properties":{
        "name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}}}}}"##;
    assert!(faults(tree, r#"{"name":"a","children":[{"name":"b"}]}"#).is_empty());
    assert_eq!(
        faults(
            tree,
            r#"{"name":"a","children":[{"name":"b","children":[{}]}]}"#
        ),
        ["children[0].children[0]: `name` is missing"]
    );
    let choice = r#"{"oneOf":[{"type":"integer"},{"type":"number"},{"const":"x"}]}"#;
    assert!(faults(choice, "1.5").is_empty() && faults(choice, r#""x""#).is_empty());
    assert_eq!(
        faults(choice, "1"),
        ["the value: fits 2 of `oneOf`, expected one"]
    );
    assert!(faults(choice, "null")[0].contains("fits none of `oneOf`"));
}

#[test]
fn a_schema_that_is_none_is_refused_with_its_place() {
    for (schema, want) in [
        ("{", "the schema is not JSON"),
        ("3", "the schema: expected an object, got int"),
        (r#"{"type":"text"}"#, "the schema.type: expected types"),
        (r#"{"type":[]}"#, "the schema.type: expected types"),
        (
            r#"{"properties":{"a":{"items":1}}}"#,
            "the schema.properties.a.items: expected an object",
        ),
        (
            r#"{"required":[1]}"#,
            "the schema.required: expected a list of names",
        ),
        (
            r#"{"minimum":"1"}"#,
            "the schema.minimum: expected a number",
        ),
        (
            r#"{"$ref":"other.json"}"#,
            "the schema.$ref: expected a reference within",
        ),
    ] {
        let fault = Schema::parse(schema).unwrap_err();
        assert!(fault.contains(want), "{schema}: {fault}");
    }
}

#[test]
fn a_schema_that_never_ends_is_given_up() {
    let endless = r##"{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}"##;
    assert!(faults(endless, "1")[0].contains("too involved"));
}

proptest! {
    #[test]
    fn any_json_is_read_as_a_schema_or_refused(text in r#"[{}\[\]":,a0-9tyenumrqis$/#]{0,60}"#) {
        if let Ok(schema) = Schema::parse(&text) {
            let _ = schema.faults(&Value::Int(1));
        }
    }

    #[test]
    fn numbers_within_bounds_fit_and_others_do_not(low in -50i64..50, high in -50i64..50, n in -60i64..60) {
        let schema = Schema::parse(&format!(r#"{{"type":"integer","minimum":{low},"maximum":{high}}}"#)).unwrap();
        prop_assert_eq!(schema.faults(&Value::Int(n)).is_empty(), low <= n && n <= high);
    }
}
