//! From a value to bytes.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::PackError;

/// Levels that are written; values made by nodes may be deeper than messages may come in.
const MAX_WRITTEN: usize = 512;
/// Largest whole number a float holds exactly.
const EXACT: u128 = 1 << 53;

/// Writes one message.
///
/// # Errors
/// When a value nests too deeply or refuses to be written.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, PackError> {
    let mut writer = Writer {
        out: Vec::with_capacity(256),
        depth: 0,
    };
    value.serialize(&mut writer)?;
    Ok(writer.out)
}

/// Writes one object with more entries after its own.
///
/// # Errors
/// As [`to_vec`]; and when the value is no object.
pub fn to_vec_with<T: Serialize + ?Sized, V: Serialize>(
    value: &T,
    more: &[(&str, V)],
) -> Result<Vec<u8>, PackError> {
    let packed = to_vec(value)?;
    let (len, head) = match packed.first() {
        Some(head @ 0x80..=0x8f) => (usize::from(head & 0x0f), 1),
        Some(0xde) => (usize::from(packed[1]) << 8 | usize::from(packed[2]), 3),
        _ => return Err(PackError::Custom("expected an object of few keys".into())),
    };
    let mut writer = Writer {
        out: Vec::with_capacity(packed.len() + 24 * more.len()),
        depth: 1,
    };
    writer.map(len + more.len());
    writer.out.extend_from_slice(&packed[head..]);
    for (key, value) in more {
        writer.text(key);
        value.serialize(&mut writer)?;
    }
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    depth: usize,
}

impl Writer {
    fn head(&mut self, code: u8, bytes: &[u8]) {
        self.out.push(code);
        self.out.extend_from_slice(bytes);
    }

    /// A length in the smallest of a form's widths; `small` holds lengths below its limit in the head itself.
    fn len(&mut self, len: usize, small: Option<(u8, usize)>, one: Option<u8>, two: u8, four: u8) {
        match (small, one) {
            (Some((head, limit)), _) if len < limit => self.out.push(head | len as u8),
            (_, Some(one)) if len <= 0xff => self.head(one, &[len as u8]),
            _ if len <= 0xffff => self.head(two, &(len as u16).to_be_bytes()),
            // More than four gigabytes of one thing does not come about.
            _ => self.head(four, &(len as u32).to_be_bytes()),
        }
    }

    fn text(&mut self, text: &str) {
        self.len(text.len(), Some((0xa0, 32)), Some(0xd9), 0xda, 0xdb);
        self.out.extend_from_slice(text.as_bytes());
    }

    fn list(&mut self, len: usize) {
        self.len(len, Some((0x90, 16)), None, 0xdc, 0xdd);
    }

    fn map(&mut self, len: usize) {
        self.len(len, Some((0x80, 16)), None, 0xde, 0xdf);
    }

    fn unsigned(&mut self, n: u64) {
        match n {
            0..=0x7f => self.out.push(n as u8),
            0x80..=0xff => self.head(0xcc, &[n as u8]),
            0x100..=0xffff => self.head(0xcd, &(n as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.head(0xce, &(n as u32).to_be_bytes()),
            _ => self.large(i128::from(n)),
        }
    }

    fn signed(&mut self, n: i64) {
        match n {
            0.. => self.unsigned(n.cast_unsigned()),
            -32..0 => self.out.push((n as i8).cast_unsigned()),
            -128..-32 => self.head(0xd0, &(n as i8).to_be_bytes()),
            -32768..-128 => self.head(0xd1, &(n as i16).to_be_bytes()),
            -0x8000_0000..-32768 => self.head(0xd2, &(n as i32).to_be_bytes()),
            _ => self.large(i128::from(n)),
        }
    }

    /// A whole number beyond 32 bits: a float as long as that is exact, else text.
    fn large(&mut self, n: i128) {
        if n.unsigned_abs() <= EXACT {
            self.float(n as f64);
        } else {
            self.text(&n.to_string());
        }
    }

    fn float(&mut self, n: f64) {
        self.head(0xcb, &n.to_be_bytes());
    }

    fn open(&mut self, object: bool, len: Option<usize>) -> Result<Parts<'_>, PackError> {
        self.depth += 1;
        if self.depth > MAX_WRITTEN {
            return Err(PackError::TooDeep);
        }
        let start = self.out.len();
        if let Some(len) = len {
            if object {
                self.map(len);
            } else {
                self.list(len);
            }
        }
        Ok(Parts {
            writer: self,
            object,
            declared: len,
            start,
            count: 0,
            levels: 1,
        })
    }

    /// An enum's variant with content: an object of one key.
    fn variant(&mut self, name: &str, object: bool, len: usize) -> Result<Parts<'_>, PackError> {
        self.map(1);
        self.text(name);
        self.depth += 1;
        let mut parts = self.open(object, Some(len))?;
        parts.levels = 2;
        Ok(parts)
    }
}

/// A list or object under construction.
struct Parts<'w> {
    writer: &'w mut Writer,
    object: bool,
    declared: Option<usize>,
    start: usize,
    count: usize,
    levels: usize,
}

impl Parts<'_> {
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PackError> {
        self.count += 1;
        value.serialize(&mut *self.writer)
    }

    fn entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), PackError> {
        self.writer.text(key);
        self.part(value)
    }

    fn finish(self) -> Result<(), PackError> {
        self.writer.depth -= self.levels;
        match self.declared {
            Some(len) if len == self.count => {}
            Some(len) => {
                let text = format!("{} of {len} announced values were written", self.count);
                return Err(PackError::Custom(text));
            }
            None => {
                // Its length was not known before: the head goes in front of what is written already.
                let mut head = Writer {
                    out: Vec::new(),
                    depth: 0,
                };
                if self.object {
                    head.map(self.count);
                } else {
                    head.list(self.count);
                }
                self.writer.out.splice(self.start..self.start, head.out);
            }
        }
        Ok(())
    }
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = PackError;
    type SerializeSeq = Parts<'w>;
    type SerializeTuple = Parts<'w>;
    type SerializeTupleStruct = Parts<'w>;
    type SerializeTupleVariant = Parts<'w>;
    type SerializeMap = Parts<'w>;
    type SerializeStruct = Parts<'w>;
    type SerializeStructVariant = Parts<'w>;

    fn is_human_readable(&self) -> bool {
        false
    }
    fn serialize_bool(self, v: bool) -> Result<(), PackError> {
        self.out.push(0xc2 | u8::from(v));
        Ok(())
    }
    fn serialize_i8(self, v: i8) -> Result<(), PackError> {
        self.serialize_i64(i64::from(v))
    }
    fn serialize_i16(self, v: i16) -> Result<(), PackError> {
        self.serialize_i64(i64::from(v))
    }
    fn serialize_i32(self, v: i32) -> Result<(), PackError> {
        self.serialize_i64(i64::from(v))
    }
    fn serialize_i64(self, v: i64) -> Result<(), PackError> {
        self.signed(v);
        Ok(())
    }
    fn serialize_i128(self, v: i128) -> Result<(), PackError> {
        match i64::try_from(v) {
            Ok(v) => self.signed(v),
            Err(_) => self.large(v),
        }
        Ok(())
    }
    fn serialize_u8(self, v: u8) -> Result<(), PackError> {
        self.serialize_u64(u64::from(v))
    }
    fn serialize_u16(self, v: u16) -> Result<(), PackError> {
        self.serialize_u64(u64::from(v))
    }
    fn serialize_u32(self, v: u32) -> Result<(), PackError> {
        self.serialize_u64(u64::from(v))
    }
    fn serialize_u64(self, v: u64) -> Result<(), PackError> {
        self.unsigned(v);
        Ok(())
    }
    fn serialize_u128(self, v: u128) -> Result<(), PackError> {
        match i128::try_from(v) {
            Ok(v) => self.serialize_i128(v),
            Err(_) => {
                self.text(&v.to_string());
                Ok(())
            }
        }
    }
    fn serialize_f32(self, v: f32) -> Result<(), PackError> {
        self.serialize_f64(f64::from(v))
    }
    fn serialize_f64(self, v: f64) -> Result<(), PackError> {
        self.float(v);
        Ok(())
    }
    fn serialize_char(self, v: char) -> Result<(), PackError> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, v: &str) -> Result<(), PackError> {
        self.text(v);
        Ok(())
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<(), PackError> {
        self.len(v.len(), None, Some(0xc4), 0xc5, 0xc6);
        self.out.extend_from_slice(v);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), PackError> {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), PackError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), PackError> {
        self.out.push(0xc0);
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), PackError> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), PackError> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), PackError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), PackError> {
        let mut parts = self.open(true, Some(1))?;
        parts.entry(variant, value)?;
        parts.finish()
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'w>, PackError> {
        self.open(false, len)
    }
    fn serialize_tuple(self, len: usize) -> Result<Parts<'w>, PackError> {
        self.open(false, Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Parts<'w>, PackError> {
        self.open(false, Some(len))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'w>, PackError> {
        self.variant(variant, false, len)
    }
    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'w>, PackError> {
        self.open(true, len)
    }
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Parts<'w>, PackError> {
        self.open(true, Some(len))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'w>, PackError> {
        self.variant(variant, true, len)
    }
}

impl SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = PackError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PackError> {
        self.part(value)
    }
    fn end(self) -> Result<(), PackError> {
        self.finish()
    }
}

impl SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = PackError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PackError> {
        self.part(value)
    }
    fn end(self) -> Result<(), PackError> {
        self.finish()
    }
}

impl SerializeTupleStruct for Parts<'_> {
    type Ok = ();
    type Error = PackError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PackError> {
        self.part(value)
    }
    fn end(self) -> Result<(), PackError> {
        self.finish()
    }
}

impl SerializeTupleVariant for Parts<'_> {
    type Ok = ();
    type Error = PackError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PackError> {
        self.part(value)
    }
    fn end(self) -> Result<(), PackError> {
        self.finish()
    }
}

impl SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = PackError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), PackError> {
        key.serialize(&mut *self.writer)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PackError> {
        self.part(value)
    }
    fn end(self) -> Result<(), PackError> {
        self.finish()
    }
}

impl SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = PackError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), PackError> {
        self.entry(key, value)
    }
    fn end(self) -> Result<(), PackError> {
        self.finish()
    }
}

impl SerializeStructVariant for Parts<'_> {
    type Ok = ();
    type Error = PackError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), PackError> {
        self.entry(key, value)
    }
    fn end(self) -> Result<(), PackError> {
        self.finish()
    }
}
