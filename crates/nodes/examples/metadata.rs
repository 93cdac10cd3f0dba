//! TEMPORARY: prints the metadata of all registered node types, with the flags the catalogue does not list.
fn main() {
    let mut r = nodetool_sdk::Registry::new();
    nodetool_nodes::register(&mut r);
    let mut out: Vec<serde_json::Value> = Vec::new();
    for d in r.iter() {
        let mut v = serde_json::to_value(&d.metadata).unwrap();
        v["_flags"] = serde_json::json!({"streaming_input": d.is_streaming_input(), "cacheable": d.cacheable});
        out.push(v);
    }
    println!("{}", serde_json::Value::Array(out));
}
