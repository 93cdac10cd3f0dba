//! JSON Schema: the keywords of draft 7, and `prefixItems`, `minContains`, `maxContains`, `dependentRequired` and
//! `dependentSchemas` of the later ones. It must not know nodes, and it reads nothing but the schema itself.
//!
//! References lead to places in the same schema: `#` or `#/definitions/…`. `format` and other notes do not judge.

use nodetool_sdk::Value;

mod compile;
mod judge;

use super::document::weigh;

/// Schemas within a schema.
const MOST_SCHEMAS: usize = 10_000;
/// Regular expressions within a schema.
const MOST_PATTERNS: usize = 200;
/// Schemas applied inside each other while judging.
const MOST_LEVELS: usize = 400;
/// Schemas applied, and values compared, while judging.
const MOST_STEPS: usize = 10_000_000;

/// Why no verdict was reached.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// The schema is wrong, or asks for more than can be done.
    Schema(String),
    /// The value is too large.
    Data(String),
}

/// Whether `data` satisfies the schema.
pub(super) fn satisfies(data: &Value, schema: &Value) -> Result<bool, Fault> {
    weigh(schema, 0).map_err(|e| Fault::Schema(format!("a schema {e}")))?;
    weigh(data, 0).map_err(Fault::Data)?;
    let compiled = compile::compile(schema).map_err(Fault::Schema)?;
    judge::judge(&compiled, data).map_err(Fault::Schema)
}

/// Number of a schema in [`Compiled`].
type Id = usize;

/// A schema with its references resolved; the first one is the whole.
struct Compiled {
    schemas: Vec<Schema>,
}

/// One schema: `true`, `false` or rules that must all hold.
#[derive(Default)]
struct Schema {
    never: bool,
    rules: Vec<Rule>,
}

enum Rule {
    Types(Vec<Type>),
    OneOf(Vec<Value>),
    Number(NumberRule, f64),
    TextLength {
        min: u64,
        max: u64,
    },
    Pattern(Box<fancy_regex::Regex>),
    Items(Items),
    Contains {
        schema: Id,
        min: u64,
        max: u64,
    },
    ItemCount {
        min: u64,
        max: u64,
    },
    UniqueItems,
    Members(Box<Members>),
    MemberCount {
        min: u64,
        max: u64,
    },
    Required(Vec<String>),
    Names(Id),
    /// When a member is there, so must be others.
    Needs(String, Vec<String>),
    /// When a member is there, a schema holds.
    Implies(String, Id),
    /// Another schema, by reference or as one of `allOf`.
    Schema(Id),
    Any(Vec<Id>),
    ExactlyOne(Vec<Id>),
    Not(Id),
    If {
        condition: Id,
        then: Option<Id>,
        otherwise: Option<Id>,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

#[derive(Clone, Copy)]
enum NumberRule {
    MultipleOf,
    Maximum,
    ExclusiveMaximum,
    Minimum,
    ExclusiveMinimum,
}

/// The first items one by one, and the rest.
struct Items {
    first: Vec<Id>,
    rest: Option<Id>,
}

#[derive(Default)]
struct Members {
    named: Vec<(String, Id)>,
    by_pattern: Vec<(fancy_regex::Regex, Id)>,
    others: Option<Id>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(schema: &str, data: &str) -> Result<bool, Fault> {
        let read = |t: &str| serde_json::from_str::<Value>(t).unwrap();
        satisfies(&read(data), &read(schema))
    }

    #[test]
    fn every_keyword_tells_right_from_wrong() {
        for (schema, good, bad) in [
            (
                r#"{"type":"integer"}"#,
                "[1, 1.0, -0.0]",
                r#"[1.5, true, "1", null]"#,
            ),
            (
                r#"{"type":["number","null"]}"#,
                "[1, 1.5, null]",
                r#"[true, "1", [], {}]"#,
            ),
            (
                r#"{"enum":[1,"a",null,[1]]}"#,
                r#"[1.0, "a", null, [1]]"#,
                r#"[true, "b", [2]]"#,
            ),
            (
                r#"{"const":{"a":1}}"#,
                r#"[{"a":1.0}]"#,
                r#"[{"a":1,"b":2}, {}]"#,
            ),
            (r#"{"multipleOf":0.1}"#, r#"[0.5, 0, "x"]"#, "[0.55]"),
            (
                r#"{"multipleOf":3}"#,
                "[9, -3, 6.0]",
                "[10, 9007199254740994]",
            ),
            (
                r#"{"maximum":5,"exclusiveMinimum":1}"#,
                "[5, 1.1]",
                "[5.1, 1]",
            ),
            (
                r#"{"minimum":1,"exclusiveMaximum":5}"#,
                "[1, 4.9]",
                "[0, 5]",
            ),
            (
                r#"{"minLength":2,"maxLength":3}"#,
                r#"["ab", "äöü", 1]"#,
                r#"["a", "abcd"]"#,
            ),
            (r#"{"pattern":"b+$"}"#, r#"["abb", 1]"#, r#"["ba"]"#),
            (
                r#"{"items":{"type":"string"}}"#,
                r#"[["a"], [], {}]"#,
                r#"[["a", 1]]"#,
            ),
            (
                r#"{"items":[{"type":"string"}],"additionalItems":false}"#,
                r#"[["a"], []]"#,
                r#"[[1], ["a", "b"]]"#,
            ),
            (
                r#"{"prefixItems":[{"type":"string"}],"items":{"type":"null"}}"#,
                r#"[["a", null]]"#,
                r#"[["a", 1]]"#,
            ),
            (r#"{"contains":{"const":1}}"#, "[[0, 1]]", "[[], [2]]"),
            (
                r#"{"contains":{"const":1},"minContains":2,"maxContains":3}"#,
                "[[1, 1]]",
                "[[1], [1, 1, 1, 1]]",
            ),
            (
                r#"{"minItems":1,"maxItems":2}"#,
                "[[1], [1, 2]]",
                "[[], [1, 2, 3]]",
            ),
            (
                r#"{"uniqueItems":true}"#,
                r#"[[1, "1", true, [1], {"a":1}, {"a":2}]]"#,
                r#"[[1, 1.0], [{"a":1,"b":2}, {"b":2,"a":1}]]"#,
            ),
            (r#"{"required":["a"]}"#, r#"[{"a":null}, 1]"#, "[{}]"),
            (
                r#"{"properties":{"a":{"type":"string"}},"additionalProperties":false}"#,
                r#"[{"a":"x"}, {}]"#,
                r#"[{"a":1}, {"b":1}]"#,
            ),
            (
                r#"{"patternProperties":{"^x":{"type":"string"}},"additionalProperties":{"type":"null"}}"#,
                r#"[{"xa":"x","b":null}]"#,
                r#"[{"xa":1}, {"b":1}]"#,
            ),
            (
                r#"{"propertyNames":{"maxLength":2}}"#,
                r#"[{"ab":1}]"#,
                r#"[{"abc":1}]"#,
            ),
            (
                r#"{"minProperties":1,"maxProperties":2}"#,
                r#"[{"a":1}]"#,
                r#"[{}, {"a":1,"b":1,"c":1}]"#,
            ),
            (
                r#"{"dependencies":{"a":["b"],"c":{"required":["d"]}}}"#,
                r#"[{"a":1,"b":1}, {"b":1}, {"c":1,"d":1}]"#,
                r#"[{"a":1}, {"c":1}]"#,
            ),
            (
                r#"{"allOf":[{"minimum":1},{"maximum":2}]}"#,
                "[1]",
                "[0, 3]",
            ),
            (
                r#"{"anyOf":[{"type":"string"},{"minimum":2}]}"#,
                r#"["a", 2]"#,
                "[1]",
            ),
            (
                r#"{"oneOf":[{"multipleOf":2},{"multipleOf":3}]}"#,
                "[2, 3]",
                "[6, 1]",
            ),
            (r#"{"not":{"type":"string"}}"#, "[1]", r#"["a"]"#),
            (
                r#"{"if":{"minimum":10},"then":{"multipleOf":10},"else":{"multipleOf":3}}"#,
                "[20, 9]",
                "[15, 8]",
            ),
            (
                r##"{"$ref":"#/definitions/a~1b%20c","definitions":{"a/b c":{"type":"null"}}}"##,
                "[null]",
                "[1]",
            ),
            (
                r##"{"properties":{"next":{"$ref":"#"}},"required":["v"]}"##,
                r#"[{"v":1,"next":{"v":2}}]"#,
                r#"[{"v":1,"next":{}}]"#,
            ),
            (
                r##"{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/x","minimum":5,"x":{"type":"integer"}}"##,
                "[1]",
                "[1.5]",
            ),
            (
                r##"{"$ref":"#/$defs/x","minimum":5,"$defs":{"x":{"type":"integer"}}}"##,
                "[5]",
                "[1, 5.5]",
            ),
            ("false", "[]", "[1]"),
            ("{}", r#"[1, "anything", null]"#, "[]"),
            (
                r#"{"properties":{"type":{"const":1}},"format":"date","title":"t","x-own":1}"#,
                r#"[{"type":1}]"#,
                r#"[{"type":2}]"#,
            ),
        ] {
            for (list, want) in [(good, true), (bad, false)] {
                let list: Value = serde_json::from_str(list).unwrap();
                for item in list.as_list().unwrap() {
                    let text = serde_json::to_string(item).unwrap();
                    assert_eq!(verdict(schema, &text), Ok(want), "{schema} {text}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_schema_is_refused_with_the_place_of_the_fault() {
        for (schema, text) in [
            (r#"{"type":"strin"}"#, "#/type"),
            (
                r#"{"properties":{"a":{"minimum":"1"}}}"#,
                "#/properties/a/minimum",
            ),
            (r#"{"items":{"pattern":"("}}"#, "#/items/pattern"),
            (r##"{"$ref":"#/nowhere"}"##, "#/$ref"),
            (r#"{"$ref":"http://example.com/schema"}"#, "#/$ref"),
            (r#"{"$ref":"file:///etc/passwd"}"#, "#/$ref"),
            (r#"{"anyOf":[]}"#, "#/anyOf"),
            (r#"{"not":1}"#, "#/not"),
            (r#"{"minLength":-1}"#, "#/minLength"),
            (r#"{"multipleOf":0}"#, "#/multipleOf"),
            (
                r#"{"unevaluatedProperties":false}"#,
                "#/unevaluatedProperties",
            ),
        ] {
            match verdict(schema, "[1]") {
                Err(Fault::Schema(e)) => assert!(e.contains(text), "{schema}: {e}"),
                other => panic!("{schema}: {other:?}"),
            }
        }
    }

    #[test]
    fn schemas_that_would_not_end_are_refused() {
        let doubling: String = (0..60)
            .map(|i| {
                let next = i + 1;
                format!(r##""d{i}":{{"anyOf":[{{"$ref":"#/d{next}"}},{{"$ref":"#/d{next}"}}]}},"##)
            })
            .collect();
        for schema in [
            r##"{"$ref":"#"}"##.to_owned(),
            r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##.to_owned(),
            r##"{"not":{"$ref":"#"}}"##.to_owned(),
            format!(r##"{{{doubling}"d60":false,"$ref":"#/d0"}}"##),
            r#"{"pattern":"^(?=(a|aa)+$)(a|aa)+(?!x)\\1b$"}"#.to_owned(),
        ] {
            let data = format!("\"{}c\"", "a".repeat(60));
            let got = verdict(&schema, &data);
            assert!(matches!(got, Err(Fault::Schema(_))), "{got:?}");
        }
    }

    #[test]
    fn large_lists_are_checked_for_repeats_quickly() {
        let list = |n: i64| serde_json::to_string(&(0..n).collect::<Vec<_>>()).unwrap();
        let unique = r#"{"uniqueItems":true}"#;
        assert_eq!(verdict(unique, &list(50_000)), Ok(true));
        let repeated = list(50_000).replace("[0,", "[49999,");
        assert_eq!(verdict(unique, &repeated), Ok(false));
    }
}
