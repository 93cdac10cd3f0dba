//! Templates in the forms of real steps.

use serde_json::{Value, json};

use super::super::server::TestServer;
use super::{Flow, count, error, only};

#[tokio::test]
async fn case_26_values_are_written_as_the_dialect_writes_them() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let template = r#"{"b": "{{ data.b }}", "d": {{ data.d|tojson }}, "m": "{{ data.zz.yy }}",
        "l": {{ data['items']|tojson }}}"#;
    let t = flow.node("data-transformer", only(template)).await;
    let input = json!({ "b": true, "d": { "k": [1, "<"] }, "items": [1, 2] });
    let ran = flow.run_node(&t, json!({ "input_data": input })).await.ok();
    let expected = json!({ "b": "True", "d": { "k": [1, "<"] }, "m": "{}", "l": [1, 2] });
    assert_eq!(ran["output"]["data"], expected, "{ran}");
    assert_eq!(flow.output_of(&t).await, expected);
}

/// Runs a step whose template fails; gives what it says.
async fn failing(flow: &Flow<'_>, node: &str, template: &str) -> String {
    let form = only(&format!("{{\"v\": \"{template}\"}}"));
    let body = json!({ "form_values": form });
    let ran = flow.run_node(node, body).await.ok();
    assert_eq!(ran["success"], false, "{template}: {ran}");
    assert_eq!(
        (&ran["node_id"], &ran["node_type"]),
        (&json!(node), &json!("data-transformer"))
    );
    assert_eq!(flow.output_of(node).await, json!({}), "{template}");
    ran["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn case_27_a_template_that_cannot_be_rendered_fails_its_node() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let t = flow.node("data-transformer", json!({})).await;
    for template in ["{{ nope.x }}", "{{ 1|nofilter }}", "{{ 1 +", "{{ }}"] {
        let said = failing(&flow, &t, template).await;
        assert!(said.contains("output_template"), "{template}: {said}");
    }
    let said = failing(&flow, &t, "{{ 1|nofilter }}").await;
    assert!(said.contains("nofilter"), "{said}");
}

#[tokio::test]
async fn case_28_a_template_reaches_nothing_of_the_program() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let t = flow.node("data-transformer", json!({})).await;
    for template in [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ self.__init__.__globals__.__builtins__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__['os'] }}",
    ] {
        let said = failing(&flow, &t, template).await;
        for inside in ["crates/", ".rs:", "panicked", "/usr", "uid="] {
            assert!(!said.contains(inside), "{template}: {said}");
        }
    }
    // What is asked for by name is only not there.
    for template in [
        "{{ ''|attr('__class__')|attr('__mro__') }}",
        "{{ data.get.__globals__['x'] }}",
    ] {
        let form = only(&format!("{{\"v\": \"{template}\"}}"));
        let body = json!({ "form_values": form });
        let ran = flow.run_node(&t, body).await.ok();
        let told = ran["output"]["data"]["v"].as_str().unwrap();
        assert!(["", "{}"].contains(&told), "{template}: {told}");
    }
    client.check_health().await;
}

#[tokio::test]
async fn e9_what_a_template_gives_is_checked_like_what_is_typed() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.node("counter", json!({})).await;
    let with = |field: &str, value: Value| {
        let mut form = count(1, 2);
        form[field] = value;
        json!({ "form_values": form })
    };
    for (body, words) in [
        (with("step", json!("{{ 0 }}")), "greater than or equal to 1"),
        (with("step", json!(0)), "greater than or equal to 1"),
        (with("direction", json!("{{ 'up' }}")), "valid choice"),
        (with("min_value", json!("{{ 5 }}")), "Minimum value"),
        (with("min_value", json!(5)), "Minimum value"),
    ] {
        let refused = flow.run_node(&counter, body).await;
        let said = error(&refused, 422);
        assert!(said.contains(words), "{said}");
    }
    let webhook = flow.node("webhook-producer", json!({})).await;
    for id in ["bad id!", "{{ 'bad id!' }}"] {
        let body = json!({ "form_values": { "webhook_id": id } });
        let said = error(&flow.run_node(&webhook, body).await, 422);
        assert!(said.contains("webhook_id"), "{said}");
    }
}

#[tokio::test]
async fn e10_the_initial_value_of_a_field_is_shown_and_not_applied() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let told = client.get("/api/nodes/counter/form/").await.ok();
    let step = &told["form"]["fields"][3];
    assert_eq!(
        (&step["name"], &step["initial"], &step["value"]),
        (&json!("step"), &json!(1), &Value::Null)
    );
    let form = json!({ "min_value": 1, "max_value": 2, "direction": "increment" });
    let counter = flow.node("counter", form).await;
    let said = error(&flow.run_node(&counter, json!({})).await, 422);
    assert!(said.contains("step: This field is required."), "{said}");
    // A tick that is not there is none, although a new form shows one.
    let form = json!({ "output_template": "{}" });
    let node = flow.node("data-transformer", form).await;
    let input = json!({ "input_data": { "kept": 1 } });
    let ran = flow.run_node(&node, input).await.ok();
    let expected = json!({ "kept": 1, "data_transformer": {} });
    assert_eq!(ran["output"]["data"], expected);
}
