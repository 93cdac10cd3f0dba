use nodetool_sdk::Value as Wire;
use nodetool_sdk::models::Media;
use proptest::prelude::*;

use super::*;

fn tool(name: &str, properties: &[&str]) -> ToolSpec {
    let kind = || Wire::map([("type", Wire::str("string"))]);
    let properties = Wire::map(properties.iter().map(|name| (*name, kind())));
    ToolSpec {
        name: name.to_owned(),
        description: format!("Does {name}."),
        parameters: Wire::map([("type", Wire::str("object")), ("properties", properties)]),
        ..ToolSpec::default()
    }
}

fn tools() -> Vec<ToolSpec> {
    vec![tool("search", &["query", "limit"]), tool("get_time", &[])]
}

/// Text joined, and calls.
fn read(pieces: &[&str]) -> (String, Vec<(String, Value)>) {
    let mut reader = Reader::new(tools());
    let mut all: Vec<Read> = pieces.iter().flat_map(|piece| reader.push(piece)).collect();
    all.extend(reader.finish());
    let (mut text, mut calls) = (String::new(), Vec::new());
    for read in all {
        match read {
            Read::Text(piece) => text.push_str(&piece),
            Read::Call { name, arguments } => {
                let arguments = serde_json::from_str(&arguments);
                calls.push((name, arguments.unwrap_or(Value::Null)));
            }
        }
    }
    (text, calls)
}

#[test]
fn every_usual_form_of_a_call_is_read() {
    let search = json!({ "query": "it's (rust)", "limit": 5 });
    for written in [
        r#"{"name": "search", "arguments": {"query": "it's (rust)", "limit": 5}}"#,
        r#"  {"tool": "search", "args": {"query": "it's (rust)", "limit": 5}}  "#,
        r#"{"function": {"name": "search", "arguments": {"query": "it's (rust)", "limit": 5}}, "type": "function"}"#,
        r#"{"tool_calls": [{"name": "search", "parameters": {"query": "it's (rust)", "limit": 5}}]}"#,
        r#"{"name": "search", "arguments": "{\"query\": \"it's (rust)\", \"limit\": 5}"}"#,
        r#"[{"name": "search", "arguments": {"query": "it's (rust)", "limit": 5}}]"#,
        "```json\n{\"name\": \"search\", \"arguments\": {\"query\": \"it's (rust)\", \"limit\": 5}}\n```",
        "```\nsearch(query=\"it's (rust)\", limit=5)\n```",
        "<tool_call>\n{\"name\": \"search\", \"arguments\": {\"query\": \"it's (rust)\", \"limit\": 5}}\n</tool_call>",
        "<tool_call>{\"name\": \"search\", \"arguments\": {\"query\": \"it's (rust)\", \"limit\": 5}}",
        r#"search(query="it's (rust)", limit=5)"#,
        r#"search("it's (rust)", 5)"#,
        r#"search({"query": "it's (rust)", "limit": 5})"#,
        r"[search(query='it\'s (rust)', limit=5)]",
    ] {
        let expected = (String::new(), vec![("search".to_owned(), search.clone())]);
        assert_eq!(read(&[written]), expected, "{written}");
    }
}

#[test]
fn several_calls_and_text_around_them_are_kept_apart() {
    let (text, calls) = read(&[
        "I look it up.\n{\"name\": \"get_time\"}\n{\"name\": \"search\", \"arguments\": {\"query\": \"a\"}}\nDone.",
    ]);
    assert_eq!(text, "I look it up.\nDone.");
    let expected = [
        ("get_time".to_owned(), json!({})),
        ("search".to_owned(), json!({ "query": "a" })),
    ];
    assert_eq!(calls, expected);
    let (text, calls) = read(&["[get_time(), search(query=None)]"]);
    assert_eq!((text.as_str(), calls.len()), ("", 2));
    assert_eq!(calls[1].1, json!({ "query": null }));
}

#[test]
fn text_that_only_looks_like_a_call_stays_text() {
    for text in [
        r#"{"name": "Ada", "arguments": {}}"#,
        r#"{"name": "search", "age": 3}"#,
        r#"{"answer": 42}"#,
        "[1] says so, and it's true.\n[2] does not.",
        "```python\nprint(1)\n```\nas above",
        "``` is a fence",
        "search is what I do (mostly)\n",
        "search(rust",
        "search(query=rust)",
        "{ never closed",
        "I would call search(query=\"a\") here.",
        "  \n\n ",
        "<tool_call>nonsense</tool_call>",
    ] {
        assert_eq!(read(&[text]), (text.to_owned(), vec![]), "{text}");
    }
}

#[test]
fn text_does_not_wait_for_the_end() {
    let mut reader = Reader::new(tools());
    assert_eq!(reader.push("Hel"), [Read::Text("Hel".into())]);
    assert_eq!(reader.push("lo\nsea"), [Read::Text("lo\n".into())]);
    assert_eq!(reader.push("t"), [Read::Text("seat".into())]);
    assert_eq!(reader.push("\n\n\n"), [Read::Text("\n\n\n".into())]);
}

#[test]
fn what_is_held_back_has_an_end() {
    let mut reader = Reader::new(tools());
    let piece = "{\"a\": \"".to_owned() + &"x".repeat(300 << 10);
    assert_eq!(reader.push(&piece), [Read::Text(piece.clone())]);
    let deep = "search(".to_owned() + &"[".repeat(10_000) + &"]".repeat(10_000) + ")";
    assert_eq!(read(&[&deep]).0, deep);
    for sign in ["<tool_call>", "```", "[", "{\"function\":", "\n", " "] {
        let many = sign.repeat(20_000);
        assert_eq!(read(&[&many]).0, many);
    }
}

#[test]
fn tools_and_earlier_turns_become_words() {
    let call = ToolCall {
        name: "search".into(),
        id: "1".into(),
        arguments: "{\"query\":\"a\"}".into(),
        ..ToolCall::default()
    };
    let mut said = ChatMessage::text(Role::Assistant, "Wait.");
    said.tool_calls = vec![call.clone()];
    let mut asked = ChatMessage::text(Role::User, "look");
    asked
        .parts
        .push(Part::Image(Media::bytes("image/png", vec![1])));
    let request = ChatRequest {
        messages: vec![
            ChatMessage::text(Role::System, "Be short."),
            asked.clone(),
            said,
            ChatMessage::tool(&call, "{\"hits\":0}"),
        ],
        tools: tools(),
        tool_choice: Some(ToolChoice::Named("search".into())),
        ..ChatRequest::default()
    };
    let plain = without_tools(&request);
    assert!(plain.tools.is_empty() && plain.tool_choice.is_none());
    let system = plain.messages[0].plain_text();
    assert!(
        system.starts_with("Be short.\n\nYou can call tools."),
        "{system}"
    );
    assert!(
        system.contains("- search: Does search.\n  {\"type\":\"object\""),
        "{system}"
    );
    assert!(
        !system.contains("get_time") && system.ends_with("Call a tool now."),
        "{system}"
    );
    assert_eq!(plain.messages[1], asked);
    assert_eq!(
        plain.messages[2],
        ChatMessage {
            parts: vec![
                Part::Text("Wait.".into()),
                Part::Text("\n{\"arguments\":{\"query\":\"a\"},\"name\":\"search\"}".into()),
            ],
            ..ChatMessage::text(Role::Assistant, "")
        }
    );
    assert_eq!(plain.messages[3].role, Role::User);
    assert_eq!(
        plain.messages[3].plain_text(),
        "The result of search:\n{\"hits\":0}"
    );
}

#[test]
fn a_request_without_tools_gets_no_words_about_them() {
    let request = ChatRequest {
        messages: vec![ChatMessage::text(Role::User, "hi")],
        ..ChatRequest::default()
    };
    assert_eq!(without_tools(&request), request);
}

#[test]
fn a_forced_answer_is_a_call_of_one_of_the_tools() {
    let one = forced(&tools()[1..]);
    assert_eq!(one["properties"]["name"], json!({ "enum": ["get_time"] }));
    assert_eq!(forced(&tools())["anyOf"].as_array().unwrap().len(), 2);
}

fn argument() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~äß€😀\\n]{0,12}".prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z'\"{}]{1,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn cut(text: &str, cuts: &[usize]) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (letters.len() + 1)).collect();
    cuts.extend([0, letters.len()]);
    cuts.sort_unstable();
    cuts.windows(2)
        .map(|w| letters[w[0]..w[1]].iter().collect())
        .collect()
}

proptest! {
    #[test]
    fn where_an_answer_is_cut_does_not_matter(
        parts in proptest::collection::vec(prop_oneof![
            "[ -~\\n]{0,20}".prop_map(String::from),
            Just("```json\n".to_owned()),
            Just("\n```\n".to_owned()),
            Just("<tool_call>".to_owned()),
            Just("</tool_call>".to_owned()),
            Just("\nsearch(query='a')\n".to_owned()),
            Just("{\"name\": \"get_time\", \"arguments\": {}}\n".to_owned()),
        ], 0..8),
        cuts in proptest::collection::vec(0usize..400, 0..12),
    ) {
        let whole = parts.concat();
        let pieces = cut(&whole, &cuts);
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        prop_assert_eq!(read(&pieces), read(&[&whole]));
    }

    #[test]
    fn text_that_names_no_tool_comes_out_as_it_went_in(text in "[ -~äß€😀\\n`{}\\[\\]<>()]{0,80}") {
        prop_assume!(!text.contains("search") && !text.contains("get_time"));
        prop_assert_eq!(read(&[&text]), (text.clone(), vec![]));
    }

    #[test]
    fn a_call_written_as_asked_is_read_whatever_its_arguments(
        value in argument(), cuts in proptest::collection::vec(0usize..400, 0..8),
    ) {
        let arguments = json!({ "query": value });
        let call = ToolCall { name: "search".into(), arguments: arguments.to_string(), ..ToolCall::default() };
        let text = written(&call);
        let pieces = cut(&text, &cuts);
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let expected = (String::new(), vec![("search".to_owned(), arguments.clone())]);
        prop_assert_eq!(read(&pieces), expected.clone());
        let expression = format!("search(query={})", arguments["query"]);
        prop_assert_eq!(read(&[&expression]), expected);
    }
}
