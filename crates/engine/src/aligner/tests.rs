//! The batching rules as tables, and as properties over any order of arrival.

use proptest::prelude::*;

use super::*;

fn run(sync: SyncMode, sticky: &[bool], items: &[(u16, i64)]) -> Vec<Vec<Option<i64>>> {
    let rules: Vec<HandleRule> = sticky
        .iter()
        .map(|&sticky| HandleRule {
            sticky,
            ..HandleRule::default()
        })
        .collect();
    let mut a = Aligner::new(sync, &rules);
    let mut out = Vec::new();
    for &(h, v) in items {
        a.push(h, 0, Value::Int(v));
        while let Some(b) = a.next_batch() {
            out.push(
                b.iter()
                    .map(|v| v.as_ref().and_then(Value::as_i64))
                    .collect(),
            );
        }
    }
    out
}

fn pairs(sync: SyncMode, sticky: &[bool], items: &[(u16, i64)]) -> Vec<(i64, i64)> {
    run(sync, sticky, items)
        .into_iter()
        .map(|b| (b[0].unwrap(), b[1].unwrap()))
        .collect()
}

const ANY: SyncMode = SyncMode::OnAny;
const ZIP: SyncMode = SyncMode::ZipAll;

#[test]
fn case_21_on_any_runs_on_every_item_once_complete() {
    let got = pairs(
        ANY,
        &[false, false],
        &[(0, 1), (1, 10), (0, 2), (1, 20), (0, 3)],
    );
    assert_eq!(got, [(1, 10), (2, 10), (2, 20), (3, 20)]);
}

#[test]
fn case_22_on_any_overwrites_until_complete() {
    assert_eq!(
        pairs(ANY, &[false, false], &[(0, 1), (0, 2), (1, 10), (1, 20)]),
        [(2, 10), (2, 20)]
    );
}

#[test]
fn case_23_on_any_with_one_constant_input() {
    assert_eq!(
        pairs(ANY, &[false, true], &[(1, 100), (0, 1), (0, 2), (0, 3)]),
        [(1, 100), (2, 100), (3, 100)]
    );
}

#[test]
fn case_24_on_any_without_an_item_on_one_handle_never_runs() {
    assert!(run(ANY, &[false, false], &[(0, 1)]).is_empty());
}

#[test]
fn case_25_zip_pairs_in_order() {
    assert_eq!(
        pairs(ZIP, &[false, false], &[(0, 1), (1, 10), (0, 2), (1, 20)]),
        [(1, 10), (2, 20)]
    );
}

#[test]
fn case_26_zip_leaves_the_longer_tail() {
    assert_eq!(
        pairs(
            ZIP,
            &[false, false],
            &[(0, 1), (0, 2), (1, 10), (1, 20), (1, 30)]
        )
        .len(),
        2
    );
}

#[test]
fn case_27_zip_repeats_a_sticky_item() {
    assert_eq!(
        pairs(ZIP, &[true, false], &[(0, 1), (1, 10), (1, 20), (1, 30)]),
        [(1, 10), (1, 20), (1, 30)]
    );
}

#[test]
fn case_28_zip_uses_up_sticky_items_before_it_repeats_the_last() {
    assert_eq!(
        pairs(
            ZIP,
            &[true, false],
            &[(0, 1), (0, 2), (1, 10), (1, 20), (1, 30)]
        ),
        [(1, 10), (2, 20), (2, 30)]
    );
}

#[test]
fn case_29_zip_with_sticky_handles_only_runs_on_every_new_item() {
    assert_eq!(
        pairs(ZIP, &[true, true], &[(0, 1), (1, 10), (0, 2)]),
        [(1, 10), (2, 10)]
    );
}

#[test]
fn a_sticky_null_is_remembered() {
    let rules = [
        HandleRule {
            sticky: true,
            ..HandleRule::default()
        },
        HandleRule::default(),
    ];
    let mut a = Aligner::new(ZIP, &rules);
    a.push(0, 0, Value::Null);
    a.push(1, 0, Value::Int(1));
    assert!(a.next_batch().is_some());
    a.push(1, 0, Value::Int(2));
    assert_eq!(a.next_batch().unwrap()[0], Some(Value::Null));
}

#[test]
fn gathered_lists_are_in_edge_order_and_splice_lists_of_list_slots_only() {
    let rules = [
        HandleRule {
            list: true,
            ..HandleRule::default()
        },
        HandleRule::default(),
    ];
    let mut a = Aligner::new(ANY, &rules);
    let list = Value::list([Value::Int(1), Value::Int(2)]);
    a.push(0, 1, Value::Int(3));
    a.push(0, 0, list.clone());
    a.push(1, 0, Value::Int(10));
    a.push(0, 2, list.clone());
    assert!(a.next_batch().is_none());
    let batch = a.finish(|_, edge| edge == 0).unwrap();
    assert_eq!(
        batch[0],
        Some(Value::list([
            Value::Int(1),
            Value::Int(2),
            Value::Int(3),
            list
        ]))
    );
    assert_eq!(batch[1], Some(Value::Int(10)));
}

#[test]
fn a_full_zip_queue_stops_asking_for_more_until_it_is_used() {
    let mut a = Aligner::new(ZIP, &[HandleRule::default(); 2]);
    for i in 0..ZIP_QUEUE {
        assert!(a.wants().includes(0));
        a.push(0, 0, Value::Int(i as i64));
    }
    assert!(!a.wants().includes(0));
    a.push(1, 0, Value::Int(0));
    assert!(a.next_batch().is_some());
    assert!(a.wants().includes(0));
}

proptest! {
    #[test]
    fn zip_loses_no_item_that_has_a_partner_and_keeps_order(items in prop::collection::vec((0u16..3, any::<i64>()), 0..60)) {
        let got = run(ZIP, &[false, false, false], &items);
        let by_handle: Vec<Vec<i64>> = (0..3).map(|h| items.iter().filter(|(k, _)| *k == h).map(|(_, v)| *v).collect()).collect();
        let n = by_handle.iter().map(Vec::len).min().unwrap_or(0);
        prop_assert_eq!(got.len(), n);
        for (i, batch) in got.iter().enumerate() {
            for h in 0..3 {
                prop_assert_eq!(batch[h], Some(by_handle[h][i]));
            }
        }
    }

    #[test]
    fn on_any_runs_once_per_item_from_the_completing_one_with_the_latest_of_each(items in prop::collection::vec((0u16..3, any::<i64>()), 0..60)) {
        let got = run(ANY, &[false; 3], &items);
        let mut latest = [None; 3];
        let mut want = Vec::new();
        for (h, v) in items {
            latest[usize::from(h)] = Some(v);
            if latest.iter().all(Option::is_some) {
                want.push(latest.to_vec());
            }
        }
        prop_assert_eq!(got, want);
    }
}
