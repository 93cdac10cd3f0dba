use std::sync::Arc;

use nodetool_sdk::services::Services;
use nodetool_sdk::steps::{
    Choice, Compat, FieldKind, FieldSpec, FormSpec, Runtime, StepError, Steps,
};
use nodetool_sdk::{BoxFuture, Map, NodeError, Value};
use proptest::prelude::*;

use super::*;
use crate::template::Names;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn map(text: &str) -> Map {
    json(text).as_map().unwrap().clone()
}

fn counter() -> Arc<FormSpec> {
    let mut types = Steps::default();
    crate::register(&mut types);
    types.get("counter").unwrap().form.clone().unwrap()
}

fn form(fields: Vec<FieldSpec>) -> Arc<FormSpec> {
    Arc::new(FormSpec {
        name: "TestForm",
        fields,
        check: None,
    })
}

fn names(data: &str) -> Names {
    Names {
        data: Arc::new(map(data)),
        env: Arc::new(map(r#"{"max":20}"#)),
        runtime: Arc::new(Runtime::default()),
    }
}

fn cleaned(field: &FieldSpec, value: &str) -> Result<Value, String> {
    clean(field, Some(&json(value)))
}

#[test]
fn texts_take_any_value_and_are_trimmed() {
    let field = FieldSpec::text("t");
    for (value, text) in [
        (r#""  a b \n""#, "a b"),
        ("1", "1"),
        ("1.50", "1.5"),
        ("true", "True"),
        (r#"[1,{"k":"v"}]"#, "[1, {'k': 'v'}]"),
        ("null", ""),
        ("[]", ""),
        ("{}", ""),
    ] {
        assert_eq!(cleaned(&field, value), Ok(text.into()), "{value}");
    }
    // What is edited as JSON stays JSON.
    let value = r#"{"a":[1,true,null,"é"]}"#;
    let text = r#"{"a": [1, true, null, "é"]}"#;
    assert_eq!(cleaned(&FieldSpec::json("j"), value), Ok(text.into()));
    assert_eq!(clean(&field, None), Ok("".into()));
}

#[test]
fn texts_are_as_long_as_they_may_be() {
    let field = FieldSpec::text("t").longest(3);
    assert_eq!(cleaned(&field, r#"" äöü ""#), Ok("äöü".into()));
    let password = FieldSpec::new("p", FieldKind::Password { max: Some(3) });
    for field in [field, password] {
        assert_eq!(
            cleaned(&field, r#""abcd""#),
            Err("Ensure this value has at most 3 characters (it has 4).".into())
        );
    }
    let one = FieldSpec::text("t").longest(1);
    assert_eq!(
        cleaned(&one, r#""ab""#),
        Err("Ensure this value has at most 1 character (it has 2).".into())
    );
    assert_eq!(
        cleaned(&one, r#""\u0000""#),
        Err("Null characters are not allowed.".into())
    );
}

#[test]
fn whole_numbers_are_read_as_people_write_them() {
    let field = FieldSpec::integer("i");
    for (value, number) in [
        ("1", 1),
        (r#""1""#, 1),
        (r#"" 2 ""#, 2),
        (r#""1.0""#, 1),
        (r#""-3.000 ""#, -3),
        ("4.0", 4),
        (r#""+5""#, 5),
        (r#""1_000""#, 1000),
    ] {
        assert_eq!(cleaned(&field, value), Ok(Value::Int(number)), "{value}");
    }
    for value in [r#""""#, "null"] {
        assert_eq!(cleaned(&field, value), Ok(Value::Null), "{value}");
    }
    for value in [
        "1.5", r#""1.5""#, "true", "[1]", r#""x""#, r#""1e3""#, r#""0x1""#, r#""_1""#, r#""-""#,
    ] {
        let refused = Err("Enter a whole number.".to_owned());
        assert_eq!(cleaned(&field, value), refused, "{value}");
    }
    let bounded = FieldSpec::integer("i").least(1).most(9);
    for (value, why) in [
        ("0", "Ensure this value is greater than or equal to 1."),
        (r#""10""#, "Ensure this value is less than or equal to 9."),
        (
            r#""99999999999999999999""#,
            "Ensure this value is less than or equal to 9.",
        ),
    ] {
        assert_eq!(cleaned(&bounded, value), Err(why.into()), "{value}");
    }
    assert!(cleaned(&field, r#""-99999999999999999999""#).is_err());
}

#[test]
fn numbers_are_finite() {
    let kind = FieldKind::Float {
        min: Some(0.1),
        max: Some(10.0),
    };
    let field = FieldSpec::new("f", kind);
    for (value, number) in [("1", 1.0), (r#"" 2.5 ""#, 2.5), (r#""1e0""#, 1.0)] {
        assert_eq!(cleaned(&field, value), Ok(Value::Float(number)), "{value}");
    }
    assert_eq!(cleaned(&field, r#""""#), Ok(Value::Null));
    for value in [r#""x""#, r#""nan""#, r#""inf""#, "[1]", "true"] {
        assert_eq!(
            cleaned(&field, value),
            Err("Enter a number.".into()),
            "{value}"
        );
    }
    for (value, why) in [
        ("0", "Ensure this value is greater than or equal to 0.1."),
        ("11", "Ensure this value is less than or equal to 10.0."),
    ] {
        assert_eq!(cleaned(&field, value), Err(why.into()), "{value}");
    }
}

#[test]
fn checkboxes_are_off_for_the_words_of_off() {
    let field = FieldSpec::boolean("b").required();
    for value in [
        "false",
        r#""False""#,
        r#""false""#,
        r#""0""#,
        "0",
        r#""""#,
        "null",
    ] {
        assert_eq!(cleaned(&field, value), Ok(Value::Bool(false)), "{value}");
    }
    for value in ["true", r#""True""#, r#""no""#, "1", r#""{}""#] {
        assert_eq!(cleaned(&field, value), Ok(Value::Bool(true)), "{value}");
    }
    assert_eq!(clean(&field, None), Ok(Value::Bool(false)));
}

#[test]
fn choices_are_checked_where_they_are_known() {
    let kind = FieldKind::Choice(vec![("a", "A"), ("1", "One")]);
    let field = FieldSpec::new("c", kind);
    assert_eq!(cleaned(&field, r#""a""#), Ok("a".into()));
    assert_eq!(cleaned(&field, "1"), Ok("1".into()));
    assert_eq!(cleaned(&field, "null"), Ok("".into()));
    assert_eq!(
        cleaned(&field, r#""X""#),
        Err("Select a valid choice. X is not one of the available choices.".into())
    );
    let loaded = FieldSpec::new("d", FieldKind::Dependent(none)).required();
    assert_eq!(cleaned(&loaded, r#""anything""#), Ok("anything".into()));
    assert_eq!(
        cleaned(&loaded, r#""""#),
        Err("This field is required.".into())
    );
}

#[test]
fn a_required_field_needs_a_value_and_initial_is_none() {
    for field in [
        FieldSpec::text("f").required().initial("x"),
        FieldSpec::integer("f").required().initial(1),
        FieldSpec::json("f").required(),
        FieldSpec::new("f", FieldKind::Choice(vec![("a", "A")])).required(),
        FieldSpec::new("f", FieldKind::BrowserPool(none)).required(),
    ] {
        for value in [None, Some(Value::Null), Some("".into())] {
            let refused = Err("This field is required.".to_owned());
            assert_eq!(clean(&field, value.as_ref()), refused, "{field:?}");
        }
    }
    let blank = FieldSpec::text("f").required();
    assert!(cleaned(&blank, r#""  ""#).is_err());
}

fn faults(result: Result<(), Box<FormFaults>>) -> String {
    result.map_or_else(|faults| faults.to_string(), |()| String::new())
}

#[test]
fn readiness_checks_what_can_be_known() {
    let ready = |values: &str| faults(BoundForm::new(counter(), map(values), Compat::Doc).ready());
    let good = r#"{"min_value":1,"max_value":"2","direction":"increment","step":1}"#;
    assert_eq!(ready(good), "");
    assert_eq!(
        ready(r#"{"min_value":"x","max_value":2,"direction":"sideways","step":0}"#),
        "Form validation failed: min_value: Enter a whole number.; direction: Select a valid choice. sideways is not \
         one of the available choices.; step: Ensure this value is greater than or equal to 1."
    );
    assert_eq!(
        ready("{}"),
        "Form validation failed: min_value: This field is required.; max_value: This field is required.; direction: \
         This field is required.; step: This field is required."
    );
    // Templates may hold anything, and what others hold cannot be compared with them.
    assert_eq!(
        ready(
            r#"{"min_value":"{{ 9 }}","max_value":2,"direction":"{% if 1 %}x{% endif %}","step":"{{\n0 }}"}"#
        ),
        ""
    );
    // Without templates, fields are compared with each other.
    assert_eq!(
        ready(r#"{"min_value":3,"max_value":2,"direction":"increment","step":1}"#),
        "Form validation failed: min_value: Minimum value must be less than maximum value."
    );
}

#[tokio::test]
async fn every_rule_applies_after_rendering() {
    let bind = async |values: &str| {
        let form = BoundForm::new(counter(), map(values), Compat::Doc);
        assert_eq!(faults(form.ready()), "", "{values}");
        form.bind(&names(r#"{"n":3}"#)).await
    };
    let values = bind(
        r#"{"min_value":"{{ data.n }}","max_value":"{{ workflowenv.max }}","direction":"{{ 'decrement' }}","step":"{{ 1.0 }}"}"#,
    )
    .await
    .unwrap();
    assert_eq!(
        Value::from(values),
        json(r#"{"min_value":3,"max_value":20,"direction":"decrement","step":1}"#)
    );
    for (values, why) in [
        (
            r#"{"min_value":1,"max_value":2,"direction":"increment","step":"{{ 0 }}"}"#,
            "Invalid field values: step: Ensure this value is greater than or equal to 1.",
        ),
        (
            r#"{"min_value":"{{ data.zz }}","max_value":2,"direction":"{{ 'x' }}","step":1}"#,
            "Invalid field values: min_value: Enter a whole number.; direction: Select a valid choice. x is not one of \
             the available choices.",
        ),
        (
            r#"{"min_value":"{{ 9 }}","max_value":2,"direction":"increment","step":1}"#,
            "Invalid field values: min_value: Minimum value must be less than maximum value.",
        ),
        (
            r#"{"min_value":"{{ workflowenv.zz }}","max_value":2,"direction":"increment","step":1}"#,
            "Invalid field values: min_value: This field is required.",
        ),
    ] {
        let error = bind(values).await.unwrap_err();
        assert_eq!(error.to_string(), why);
        let StepError::Form(faults) = error else {
            panic!("{error}");
        };
        let schema = faults.schema.unwrap();
        assert_eq!(schema.get("form_name"), Some(&"CounterForm".into()));
    }
    let broken = r#"{"min_value":"{{ 1 +","max_value":2,"direction":"increment","step":1}"#;
    let error = bind(broken).await.unwrap_err();
    assert!(matches!(error, StepError::Node(_)), "{error}");
    assert!(error.to_string().contains("'min_value'"), "{error}");
}

#[tokio::test]
async fn before_the_first_token_only_what_needs_none_is_rendered() {
    let spec = form(vec![
        FieldSpec::text("a").required(),
        FieldSpec::text("b"),
        FieldSpec::integer("c"),
    ]);
    let values = r#"{"a":"{{ workflowenv.max }}","b":"{{ data.x }}","c":5}"#;
    let form = BoundForm::new(spec, map(values), Compat::Doc);
    let early = form.bind_early(&names("{}")).await.unwrap();
    assert_eq!(Value::from(early), json(r#"{"a":"20","c":5}"#));
}

#[test]
fn the_payload_of_faults_holds_the_form_as_it_was_filled_in() {
    let values = r#"{"min_value":"x","max_value":2,"direction":"increment","step":1}"#;
    let faults = BoundForm::new(counter(), map(values), Compat::Doc)
        .ready()
        .unwrap_err();
    assert!(faults.readiness);
    let schema = faults.schema.unwrap();
    let first = &schema.get("fields").unwrap().as_list().unwrap()[0];
    assert_eq!(first.get("value"), Some(&"x".into()));
    assert_eq!(
        first.get("field_level_errors"),
        Some(&json(r#"["Enter a whole number."]"#))
    );
}

#[test]
fn the_schema_of_the_counter_is_what_clients_expect() {
    let schema = schema(
        &counter(),
        &map(r#"{"step":"{{ data.n }}"}"#),
        &Options::new(),
        &Faults::new(),
    );
    insta::assert_json_snapshot!(schema);
}

fn none<'a>(_: &'a Map, _: &'a Services) -> BoxFuture<'a, Result<Vec<Choice>, NodeError>> {
    Box::pin(std::future::ready(Ok(Vec::new())))
}

fn accounts<'a>(_: &'a Map, _: &'a Services) -> BoxFuture<'a, Result<Vec<Choice>, NodeError>> {
    let both = ["one", "two"].map(|id| (id.to_owned(), id.to_uppercase()));
    Box::pin(std::future::ready(Ok(both.to_vec())))
}

fn spreadsheets<'a>(
    values: &'a Map,
    _: &'a Services,
) -> BoxFuture<'a, Result<Vec<Choice>, NodeError>> {
    Box::pin(async move {
        match values.get("account").and_then(Value::as_str) {
            Some("one") => Ok(vec![("s1".into(), "Sheet 1".into())]),
            Some("two") => Ok(vec![
                ("t1".into(), "T 1".into()),
                ("t2".into(), "T 2".into()),
            ]),
            _ => Err(NodeError::new("The account is not known")),
        }
    })
}

fn sheets<'a>(values: &'a Map, _: &'a Services) -> BoxFuture<'a, Result<Vec<Choice>, NodeError>> {
    Box::pin(async move {
        let of = |key| values.get(key).and_then(Value::as_str).unwrap_or("?");
        let tab = format!("{}/{}", of("account"), of("spreadsheet"));
        Ok(vec![(tab.clone(), tab)])
    })
}

fn sheet_form() -> Arc<FormSpec> {
    let password = FieldKind::Password { max: Some(9) };
    form(vec![
        FieldSpec::new("account", FieldKind::Dependent(accounts)).required(),
        // Not in the order of dependence.
        FieldSpec::new("sheet", FieldKind::Dependent(sheets))
            .required()
            .after(&["account", "spreadsheet"]),
        FieldSpec::new("spreadsheet", FieldKind::Dependent(spreadsheets))
            .required()
            .after(&["account"]),
        FieldSpec::new("token", password).label("Bearer token"),
        FieldSpec::json("body").help("Sent as it is."),
        FieldSpec::textarea("notes"),
        FieldSpec::new(
            "limit",
            FieldKind::Float {
                min: Some(0.1),
                max: None,
            },
        ),
        FieldSpec::text("url").longest(2048).required(),
        FieldSpec::boolean("overwrite").initial(true),
    ])
}

#[tokio::test]
async fn the_schema_of_dependent_fields_tells_what_they_wait_for() {
    let values = map(r#"{"account":"two","spreadsheet":"gone","token":"secret","limit":1}"#);
    let spec = sheet_form();
    let state = show(&spec, &values, &Services::none()).await;
    assert_eq!(state.values, values);
    let schema = state.schema(&spec);
    assert!(!serde_json::to_string(&schema).unwrap().contains("secret"));
    insta::assert_json_snapshot!(schema);
}

fn options(state: &FormState, field: &str) -> Vec<String> {
    let loaded = state
        .options
        .get(field)
        .map_or(&[] as &[Choice], Vec::as_slice);
    loaded.iter().map(|(value, _)| value.clone()).collect()
}

async fn updated(stored: &str, given: &str) -> FormState {
    let (stored, given) = (map(stored), map(given));
    update(&sheet_form(), &stored, &given, &Services::none()).await
}

fn text(state: &FormState, field: &str) -> Option<String> {
    let value = state.values.get(field).and_then(Value::as_str);
    value.map(str::to_owned)
}

#[tokio::test]
async fn a_changed_parent_loads_its_dependents_and_an_only_choice_chooses_itself() {
    let state = updated(
        r#"{"spreadsheet":"old","sheet":"older"}"#,
        r#"{"account":"one"}"#,
    )
    .await;
    assert_eq!(options(&state, "account"), ["one", "two"]);
    assert_eq!(options(&state, "spreadsheet"), ["s1"]);
    assert_eq!(text(&state, "spreadsheet").as_deref(), Some("s1"));
    assert_eq!(text(&state, "sheet").as_deref(), Some("one/s1"));
    // With two to choose from, the stale value goes, and what hangs on it.
    let state = updated(
        r#"{"spreadsheet":"old","sheet":"older"}"#,
        r#"{"account":"two"}"#,
    )
    .await;
    assert_eq!(options(&state, "spreadsheet"), ["t1", "t2"]);
    assert_eq!(text(&state, "spreadsheet"), None);
    assert_eq!(text(&state, "sheet"), None);
    assert_eq!(options(&state, "sheet"), [""; 0]);
}

#[tokio::test]
async fn a_value_that_is_given_stays_and_is_offered() {
    let state = updated("{}", r#"{"account":"two","spreadsheet":"mine"}"#).await;
    assert_eq!(text(&state, "spreadsheet").as_deref(), Some("mine"));
    let offered = &state.options["spreadsheet"];
    let configured = ("mine".to_owned(), "mine (configured)".to_owned());
    assert_eq!(offered.last(), Some(&configured));
    assert_eq!(offered.len(), 3);
    assert_eq!(text(&state, "sheet").as_deref(), Some("two/mine"));
    // Without its parent a value means nothing.
    let state = updated("{}", r#"{"spreadsheet":"mine"}"#).await;
    assert_eq!(text(&state, "sheet"), None);
}

#[tokio::test]
async fn a_loader_that_fails_is_a_fault_of_its_field() {
    let state = updated("{}", r#"{"account":"three"}"#).await;
    let fault = (
        "spreadsheet".to_owned(),
        vec!["The account is not known".to_owned()],
    );
    assert_eq!(state.faults, [fault]);
    // A template can only be asked when there is a token.
    let state = updated("{}", r#"{"account":"{{ workflowenv.account }}"}"#).await;
    assert_eq!(state.faults, []);
}

#[tokio::test]
async fn the_choices_of_one_field_can_be_asked_for() {
    let ask = async |parent: &str, value: &str, field: &str, others: &str| {
        let question = FieldQuestion {
            parent_field: parent.into(),
            parent_value: value.into(),
            dependent_field: field.into(),
            form_values: map(others),
        };
        let result = field_options(&sheet_form(), question, &Services::none()).await;
        result.map_err(|e| e.to_string())
    };
    let found = ask("account", "one", "spreadsheet", "{}").await.unwrap();
    assert_eq!(found, [("s1".to_owned(), "Sheet 1".to_owned())]);
    let found = ask("spreadsheet", "x", "sheet", r#"{"account":"two"}"#).await;
    assert_eq!(found.unwrap().len(), 1);
    assert_eq!(ask("spreadsheet", "x", "sheet", "{}").await, Ok(vec![]));
    for (parent, value, field, why) in [
        (
            "account",
            "three",
            "spreadsheet",
            "The account is not known",
        ),
        (
            "account",
            "one",
            "zz",
            "The form TestForm has no field 'zz'",
        ),
        ("zz", "one", "sheet", "The form TestForm has no field 'zz'"),
        (
            "url",
            "one",
            "sheet",
            "Field 'sheet' does not depend on 'url'",
        ),
        (
            "account",
            "one",
            "url",
            "Field 'url' does not depend on 'account'",
        ),
    ] {
        assert_eq!(ask(parent, value, field, "{}").await, Err(why.into()));
    }
}

#[test]
fn passwords_are_written_and_never_read() {
    let spec = sheet_form();
    let stored = map(r#"{"token":"secret","url":"u"}"#);
    let shown = masked(&spec, &stored);
    assert_eq!(
        Value::from(shown.clone()),
        json(r#"{"token":"********","url":"u"}"#)
    );
    assert_eq!(unmasked(&spec, shown, &stored), stored);
    let changed = map(r#"{"token":"new"}"#);
    assert_eq!(unmasked(&spec, changed.clone(), &stored), changed);
    let absent = unmasked(&spec, map(r#"{"token":"********"}"#), &Map::new());
    assert_eq!(absent, Map::new());
    assert_eq!(
        masked(&spec, &map(r#"{"token":""}"#)),
        map(r#"{"token":""}"#)
    );
}

#[test]
fn every_form_of_this_crate_is_sound() {
    let mut types = Steps::default();
    crate::register(&mut types);
    for def in types.iter() {
        if let Some(form) = &def.form {
            assert_sound(form);
        }
    }
    for fields in [
        vec![FieldSpec::new("a", FieldKind::Dependent(none)).after(&["zz"])],
        vec![FieldSpec::new("a", FieldKind::Dependent(none)).after(&["a"])],
        vec![FieldSpec::text("b"), FieldSpec::text("a").after(&["b"])],
        vec![FieldSpec::text("a"), FieldSpec::text("a")],
        vec![
            FieldSpec::new("a", FieldKind::Dependent(none)).after(&["b"]),
            FieldSpec::new("b", FieldKind::Dependent(none)).after(&["a"]),
        ],
    ] {
        let spec = form(fields);
        assert!(std::panic::catch_unwind(|| assert_sound(&spec)).is_err());
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[-+ 0-9._eE]{0,24}".prop_map(Value::from),
        Just(Value::from("{{ data.x }}")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-c]", inner), 0..4).prop_map(Value::map),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_is_taken_or_refused_and_what_is_taken_is_taken_again(value in any_value()) {
        for field in &sheet_form().fields {
            if let Ok(clean_value) = clean(field, Some(&value)) {
                prop_assert_eq!(clean(field, Some(&clean_value)), Ok(clean_value));
            }
        }
        let field = FieldSpec::integer("i").least(-5).most(5);
        if let Ok(Value::Int(n)) = clean(&field, Some(&value)) {
            prop_assert!((-5..=5).contains(&n));
        }
    }
}
