//! TEMPORARY development runner: node-cases.json over sdk::testing. `CASES=nodetool.text,lib.json cargo test -p nodetool-nodes --test it -- --nocapture`
use nodetool_sdk::{Behaviour, Registry, Value, testing::case_of};

fn js(v: &Value) -> String {
    serde_json::to_string(v).unwrap()
}
fn arr<'a>(v: &'a Value) -> &'a [Value] {
    v.as_list().unwrap_or(&[])
}

/// None: matches. Some(text): why not.
pub fn mismatch(want: &Value, got: &Value) -> Option<String> {
    let no = || Some(format!("wanted {} got {}", js(want), js(got)));
    let ok = |b: bool| if b { None } else { no() };
    if let Some(m) = want.as_map() {
        if let Some((k, x)) = m.get_index(0) {
            match &**k {
                "$contains" => return ok(contains(got, x)),
                "$containsAll" => return ok(arr(x).iter().all(|x| contains(got, x))),
                "$unordered" => {
                    let mut rest: Vec<Value> = arr(got).to_vec();
                    for w in arr(x) {
                        match rest.iter().position(|g| mismatch(w, g).is_none()) {
                            Some(i) => {
                                rest.remove(i);
                            }
                            None => return no(),
                        }
                    }
                    return ok(rest.is_empty() && got.as_list().is_some());
                }
                "$length" => return ok(len(got) == x.as_f64()),
                "$gt" => return ok(got.as_f64() > x.as_f64() && got.as_f64().is_some()),
                "$lt" => return ok(got.as_f64().is_some_and(|g| g < x.as_f64().unwrap())),
                "$gte" => return ok(got.as_f64().is_some_and(|g| g >= x.as_f64().unwrap())),
                "$lte" => return ok(got.as_f64().is_some_and(|g| g <= x.as_f64().unwrap())),
                "$approx" => {
                    return ok(got.as_f64().is_some_and(|g| {
                        let w = x.as_f64().unwrap();
                        (g - w).abs() <= 1e-6 * w.abs().max(1e-12)
                    }));
                }
                "$matches" => {
                    return ok(got.as_str().is_some_and(|s| {
                        fancy_regex::Regex::new(x.as_str().unwrap())
                            .unwrap()
                            .is_match(s)
                            .unwrap()
                    }));
                }
                "$parsesTo" => {
                    return match got
                        .as_str()
                        .and_then(|s| serde_json::from_str::<Value>(s).ok())
                    {
                        Some(v) => mismatch(x, &v),
                        None => no(),
                    };
                }
                "$type" => {
                    let k = match got {
                        Value::Str(_) => "string",
                        Value::Bool(_) => "boolean",
                        Value::Int(_) | Value::Float(_) => "number",
                        Value::List(_) => "list",
                        Value::Map(_) => "dict",
                        _ => "?",
                    };
                    return ok(x.as_str() == Some(k));
                }
                "$anyOf" => return ok(arr(x).iter().any(|w| mismatch(w, got).is_none())),
                "$noneOrNull" => return ok(got.is_null()),
                "$table" => {
                    let rows = rows(got);
                    return mismatch(x, &Value::list(rows));
                }
                "$tableColumn" => {
                    let rows = rows(got);
                    for (c, w) in x.as_map().unwrap() {
                        let col =
                            Value::list(rows.iter().map(|r| r.get(c).cloned().unwrap_or_default()));
                        if let Some(e) = mismatch(w, &col) {
                            return Some(e);
                        }
                    }
                    return None;
                }
                _ => {}
            }
        }
        let Some(g) = got.as_map() else { return no() };
        if g.len() != m.len() {
            return no();
        }
        for (k, w) in m {
            match g.get(k) {
                Some(v) => {
                    if let Some(e) = mismatch(w, v) {
                        return Some(format!("at {k}: {e}"));
                    }
                }
                None => return no(),
            }
        }
        return None;
    }
    if let (Some(w), Some(g)) = (want.as_list(), got.as_list()) {
        if w.len() != g.len() {
            return no();
        }
        for (i, (w, g)) in w.iter().zip(g).enumerate() {
            if let Some(e) = mismatch(w, g) {
                return Some(format!("[{i}]: {e}"));
            }
        }
        return None;
    }
    ok(want == got)
}
fn rows(v: &Value) -> Vec<Value> {
    if let Some(r) = v.get("rows") {
        return arr(r).to_vec();
    }
    let cols: Vec<String> = arr(v.get("columns").unwrap_or(&Value::Null))
        .iter()
        .filter_map(|c| {
            c.get("name")
                .and_then(Value::as_str)
                .or(c.as_str())
                .map(String::from)
        })
        .collect();
    arr(v.get("data").unwrap_or(&Value::Null))
        .iter()
        .map(|r| Value::map(cols.iter().cloned().zip(arr(r).iter().cloned())))
        .collect()
}
fn len(v: &Value) -> Option<f64> {
    match v {
        Value::List(l) => Some(l.len() as f64),
        Value::Str(s) => Some(s.chars().count() as f64),
        _ => None,
    }
}
fn contains(got: &Value, x: &Value) -> bool {
    match (got, x) {
        (Value::Map(g), Value::Map(w)) => w
            .iter()
            .all(|(k, v)| g.get(k).is_some_and(|g| mismatch(v, g).is_none())),
        (Value::Str(s), Value::Str(w)) => s.contains(&**w),
        (Value::List(l), w) => l.iter().any(|g| mismatch(w, g).is_none()),
        _ => false,
    }
}

#[tokio::test]
async fn node_cases_of_the_chosen_namespaces() {
    let data = std::env::var("NODETOOL_SHARED_DATA").unwrap_or("/work/shared/data".into());
    let chosen = std::env::var("CASES").unwrap_or_default();
    let cases: Value = serde_json::from_str(
        &std::fs::read_to_string(format!("{data}/ts-examples/node-cases.json")).unwrap(),
    )
    .unwrap();
    let mut r = Registry::new();
    nodetool_nodes::register(&mut r);
    let (mut ok, mut bad, mut compat) = (0, 0, 0);
    for c in arr(&cases) {
        let s = |k: &str| c.get(k).and_then(Value::as_str).unwrap_or("");
        let ty = s("node_type");
        if !chosen
            .split(',')
            .any(|p| !p.is_empty() && ty.starts_with(p))
        {
            continue;
        }
        let (id, python) = (s("id"), c.get("python").unwrap());
        let Some(def) = r.get(ty) else {
            println!("MISSING {id} {ty}");
            bad += 1;
            continue;
        };
        let mut base = case_of(def.clone());
        let mut runs: Vec<Vec<(String, Value)>> = vec![vec![]];
        let mut err = None;
        for (k, v) in c.get("data").and_then(Value::as_map).unwrap() {
            match def
                .property_index(k)
                .map(|i| def.metadata.properties[i].ty.assign(v.clone()))
            {
                Some(Ok(v)) => base = base.set(k, v),
                Some(Err(_)) if matches!(js(v).as_str(), "null" | "[]" | "{}") => {}
                Some(Err(e)) => err = Some(format!("Error setting property '{k}': {e}")),
                None => base = base.set(k, v.clone()),
            }
        }
        let pipe = matches!(def.behaviour, Behaviour::Pipe(_));
        for (k, v) in c.get("inputs").and_then(Value::as_map).unwrap() {
            let items: Vec<Value> = v
                .get("$stream")
                .map(|s| arr(s).to_vec())
                .unwrap_or_else(|| vec![v.clone()]);
            if pipe {
                base = base.arrive(k, items);
                continue;
            }
            let ty = def
                .property_index(k)
                .map(|i| def.metadata.properties[i].ty.clone());
            let fit: Vec<Value> = items
                .into_iter()
                .map(|v| match &ty {
                    Some(t) => t.assign(v.clone()).unwrap_or_else(|e| {
                        if !v.is_null() {
                            err = Some(e.to_string());
                        }
                        def.metadata.properties[def.property_index(k).unwrap()]
                            .default
                            .clone()
                    }),
                    None => v,
                })
                .collect();
            runs = fit
                .into_iter()
                .flat_map(|v| {
                    runs.iter()
                        .map(move |r| {
                            let mut r = r.clone();
                            r.push((k.to_string(), v.clone()));
                            r
                        })
                        .collect::<Vec<_>>()
                })
                .collect();
        }
        let mut out: Vec<nodetool_sdk::Map> = vec![];
        if err.is_none() {
            if runs.len() > 1 || pipe {
                runs.truncate(if pipe { 1 } else { usize::MAX });
            }
            let last = runs.len();
            let mut base = Some(base);
            for (i, run) in runs.into_iter().enumerate() {
                let mut b = if i + 1 == last {
                    base.take().unwrap()
                } else {
                    case_of(def.clone())
                };
                for (k, v) in run {
                    b = b.set(&k, v);
                }
                match b.run().await {
                    Ok(o) => out.extend(o),
                    Err(e) => {
                        err = Some(e.to_string());
                        break;
                    }
                }
            }
        }
        let want = c.get("expect").unwrap();
        let handle =
            |h: &str| -> Vec<Value> { out.iter().filter_map(|m| m.get(h).cloned()).collect() };
        let why = if let Some(e) = want.get("error") {
            match &err {
                Some(t)
                    if t.to_lowercase()
                        .contains(&e.as_str().unwrap().to_lowercase()) =>
                {
                    None
                }
                other => Some(format!("wanted error {e:?}, got {other:?} / {out:?}")),
            }
        } else if let Some(e) = err {
            Some(format!("failed: {e}"))
        } else if want.get("$none").is_some() {
            if out.iter().all(|m| m.values().all(Value::is_null)) {
                None
            } else {
                Some(format!("wanted nothing, got {out:?}"))
            }
        } else if let Some(w) = want.get("$lastOutput") {
            handle("output")
                .last()
                .map_or(Some("no output".into()), |g| mismatch(w, g))
        } else if let Some(s) = want.get("$stream") {
            let mut by: std::collections::BTreeMap<String, Vec<Value>> = Default::default();
            for m in arr(s) {
                for (k, v) in m.as_map().unwrap() {
                    by.entry(k.to_string()).or_default().push(v.clone());
                }
            }
            by.iter().find_map(|(k, w)| {
                mismatch(&Value::from(w.clone()), &Value::from(handle(k)))
                    .map(|e| format!("{k}: {e}"))
            })
        } else {
            want.as_map().unwrap().iter().find_map(|(k, w)| {
                let h = handle(k);
                if w.get("$noneOrNull").is_some() {
                    return if h.iter().all(Value::is_null) {
                        None
                    } else {
                        Some(format!("{k}: wanted none, got {h:?}"))
                    };
                }
                if h.len() != 1 {
                    return Some(format!("{k}: wanted one value {}, got {h:?}", js(w)));
                }
                mismatch(w, &h[0]).map(|e| format!("{k}: {e}"))
            })
        };
        match why {
            None => ok += 1,
            Some(w) => {
                let soft = !matches!(python, Value::Str(_))
                    && !matches!(c.get("strict"), Some(Value::Bool(true)));
                if soft {
                    compat += 1;
                    println!("SOFT {id}: {w} (python: {})", js(python));
                } else {
                    bad += 1;
                    println!("FAIL {id}: {w}");
                }
            }
        }
    }
    println!("cases: {ok} ok, {compat} differ where python differs too (not strict), {bad} bad");
    assert_eq!(bad, 0);
}
