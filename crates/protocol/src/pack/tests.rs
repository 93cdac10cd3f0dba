use proptest::prelude::*;
use serde::Serialize;

use super::*;
use crate::value::{Map, Value};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    let text: Vec<u8> = text.bytes().filter(|b| *b != b' ').collect();
    text.chunks(2)
        .map(|p| digit(p[0]) << 4 | digit(p[1]))
        .collect()
}

#[track_caller]
fn packs(value: impl Serialize, wanted: &str) {
    assert_eq!(hex(&to_vec(&value).unwrap()), wanted);
}

const GOLDEN: &str = "de0003a7636f6d6d616e64b06765745f6361706162696c6974696573aa726571756573745f6964bb73646b2d676f6c64656e2d6765745f6361706162696c6974696573a464617461de0000";

#[test]
fn the_golden_frame_is_read_in_spite_of_its_wide_heads() {
    let value = from_slice(&unhex(GOLDEN)).unwrap();
    let wanted = Value::map([
        ("command", Value::from("get_capabilities")),
        ("request_id", "sdk-golden-get_capabilities".into()),
        ("data", Map::new().into()),
    ]);
    assert_eq!(value, wanted);
    // The same with the smallest heads.
    let packed = hex(&to_vec(&value).unwrap());
    assert_eq!(
        packed,
        GOLDEN
            .replacen("de0003", "83", 1)
            .replacen("de0000", "80", 1)
    );
}

#[test]
fn whole_numbers_take_the_smallest_form_that_scripts_can_hold() {
    packs(0, "00");
    packs(127, "7f");
    packs(128, "cc80");
    packs(255, "ccff");
    packs(256, "cd0100");
    packs(65_536, "ce00010000");
    packs(4_294_967_295u64, "ceffffffff");
    packs(-1, "ff");
    packs(-32, "e0");
    packs(-33, "d0df");
    packs(-129, "d1ff7f");
    packs(-32_769, "d2ffff7fff");
    packs(-2_147_483_648i64, "d280000000");
    packs(4_294_967_296u64, "cb41f0000000000000");
    packs(-2_147_483_649i64, "cbc1e0000000200000");
    packs(1u64 << 53, "cb4340000000000000");
    packs((1i64 << 53) + 1, "b039303037313939323534373430393933");
    packs(u64::MAX, "b43138343436373434303733373039353531363135");
    packs(
        u128::from(u64::MAX),
        "b43138343436373434303733373039353531363135",
    );
}

#[test]
fn each_shape_has_its_form() {
    #[derive(Serialize)]
    struct Shapes<'a> {
        text: &'a str,
        none: Option<u8>,
        yes: bool,
        float: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        gone: Option<u8>,
    }
    let shapes = Shapes {
        text: "é",
        none: None,
        yes: true,
        float: 1.0,
        gone: None,
    };
    packs(
        shapes,
        "84a474657874a2c3a9a46e6f6e65c0a3796573c3a5666c6f6174cb3ff0000000000000",
    );
    packs(Value::Bytes(vec![1, 2].into()), "c4020102");
    packs(Value::list([1i64.into(), Value::Null]), "9201c0");
    packs((1, "a"), "9201a161");
    packs('a', "a161");
    packs(f64::NAN, "cb7ff8000000000000");
    #[derive(Serialize)]
    enum Words {
        Bare,
        One(u8),
        Two(u8, u8),
        Named { a: u8 },
    }
    packs(Words::Bare, "a442617265");
    packs(Words::One(1), "81a34f6e6501");
    packs(Words::Two(1, 2), "81a354776f920102");
    packs(Words::Named { a: 1 }, "81a54e616d656481a16101");
}

#[test]
fn an_object_of_unknown_length_gets_its_head_afterwards() {
    #[derive(Serialize)]
    struct Outer {
        a: u8,
        #[serde(flatten)]
        rest: Map,
    }
    let outer = |n: usize| Outer {
        a: 1,
        rest: (0..n)
            .map(|i| (i.to_string().into(), Value::Null))
            .collect(),
    };
    packs(outer(1), "82a16101a130c0");
    let packed = to_vec(&outer(20)).unwrap();
    assert_eq!(hex(&packed[..5]), "de0015a161");
    assert_eq!(from_slice(&packed).unwrap().as_map().unwrap().len(), 21);
}

#[test]
fn entries_can_be_added_to_an_object() {
    let many: Map = (0..15)
        .map(|i| (i.to_string().into(), Value::Null))
        .collect();
    for (map, len) in [(Map::new(), 2), (many, 17)] {
        let packed = to_vec_with(&Value::from(map), &[("x", 1), ("y", 2)]).unwrap();
        let map = from_slice(&packed).unwrap();
        assert_eq!(map.as_map().unwrap().len(), len);
        assert_eq!(map.get("y"), Some(&Value::Int(2)));
    }
    assert!(to_vec_with(&1, &[("x", 1)]).is_err());
}

#[test]
fn what_old_and_odd_writers_send_is_read() {
    let read = |text: &str| from_slice(&unhex(text)).unwrap();
    assert!(read("d40000").is_null(), "undefined");
    assert!(read("c70000").is_null());
    assert_eq!(read("82 a161 d40000 a162 01").get("a"), Some(&Value::Null));
    assert!(matches!(read("a2ffff"), Value::Bytes(b) if b[..] == [0xff, 0xff]));
    assert!(matches!(read("cb4008000000000000"), Value::Float(f) if f == 3.0));
    assert_eq!(read("81 05 01").get("5"), Some(&Value::Int(1)));
    assert_eq!(read("81 ff 01").get("-1"), Some(&Value::Int(1)));
    assert_eq!(
        read("df00000001 db00000001 61 dd00000000").get("a"),
        Some(&Value::list([]))
    );
    assert!(
        matches!(read("cf8000000000000000"), Value::Float(f) if f == 9_223_372_036_854_775_808.0)
    );
    assert!(matches!(read("ca3fc00000"), Value::Float(f) if f == 1.5));
    assert_eq!(read("d080"), Value::Int(-128));
    assert_eq!(read("d3ffffffffffffffff"), Value::Int(-1));
}

#[test]
fn timestamps_become_iso_text() {
    let read = |text: &str| from_slice(&unhex(text));
    let text = |hex: &str| read(hex).unwrap().as_str().unwrap().to_owned();
    assert_eq!(text("d6ff 00000000"), "1970-01-01T00:00:00+00:00");
    assert_eq!(text("d6ff 65e0abc0"), "2024-02-29T16:07:28+00:00");
    assert_eq!(
        text("d7ff 1dcd6500 00000001"),
        "1970-01-01T00:00:01.125000+00:00"
    );
    assert_eq!(
        text("c70cff 00000000 ffffffffffffffff"),
        "1969-12-31T23:59:59+00:00"
    );
    assert_eq!(
        text("c70cff 00000000 0000003afff4417f"),
        "9999-12-31T23:59:59+00:00"
    );
    assert!(read("c70cff 00000000 0000003afff44180").is_err());
    assert!(read("c70cff 3b9aca00 0000000000000000").is_err());
    assert!(read("d4ff00").is_err());
}

#[test]
fn what_is_no_message_is_refused() {
    for text in [
        "",
        "c1",
        "a5",
        "91",
        "81",
        "81a161",
        "dd00ffffff",
        "dfffffffff",
        "c6ffffffff",
        "db7fffffff",
        "d47200",
        "d40100",
        "0000",
        "81c001",
        "819001",
        "81a1ff01",
        "81cb000000000000000001",
        "c7ff",
    ] {
        assert!(from_slice(&unhex(text)).is_err(), "{text}");
    }
    let error = from_slice(&unhex("93c0c0")).unwrap_err().to_string();
    assert!(error.contains("ends where"), "{error}");
    let nested = |n: usize| [vec![0x91; n], vec![0xc0]].concat();
    assert!(from_slice(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(from_slice(&nested(MAX_DEPTH + 1)), Err(PackError::TooDeep));
    assert_eq!(from_slice(&nested(1 << 20)), Err(PackError::TooDeep));
    let many = MAX_VALUES as u32;
    let list = [
        vec![0xdd],
        many.to_be_bytes().to_vec(),
        vec![0xc0; MAX_VALUES],
    ]
    .concat();
    assert_eq!(from_slice(&list), Err(PackError::TooMany));
}

#[test]
fn a_value_without_end_is_refused() {
    let deep = (0..2000).fold(Value::Null, |v, _| Value::list([v]));
    assert_eq!(to_vec(&deep), Err(PackError::TooDeep));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-0x8000_0000i64..=0xffff_ffff).prop_map(Value::Int),
        (-1000i64..1000).prop_map(Value::Int),
        any::<f64>()
            .prop_filter("no NaN", |f| !f.is_nan())
            .prop_map(Value::Float),
        ".{0,40}".prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(|b| Value::Bytes(b.into())),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            proptest::collection::vec((".{0,5}", inner), 0..20).prop_map(Value::map),
        ]
    })
}

/// Equality that tells whole numbers from floats, too.
fn same(a: &Value, b: &Value) -> bool {
    format!("{a:?}") == format!("{b:?}") && a == b
}

/// Heads that announce far more than follows, at the end of so many levels.
fn promises() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        Just(vec![0xdd]), // list
        Just(vec![0xdf]), // object
        Just(vec![0xdb]), // text
        Just(vec![0xc6]), // bytes
        Just(vec![0xc9]), // extension
    ];
    let length = prop_oneof![Just(u32::MAX), Just(u32::MAX / 2), 1_000_000u32..];
    let around = proptest::collection::vec(
        prop_oneof![Just(vec![0x91]), Just(vec![0x81, 0xa1, b'k'])],
        0..MAX_DEPTH,
    );
    let rest = proptest::collection::vec(any::<u8>(), 0..64);
    (around, head, length, rest).prop_map(|(around, head, length, rest)| {
        [around.concat(), head, length.to_be_bytes().to_vec(), rest].concat()
    })
}

proptest! {
    #[test]
    fn a_length_that_is_not_there_is_refused_without_room_being_made_for_it(bytes in promises()) {
        // Were room made for what is announced, a single case would take gigabytes.
        let refused = from_slice(&bytes);
        prop_assert!(matches!(refused, Err(PackError::Short { .. } | PackError::TooDeep)), "{refused:?}");
    }

    #[test]
    fn levels_alone_decide_what_is_too_deep(levels in 1usize..1000, objects in any::<bool>()) {
        let open: &[u8] = if objects { &[0x81, 0xa1, b'k'] } else { &[0x91] };
        let refused = from_slice(&[open.repeat(levels), vec![0xc0]].concat());
        if levels > MAX_DEPTH {
            prop_assert_eq!(refused, Err(PackError::TooDeep));
        } else {
            prop_assert!(refused.is_ok());
        }
    }

    #[test]
    fn what_is_written_is_read_again(value in values()) {
        let packed = to_vec(&value).unwrap();
        let again = from_slice(&packed).unwrap();
        prop_assert!(same(&again, &value), "{again:?}");
        // Another reader agrees.
        let other: Value = rmp_serde::from_slice(&packed).unwrap();
        prop_assert!(same(&other, &value), "{other:?}");
    }

    #[test]
    fn every_whole_number_survives_as_a_number_or_its_text(n in any::<i64>()) {
        let read = from_slice(&to_vec(&n).unwrap()).unwrap();
        let exact = match &read {
            Value::Int(i) => (-0x8000_0000..=0xffff_ffff).contains(&n) && *i == n,
            Value::Float(f) => n.unsigned_abs() <= 1 << 53 && *f as i64 == n,
            Value::Str(s) => n.unsigned_abs() > 1 << 53 && **s == *n.to_string(),
            _ => false,
        };
        prop_assert!(exact, "{read:?}");
    }

    #[test]
    fn what_another_writer_writes_is_read(value in values()) {
        let again = from_slice(&rmp_serde::to_vec(&value).unwrap()).unwrap();
        prop_assert_eq!(again, value);
    }

    #[test]
    fn garbage_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = from_slice(&bytes) {
            to_vec(&value).unwrap();
        }
    }

    #[test]
    fn a_message_with_a_wrong_byte_is_read_or_refused(
        value in values(), at in any::<proptest::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut packed = to_vec(&value).unwrap();
        let at = at.index(packed.len());
        packed[at] = byte;
        let _ = from_slice(&packed);
        let _ = from_slice(&packed[..at]);
    }
}
