//! What a database has to do for predictions and their costs.

use nodetool_store::{CostTotals, PredictionFilter, PredictionRow, Store};

fn prediction(id: &str, at: i64) -> PredictionRow {
    PredictionRow {
        id: id.to_owned(),
        user_id: "u".to_owned(),
        provider: "openai".to_owned(),
        model: "m1".to_owned(),
        status: "starting".to_owned(),
        created_at: at,
        ..PredictionRow::default()
    }
}

fn own() -> PredictionFilter {
    PredictionFilter {
        user_id: "u".to_owned(),
        ..PredictionFilter::default()
    }
}

pub(super) async fn a_prediction_reads_back_column_by_column(store: Store) {
    let text = |text: &str| Some(text.to_owned());
    let row = PredictionRow {
        node_id: "n".to_owned(),
        workflow_id: text("w"),
        error: text("e"),
        logs: text("l"),
        started_at: Some(2),
        completed_at: Some(3),
        cost: Some(0.25),
        duration: Some(1.5),
        hardware: text("gpu"),
        input_tokens: Some(4),
        output_tokens: Some(5),
        total_tokens: Some(9),
        cached_tokens: Some(6),
        reasoning_tokens: Some(7),
        input_size: Some(8),
        output_size: Some(10),
        parameters: text("{}"),
        metadata: text(r#"{"a":1}"#),
        ..prediction("p", 1)
    };
    store.insert_prediction(row.clone()).await.unwrap();
    assert_eq!(store.get_prediction("u", "p").await.unwrap(), Some(row));
    assert_eq!(store.get_prediction("v", "p").await.unwrap(), None);
}

pub(super) async fn predictions_are_listed_newest_first(store: Store) {
    for (id, at) in [("z", 1), ("a", 2), ("b", 2)] {
        store.insert_prediction(prediction(id, at)).await.unwrap();
    }
    let mut other = prediction("o", 9);
    other.user_id = "v".to_owned();
    store.insert_prediction(other).await.unwrap();
    let first = store.list_predictions(own(), 2, "").await.unwrap();
    let ids: Vec<&str> = first.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["b", "a"]);
    let rest = store.list_predictions(own(), 2, &first.next).await.unwrap();
    assert_eq!((rest.rows[0].id.as_str(), rest.next.as_str()), ("z", ""));
}

pub(super) async fn costs_are_summed_by_the_database(store: Store) {
    let nothing = store.total_costs(own()).await.unwrap();
    assert_eq!(nothing, CostTotals::default());
    for (id, provider, model, cost, tokens) in [
        ("1", "openai", "m1", Some(1.0), Some(10)),
        ("2", "openai", "m2", Some(0.5), None),
        ("3", "gemini", "m1", None, Some(5)),
    ] {
        let row = PredictionRow {
            provider: provider.to_owned(),
            model: model.to_owned(),
            cost,
            input_tokens: tokens,
            total_tokens: tokens,
            ..prediction(id, 1)
        };
        store.insert_prediction(row).await.unwrap();
    }
    let total = store.total_costs(own()).await.unwrap();
    assert_eq!(
        (
            total.cost,
            total.input_tokens,
            total.output_tokens,
            total.calls
        ),
        (1.5, 15, 0, 3)
    );
    let of_model = PredictionFilter {
        model: Some("m1".to_owned()),
        ..own()
    };
    let m1 = store.total_costs(of_model.clone()).await.unwrap();
    assert_eq!((m1.cost, m1.total_tokens, m1.calls), (1.0, 15, 2));
    let by_provider = store.costs_by_provider(own()).await.unwrap();
    let shown: Vec<_> = by_provider
        .iter()
        .map(|t| (t.provider.as_deref(), t.cost, t.calls))
        .collect();
    assert_eq!(shown, [(Some("openai"), 1.5, 2), (Some("gemini"), 0.0, 1)]);
    let by_model = store.costs_by_model(own()).await.unwrap();
    let shown: Vec<_> = by_model
        .iter()
        .map(|t| (t.provider.as_deref(), t.model.as_deref(), t.calls))
        .collect();
    let expected = [
        (Some("openai"), Some("m1"), 1),
        (Some("openai"), Some("m2"), 1),
        (Some("gemini"), Some("m1"), 1),
    ];
    assert_eq!(shown, expected);
    assert_eq!(store.costs_by_model(of_model).await.unwrap().len(), 2);
}
