//! Round trips of values through both codecs.

use proptest::prelude::*;

use super::*;

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>()
            .prop_filter("JSON has finite numbers only", |f| f.is_finite())
            .prop_map(Value::Float),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..6).prop_map(Value::map),
        ]
    })
}

proptest! {
    #[test]
    fn json_round_trip_keeps_every_value(v in any_value()) {
        let text = serde_json::to_string(&v).unwrap();
        let back: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back, v);
    }

    #[test]
    fn msgpack_round_trip_keeps_every_value(v in any_value()) {
        let bytes = rmp_serde::to_vec_named(&v).unwrap();
        let back: Value = rmp_serde::from_slice(&bytes).unwrap();
        prop_assert_eq!(back, v);
    }
}

#[test]
fn integers_are_exact_and_too_large_ones_become_floats() {
    let v: Value =
        serde_json::from_str("[9007199254740993, 9223372036854775807, 9223372036854775808]")
            .unwrap();
    assert_eq!(
        v.as_list().unwrap()[0].as_i64(),
        Some(9_007_199_254_740_993)
    );
    assert_eq!(v.as_list().unwrap()[1].as_i64(), Some(i64::MAX));
    assert!(matches!(v.as_list().unwrap()[2], Value::Float(f) if f == 9_223_372_036_854_775_808.0));
}

#[test]
fn bytes_are_bin_in_msgpack_and_a_data_uri_in_json() {
    let v = Value::Bytes(Bytes::from_static(b"hi"));
    let packed = rmp_serde::to_vec_named(&v).unwrap();
    assert_eq!(packed, [0xc4, 2, b'h', b'i']);
    assert_eq!(rmp_serde::from_slice::<Value>(&packed).unwrap(), v);
    assert_eq!(
        serde_json::to_string(&v).unwrap(),
        "\"data:application/octet-stream;base64,aGk=\""
    );
}

#[test]
fn non_finite_floats_are_null_in_json_and_exact_in_msgpack() {
    let v = Value::list([Value::Float(f64::NAN), Value::Float(f64::INFINITY)]);
    assert_eq!(serde_json::to_string(&v).unwrap(), "[null,null]");
    let back: Value = rmp_serde::from_slice(&rmp_serde::to_vec_named(&v).unwrap()).unwrap();
    assert!(back.as_list().unwrap()[0].as_f64().unwrap().is_nan());
    assert_eq!(back.as_list().unwrap()[1].as_f64(), Some(f64::INFINITY));
}

#[test]
fn numbers_compare_by_value_and_booleans_are_not_numbers() {
    assert_eq!(Value::Int(7), Value::Float(7.0));
    assert_ne!(Value::Bool(true), Value::Int(1));
}

#[test]
fn clones_share_their_insides() {
    let v = Value::list((0..1000).map(Value::Int));
    let (Value::List(a), Value::List(b)) = (&v, &v.clone()) else {
        unreachable!()
    };
    assert!(Arc::ptr_eq(a, b));
}
