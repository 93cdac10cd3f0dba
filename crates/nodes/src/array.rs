//! Arrays of numbers as they travel between nodes: raw bytes, a dtype and a shape, or plain nested lists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nodetool_sdk::Value;
use nodetool_sdk::protocol::decode_data_uri;

/// Most numbers of an array.
const MAX_NUMBERS: usize = 64 << 20;
/// Lists are nested no deeper.
const MAX_AXES: usize = 16;

/// An array of numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array<T = f32> {
    /// Length of each axis.
    pub(crate) shape: Vec<usize>,
    /// The numbers, the last axis running fastest.
    pub(crate) numbers: Vec<T>,
}

impl Array<i64> {
    /// Reads an array of whole numbers, or says what is wrong with it.
    pub(crate) fn read_whole(value: &Value) -> Result<Array<i64>, String> {
        let refused = |shown: String| format!("it holds {shown} (expected whole numbers)");
        read(
            value,
            |number, bytes| match number.kind {
                'f' => {
                    let float = number.float(bytes);
                    whole(float).ok_or_else(|| refused(float.to_string()))
                }
                _ => Ok(number.whole(bytes)),
            },
            |value| {
                let number = value.as_i64().or_else(|| value.as_f64().and_then(whole));
                number.ok_or_else(|| refused(value.preview(40)))
            },
        )
    }
}

fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
}

impl Array {
    /// Reads an array, or says what is wrong with it.
    pub(crate) fn read(value: &Value) -> Result<Array, String> {
        read(
            value,
            |number, bytes| Ok(number.float(bytes) as f32),
            |value| Ok(value.as_f64().unwrap_or_default() as f32),
        )
    }

    /// The array as it travels between nodes.
    pub(crate) fn value(&self) -> Value {
        let bytes: Vec<u8> = self.numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        written("<f4", &self.shape, bytes)
    }
    /// The array as vectors: one for a flat array, one for each row of a table.
    pub(crate) fn into_vectors(self) -> Result<Vec<Vec<f32>>, String> {
        let length = match self.shape[..] {
            [_] => self.numbers.len(),
            [_, length] => length,
            _ => {
                let axes = self.shape.len();
                return Err(format!(
                    "it has {axes} axes (expected one vector or a table of them)"
                ));
            }
        };
        if length == 0 {
            return Err("it holds no numbers".into());
        }
        if self.numbers.iter().any(|n| !n.is_finite()) {
            return Err("it holds numbers that are not finite".into());
        }
        Ok(self.numbers.chunks(length).map(<[f32]>::to_vec).collect())
    }
}

/// The array of whole numbers as it travels between nodes.
pub(crate) fn whole_value(shape: &[usize], numbers: &[i64]) -> Value {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    written("<i8", shape, bytes)
}

fn written(dtype: &str, shape: &[usize], bytes: Vec<u8>) -> Value {
    Value::map([
        ("type", "np_array".into()),
        ("value", Bytes::from(bytes).into()),
        ("dtype", dtype.into()),
        ("shape", Value::list(shape.iter().map(|n| Value::from(*n)))),
    ])
}

fn read<T>(
    value: &Value,
    from_bytes: impl Fn(Number, &[u8]) -> Result<T, String>,
    from_value: impl Fn(&Value) -> Result<T, String>,
) -> Result<Array<T>, String> {
    let raw = match value {
        Value::Map(map) => map.get("value").unwrap_or(&Value::Null),
        other => other,
    };
    match raw {
        Value::Null => Err("it is empty (expected an array of numbers)".into()),
        Value::List(_) => nested(raw, &from_value),
        Value::Bytes(bytes) => packed(value, bytes, from_bytes),
        Value::Str(text) => match decode_data_uri(text) {
            Some(Value::Bytes(bytes)) => packed(value, &bytes, from_bytes),
            _ => match STANDARD.decode(text.trim()) {
                Ok(bytes) => packed(value, &bytes, from_bytes),
                Err(e) => Err(format!("its text is no base64: {e}")),
            },
        },
        other => Err(format!(
            "it is {} {} (expected an array of numbers)",
            other.kind(),
            other.preview(40)
        )),
    }
}

fn too_large() -> String {
    format!("it has more than {MAX_NUMBERS} numbers")
}

/// Bytes with `dtype` and `shape`.
fn packed<T>(
    array: &Value,
    bytes: &[u8],
    read: impl Fn(Number, &[u8]) -> Result<T, String>,
) -> Result<Array<T>, String> {
    let dtype = array.get("dtype").and_then(Value::as_str);
    let dtype = dtype.unwrap_or("<i8");
    let number = Number::of(dtype).ok_or_else(|| {
        let shown: String = dtype.chars().take(40).collect();
        format!("its dtype is {shown:?} (expected floats, whole numbers or bool, such as \"<f4\")")
    })?;
    if !bytes.len().is_multiple_of(number.size) {
        let (length, size) = (bytes.len(), number.size);
        return Err(format!("its {length} bytes are no numbers of {size} bytes"));
    }
    let count = bytes.len() / number.size;
    if count > MAX_NUMBERS {
        return Err(too_large());
    }
    let axes = array.get("shape").and_then(Value::as_list);
    let axes = axes.unwrap_or_default().iter();
    let axes = axes.map(|axis| axis.as_i64().and_then(|n| usize::try_from(n).ok()));
    let shape: Option<Vec<usize>> = axes.collect();
    let shape = shape.ok_or("its shape holds something that is no length")?;
    let shape = if shape.is_empty() { vec![count] } else { shape };
    let wanted = shape
        .iter()
        .try_fold(1usize, |n, axis| n.checked_mul(*axis));
    if wanted != Some(count) {
        return Err(format!(
            "its shape {shape:?} does not fit its {count} numbers"
        ));
    }
    let numbers = bytes.chunks_exact(number.size).map(|b| read(number, b));
    Ok(Array {
        shape,
        numbers: numbers.collect::<Result<_, String>>()?,
    })
}

/// How a number lies in bytes.
#[derive(Clone, Copy, Debug)]
struct Number {
    kind: char,
    size: usize,
    big: bool,
}

impl Number {
    /// Reads `<f4`, `float32` and their like.
    fn of(dtype: &str) -> Option<Number> {
        let (big, plain) = match dtype.as_bytes().first()? {
            b'<' | b'|' | b'=' => (false, &dtype[1..]),
            b'>' => (true, &dtype[1..]),
            _ => (false, dtype),
        };
        let (kind, size) = match plain {
            "f2" | "float16" => ('f', 2),
            "f4" | "float32" | "float" => ('f', 4),
            "f8" | "float64" | "double" => ('f', 8),
            "i1" | "int8" => ('i', 1),
            "i2" | "int16" => ('i', 2),
            "i4" | "int32" => ('i', 4),
            "i8" | "int64" => ('i', 8),
            "u1" | "uint8" | "b1" | "bool" => ('u', 1),
            "u2" | "uint16" => ('u', 2),
            "u4" | "uint32" => ('u', 4),
            "u8" | "uint64" => ('u', 8),
            _ => return None,
        };
        Some(Number { kind, size, big })
    }

    /// The bits, least first.
    fn bits(self, bytes: &[u8]) -> u64 {
        let mut bits: u64 = 0;
        for (i, byte) in bytes.iter().enumerate() {
            let place = if self.big { bytes.len() - 1 - i } else { i };
            bits |= u64::from(*byte) << (8 * place);
        }
        bits
    }

    fn float(self, bytes: &[u8]) -> f64 {
        let bits = self.bits(bytes);
        match (self.kind, self.size) {
            ('f', 2) => half(bits as u16).into(),
            ('f', 4) => f32::from_bits(bits as u32).into(),
            ('f', _) => f64::from_bits(bits),
            ('u', 8) => bits as f64,
            _ => self.whole(bytes) as f64,
        }
    }

    /// Of an integer type; the largest of 64 bits wrap.
    fn whole(self, bytes: &[u8]) -> i64 {
        let bits = self.bits(bytes);
        let unused = 64 - 8 * self.size as u32;
        match self.kind {
            'i' => ((bits << unused) as i64) >> unused,
            _ => bits as i64,
        }
    }
}

/// A float of 16 bits.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1.0 + fraction / 1024.0) * 2f32.powi(e - 15),
    };
    sign * size
}

/// Lists in lists, all of one length on each axis.
fn nested<T>(
    list: &Value,
    read: &impl Fn(&Value) -> Result<T, String>,
) -> Result<Array<T>, String> {
    let mut shape = Vec::new();
    let mut level = list;
    while let Value::List(items) = level {
        if shape.len() == MAX_AXES {
            return Err(format!("it has more than {MAX_AXES} axes"));
        }
        shape.push(items.len());
        match items.first() {
            Some(first) => level = first,
            None => break,
        }
    }
    let mut numbers = Vec::new();
    gather(list, &shape, &mut numbers, read)?;
    Ok(Array { shape, numbers })
}

fn gather<T>(
    value: &Value,
    shape: &[usize],
    numbers: &mut Vec<T>,
    read: &impl Fn(&Value) -> Result<T, String>,
) -> Result<(), String> {
    match (value, shape) {
        (Value::List(items), [length, rest @ ..]) if items.len() == *length => {
            for item in items.iter() {
                gather(item, rest, numbers, read)?;
            }
            Ok(())
        }
        (Value::Int(_) | Value::Float(_), []) => {
            if numbers.len() == MAX_NUMBERS {
                return Err(too_large());
            }
            numbers.push(read(value)?);
            Ok(())
        }
        (Value::List(_), _) => Err("its lists are not of one length".into()),
        (other, _) => Err(format!(
            "it holds {} {} (expected numbers)",
            other.kind(),
            other.preview(40)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(dtype: &str, shape: &[i64], bytes: &[u8]) -> Value {
        let shape = shape.iter().map(|n| Value::from(*n));
        Value::map([
            ("type", "np_array".into()),
            ("value", Bytes::copy_from_slice(bytes).into()),
            ("dtype", dtype.into()),
            ("shape", Value::list(shape)),
        ])
    }

    #[test]
    fn numbers_are_read_as_their_dtype_says() {
        for (dtype, bytes, want) in [
            ("<f4", &1.5f32.to_le_bytes()[..], 1.5),
            (">f4", &1.5f32.to_be_bytes(), 1.5),
            ("float64", &(-2.25f64).to_le_bytes(), -2.25),
            ("<f2", &[0x00, 0x3e], 1.5),
            ("<i8", &(-7i64).to_le_bytes(), -7.0),
            ("|i1", &[0xff], -1.0),
            ("uint8", &[0xff], 255.0),
            (">u2", &[1, 0], 256.0),
        ] {
            let read = Array::read(&array(dtype, &[1], bytes)).unwrap();
            assert_eq!(read.numbers, [want], "{dtype}");
        }
    }

    #[test]
    fn tables_become_vectors_and_so_do_plain_lists() {
        let bytes: Vec<u8> = [1f32, 2.0, 3.0, 4.0]
            .iter()
            .flat_map(|f| f.to_le_bytes())
            .collect();
        let table = Array::read(&array("<f4", &[2, 2], &bytes)).unwrap();
        let want = vec![vec![1.0, 2.0], vec![3.0, 4.0]];
        assert_eq!(table.into_vectors(), Ok(want.clone()));
        let list: Value = serde_json::from_str("[[1,2.0],[3,4]]").unwrap();
        assert_eq!(Array::read(&list).unwrap().into_vectors(), Ok(want));
    }

    #[test]
    fn whole_numbers_keep_their_digits() {
        let large = (1i64 << 53) + 1;
        let read = Array::read_whole(&array("<i8", &[1], &large.to_le_bytes()));
        assert_eq!(read.unwrap().numbers, [large]);
        let read = Array::read_whole(&array("<f8", &[1], &3f64.to_le_bytes()));
        assert_eq!(read.unwrap().numbers, [3]);
        let refused = Array::read_whole(&array("<f4", &[1], &0.5f32.to_le_bytes()));
        assert!(refused.unwrap_err().contains("holds 0.5"));
        let back = whole_value(&[2], &[-1, large]);
        assert_eq!(Array::read_whole(&back).unwrap().numbers, [-1, large]);
    }

    #[test]
    fn what_is_no_array_says_why() {
        let list = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (value, said) in [
            (
                array("<f4", &[3], &[0; 8]),
                "shape [3] does not fit its 2 numbers",
            ),
            (array("<f4", &[-1], &[0; 4]), "no length"),
            (array("<U5", &[1], &[0; 4]), "its dtype is \"<U5\""),
            (array("<f4", &[1], &[0; 3]), "no numbers of 4 bytes"),
            (Value::Null, "it is empty"),
            (list("[[1],[2,3]]"), "not of one length"),
            (list("[[1],2]"), "holds int 2"),
            (list("[\"a\"]"), "holds str"),
            (Value::map([("value", "%%%".into())]), "no base64"),
        ] {
            let refused = Array::read(&value).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
        let cube = Array::read(&list("[[[1]]]")).unwrap().into_vectors();
        assert!(cube.unwrap_err().contains("3 axes"));
        assert!(Array::read(&list("[[]]")).unwrap().into_vectors().is_err());
    }
}
