use std::sync::Arc;

use nodetool_sdk::steps::{
    FieldSpec, Flow, FlowCx, FormSpec, Mode, Runtime, Step, StepConfig, StepCx, StepKind, Token,
};
use nodetool_sdk::{Map, NodeError, Value, testing};

use super::{Fields, FormStep, define};

fn map(json: &str) -> Map {
    let value: Value = serde_json::from_str(json).unwrap();
    value.as_map().unwrap().clone()
}

fn cx() -> StepCx {
    StepCx {
        node: testing::context(),
        flow: Arc::new(FlowCx {
            mode: Mode::Production,
            env: Arc::new(map(r#"{"base":"b"}"#)),
            runtime: Arc::new(Runtime::default()),
            request: None,
            webhooks: None,
        }),
        reads: None,
        writes: Vec::new(),
    }
}

/// Shows what it is given.
#[derive(Default)]
struct Echo {
    early: Map,
}

impl FormStep for Echo {
    const IDENTIFIER: &'static str = "echo";
    const CLASS: &'static str = "Echo";
    const CATEGORY: &'static str = "Test";

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "EchoForm",
            fields: vec![
                FieldSpec::text("text").required(),
                FieldSpec::integer("n").most(9),
                FieldSpec::json("json"),
            ],
            check: None,
        })
    }

    async fn setup_with(&mut self, fields: &Fields, _: &StepCx) -> Result<(), NodeError> {
        self.early = fields.0.clone();
        Ok(())
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        _: &StepCx,
    ) -> Result<Flow, NodeError> {
        token.put("echo", fields.0.clone().into());
        token.put("early", self.early.clone().into());
        let json = fields.json("json")?.unwrap_or_default();
        token.put("parsed", json);
        token.metadata.insert("operation".into(), "echo".into());
        Ok(match fields.int("n") {
            Some(1) => Flow::Route("yes".into(), token),
            Some(2) => Flow::Each(vec![Value::Null], token),
            Some(3) => Flow::Completed(token),
            // What was noted before is not thrown away by a step that begins anew.
            _ => Flow::Go(Token::new("other", token.data)),
        })
    }
}

fn made(form: &str) -> Box<dyn Step> {
    (define::<Echo>().make)(StepConfig {
        id: "node-1".into(),
        form: map(form),
        ..StepConfig::default()
    })
}

async fn ran(form: &str, data: &str) -> Result<Flow, String> {
    let (mut step, cx) = (made(form), cx());
    step.ready().map_err(|e| e.to_string())?;
    step.setup(&cx).await.map_err(|e| e.to_string())?;
    let mut token = Token::new("t", map(data));
    token.metadata = map(r#"{"kept":1,"operation":"before","sourceNodeID":"node-0"}"#);
    step.run(token, &cx).await.map_err(|e| e.to_string())
}

fn token(flow: Flow) -> Token {
    match flow {
        Flow::Go(token) | Flow::Route(_, token) | Flow::Each(_, token) => token,
        Flow::Completed(token) => token,
    }
}

#[tokio::test]
async fn a_step_sees_its_form_rendered_and_read() {
    let form = r#"{"text":" {{ data.a }}/{{ workflowenv.base }} ","n":"{{ data.n }}","json":{"k":"{{ data.a }}"},"x":1}"#;
    let flow = ran(form, r#"{"a":"A","n":7}"#).await.unwrap();
    let token = token(flow);
    assert_eq!(
        token.data["echo"],
        map(r#"{"text":"A/b","n":7,"json":"{\"k\": \"A\"}"}"#).into()
    );
    assert_eq!(token.data["parsed"], map(r#"{"k":"A"}"#).into());
    // What the token held is still there.
    assert_eq!(token.data["a"], "A".into());
}

#[tokio::test]
async fn fields_are_known_at_the_setup_as_far_as_they_need_no_token() {
    let form = r#"{"text":"{{ workflowenv.base }}","n":"{{ data.n }}","json":"[1]"}"#;
    let flow = ran(form, r#"{"n":7}"#).await.unwrap();
    let early = map(r#"{"text":"b","json":"[1]"}"#);
    assert_eq!(token(flow).data["early"], early.into());
    let flow = ran(r#"{"text":"x","n":4}"#, "{}").await.unwrap();
    let all = map(r#"{"text":"x","n":4,"json":""}"#);
    assert_eq!(token(flow).data["early"], all.into());
}

#[tokio::test]
async fn what_was_noted_stays_and_the_step_is_noted() {
    for (n, operation) in [(0, "before"), (1, "echo"), (2, "echo")] {
        let flow = ran(&format!(r#"{{"text":"x","n":{n}}}"#), "{}")
            .await
            .unwrap();
        let noted = token(flow).metadata;
        assert_eq!(noted["kept"], Value::Int(1));
        assert_eq!(noted["operation"], operation.into());
        assert_eq!(noted["sourceNodeID"], "node-1".into());
        assert_eq!(noted["sourceNodeName"], "echo".into());
    }
    // A sentinel is passed on as it is.
    let flow = ran(r#"{"text":"x","n":3}"#, "{}").await.unwrap();
    assert!(matches!(flow, Flow::Completed(_)));
    assert_eq!(token(flow).metadata["sourceNodeID"], "node-0".into());
}

#[tokio::test]
async fn values_that_cannot_be_used_never_reach_the_step() {
    for (form, why) in [
        (
            "{}",
            "Form validation failed: text: This field is required.",
        ),
        (
            r#"{"text":"{{ data.a }}","n":"{{ 10 }}"}"#,
            "Invalid field values: n: Ensure this value is less than or equal to 9.",
        ),
        (
            r#"{"text":"{{ workflowenv.zz }}"}"#,
            "Invalid field values: text: This field is required.",
        ),
        (
            r#"{"text":"{{ nope.x }}"}"#,
            "Template of field 'text': 'nope' is undefined (line 1)",
        ),
    ] {
        assert_eq!(ran(form, "{}").await.map(|_| ()), Err(why.into()));
    }
}

#[tokio::test]
async fn a_template_keeps_values_for_the_run() {
    let (mut step, cx) = (
        made(r#"{"text":"{{ data.n|set_runtime('k', data.n) }}"}"#),
        cx(),
    );
    step.setup(&cx).await.unwrap();
    for n in 1..3i64 {
        let token = Token::new("t", Map::from_iter([("n".into(), Value::Int(n))]));
        step.run(token, &cx).await.unwrap();
        assert_eq!(cx.flow.runtime.get("k"), Some(Value::Int(n)));
    }
}

#[tokio::test]
async fn what_a_template_changes_is_changed_once_for_each_token() {
    let count = "{{ 'x'|set_runtime('k', runtime.get('k', 0) + 1) }}";
    let form = serde_json::json!({ "text": count }).to_string();
    let (mut step, cx) = (made(&form), cx());
    step.setup(&cx).await.unwrap();
    assert_eq!(cx.flow.runtime.get("k"), None, "there was no token yet");
    for n in 1..3i64 {
        let flow = step.run(Token::new("t", Map::new()), &cx).await.unwrap();
        assert_eq!(cx.flow.runtime.get("k"), Some(Value::Int(n)));
        // What was rendered before the first token is known all the same.
        assert_eq!(
            token(flow).data["early"],
            map(r#"{"text":"x","n":null,"json":""}"#).into()
        );
    }
}

#[derive(Default)]
struct Bare;

impl FormStep for Bare {
    const IDENTIFIER: &'static str = "bare";
    const CLASS: &'static str = "Bare";
    const CATEGORY: &'static str = "Test";
    const KIND: StepKind = StepKind::NonBlocking;

    fn form() -> Option<FormSpec> {
        None
    }

    async fn run(&mut self, fields: &Fields, token: Token, _: &StepCx) -> Result<Flow, NodeError> {
        assert_eq!(fields.0, Map::new());
        Ok(Flow::Go(token))
    }
}

#[tokio::test]
async fn a_step_without_a_form_needs_none() {
    let mut step = (define::<Bare>().make)(StepConfig::default());
    assert!(step.ready().is_ok());
    let cx = cx();
    step.setup(&cx).await.unwrap();
    let flow = step.run(Token::new("t", Map::new()), &cx).await.unwrap();
    assert_eq!(token(flow).metadata["sourceNodeName"], "bare".into());
}
