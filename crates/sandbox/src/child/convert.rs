//! Values between the interpreter and the wire.
//!
//! It must not know what values are for. Numbers without a fraction become integers, integers a number cannot hold
//! become BigInts; bytes are `Uint8Array`s; dates are ISO text; functions and symbols are nothing, as in JSON.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_protocol::{Map, Value};
use rquickjs::object::{Filter, Property};
use rquickjs::{
    Array, Atom, BigInt, Ctx, Exception, Function, IntoJs, Null, Object, Persistent,
    String as JsString, TypedArray, Value as Js,
};

use super::super::wire::MAX_DEPTH;
use super::engine::{self, Caught, Engine, Thrown};

/// The largest integer a JavaScript number holds exactly.
const MAX_SAFE: i64 = (1 << 53) - 1;
const SOURCE: &str = include_str!("js/convert.js");

/// The interpreter's own helpers for conversion, fetched before any script ran.
#[derive(Clone)]
pub(super) struct Helpers {
    classify: Persistent<Function<'static>>,
    well_formed: Persistent<Function<'static>>,
    plain: Persistent<Object<'static>>,
}

impl Helpers {
    pub(super) fn load(engine: &Engine) -> Result<Self, super::Fault> {
        engine.enter(|ctx| {
            let (classify, well_formed, plain): (Function, Function, Object) =
                engine::own::<Array>(ctx, SOURCE)
                    .and_then(|parts| Ok((parts.get(0)?, parts.get(1)?, parts.get(2)?)))
                    .caught(ctx)?;
            Ok(Self {
                classify: Persistent::save(ctx, classify),
                well_formed: Persistent::save(ctx, well_formed),
                plain: Persistent::save(ctx, plain),
            })
        })
    }

    /// A converter out of the interpreter that lets so many bytes pass.
    pub(super) fn reader<'js>(&self, ctx: &Ctx<'js>, bytes: u64) -> Result<Reader<'js>, Thrown> {
        Ok(Reader {
            ctx: ctx.clone(),
            classify: self.classify.clone().restore(ctx).caught(ctx)?,
            well_formed: self.well_formed.clone().restore(ctx).caught(ctx)?,
            plain: self.plain.clone().restore(ctx).caught(ctx)?,
            left: bytes,
        })
    }
}

/// Converts out of the interpreter, within a budget.
pub(super) struct Reader<'js> {
    ctx: Ctx<'js>,
    classify: Function<'js>,
    well_formed: Function<'js>,
    plain: Object<'js>,
    left: u64,
}

impl<'js> Reader<'js> {
    /// The value, or nothing for undefined, a function or a symbol.
    pub(super) fn read(&mut self, value: &Js<'js>) -> Result<Value, Thrown> {
        Ok(self.walk(value, MAX_DEPTH)?.unwrap_or_default())
    }

    /// The text of a string, lone surrogates replaced.
    pub(super) fn text(&mut self, string: &JsString<'js>) -> Result<String, Thrown> {
        let text = match string.to_string() {
            Ok(text) => text,
            Err(rquickjs::Error::Utf8(_)) => self
                .well_formed
                .call::<_, JsString>((string.clone(),))
                .and_then(|s| s.to_string())
                .caught(&self.ctx)?,
            Err(error) => return Err(Thrown::catch(&self.ctx, &error)),
        };
        self.spend(text.len())?;
        Ok(text)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Thrown> {
        self.left = self.left.checked_sub(bytes as u64).ok_or(Thrown::Output)?;
        Ok(())
    }

    fn walk(&mut self, value: &Js<'js>, depth: usize) -> Result<Option<Value>, Thrown> {
        // A value costs something even when it is empty: a long list of nothing is long all the same.
        self.spend(8)?;
        if value.is_null() {
            return Ok(Some(Value::Null));
        }
        if let Some(fact) = value.as_bool() {
            return Ok(Some(Value::Bool(fact)));
        }
        if let Some(number) = value.as_int() {
            return Ok(Some(Value::Int(number.into())));
        }
        if let Some(number) = value.as_float() {
            return Ok(Some(number_value(number)));
        }
        if let Some(string) = value.as_string() {
            return Ok(Some(Value::from(self.text(string)?)));
        }
        if value.is_big_int() {
            return self.big_int(value).map(Some);
        }
        if value.is_function() || value.is_symbol() || value.is_undefined() {
            return Ok(None);
        }
        let Some(depth) = depth.checked_sub(1) else {
            let text =
                format!("The value is nested deeper than {MAX_DEPTH} levels, or contains itself.");
            return Err(Thrown::Text(text));
        };
        if let Some(array) = value.as_array() {
            return self.list(array, depth).map(Some);
        }
        let Some(object) = value.as_object() else {
            return Ok(None);
        };
        if value.is_promise() {
            return Err(Thrown::Text(
                "A promise cannot leave the script; await it.".into(),
            ));
        }
        if !value.is_proxy() && object.get_prototype().is_none_or(|own| own == self.plain) {
            return self.object(object, depth).map(Some);
        }
        let parts: Array = self.classify.call((value.clone(),)).caught(&self.ctx)?;
        let (tag, held): (String, Js) = parts
            .get(0)
            .and_then(|tag| Ok((tag, parts.get(1)?)))
            .caught(&self.ctx)?;
        match tag.as_str() {
            "bytes" => self.bytes(&held).map(Some),
            "pairs" => self.pairs(&held, depth).map(Some),
            "plain" => self.object(object, depth).map(Some),
            _ => self.walk(&held, depth),
        }
    }

    fn list(&mut self, array: &Array<'js>, depth: usize) -> Result<Value, Thrown> {
        let mut items = Vec::new();
        // Not `Array::len`, which takes only lengths below 2³¹ for possible.
        let length: f64 = array.as_object().get("length").caught(&self.ctx)?;
        for index in 0..length as usize {
            let item: Js = array.get(index).caught(&self.ctx)?;
            items.push(self.walk(&item, depth)?.unwrap_or_default());
        }
        Ok(items.into())
    }

    fn object(&mut self, object: &Object<'js>, depth: usize) -> Result<Value, Thrown> {
        let mut map = Map::new();
        for key in object.own_keys::<Atom>(Filter::new().string().enum_only()) {
            let key = key.caught(&self.ctx)?;
            let item: Js = object.get(key.clone()).caught(&self.ctx)?;
            let Some(item) = self.walk(&item, depth)? else {
                continue;
            };
            let key = key.to_js_string().caught(&self.ctx)?;
            map.insert(self.text(&key)?.into(), item);
        }
        Ok(map.into())
    }

    fn pairs(&mut self, held: &Js<'js>, depth: usize) -> Result<Value, Thrown> {
        let mut map = Map::new();
        for pair in held
            .as_array()
            .into_iter()
            .flat_map(|pairs| pairs.iter::<Array>())
        {
            let pair = pair.caught(&self.ctx)?;
            let (key, item): (JsString, Js) = pair
                .get(0)
                .and_then(|key| Ok((key, pair.get(1)?)))
                .caught(&self.ctx)?;
            if let Some(item) = self.walk(&item, depth)? {
                map.insert(self.text(&key)?.into(), item);
            }
        }
        Ok(map.into())
    }

    fn bytes(&mut self, held: &Js<'js>) -> Result<Value, Thrown> {
        let text: String = held.get().caught(&self.ctx)?;
        self.spend(text.len() / 4 * 3)?;
        let bytes = STANDARD
            .decode(text)
            .map_err(|error| Thrown::Text(error.to_string()))?;
        Ok(Value::Bytes(bytes.into()))
    }

    /// An integer when it fits, like an integer of the wire that does not: the nearest float.
    fn big_int(&mut self, value: &Js<'js>) -> Result<Value, Thrown> {
        let parts: Array = self.classify.call((value.clone(),)).caught(&self.ctx)?;
        let digits: String = parts.get(1).caught(&self.ctx)?;
        Ok(match digits.parse::<i64>() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Float(digits.parse().unwrap_or(f64::NAN)),
        })
    }
}

fn number_value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= MAX_SAFE as f64 {
        Value::Int(number as i64)
    } else {
        Value::Float(number)
    }
}

/// A value for the interpreter.
pub(super) fn write<'js>(ctx: &Ctx<'js>, value: &Value) -> rquickjs::Result<Js<'js>> {
    match value {
        Value::Null => Null.into_js(ctx),
        Value::Bool(fact) => Ok(Js::new_bool(ctx.clone(), *fact)),
        Value::Int(number) => match i32::try_from(*number) {
            Ok(small) => Ok(Js::new_int(ctx.clone(), small)),
            Err(_) if number.unsigned_abs() <= MAX_SAFE.unsigned_abs() => {
                Ok(Js::new_float(ctx.clone(), *number as f64))
            }
            Err(_) => BigInt::from_i64(ctx.clone(), *number)?.into_js(ctx),
        },
        Value::Float(number) => Ok(Js::new_float(ctx.clone(), *number)),
        Value::Str(text) => JsString::from_str(ctx.clone(), text)?.into_js(ctx),
        Value::Bytes(bytes) => TypedArray::<u8>::new_copy(ctx.clone(), bytes)?.into_js(ctx),
        Value::List(items) => {
            let array = Array::new(ctx.clone())?;
            for (index, item) in items.iter().enumerate() {
                array.set(index, write(ctx, item)?)?;
            }
            array.into_js(ctx)
        }
        Value::Map(map) => object(ctx, map)?.into_js(ctx),
    }
}

/// An object for the interpreter. Members are defined, not assigned: `__proto__` is a key like any other.
pub(super) fn object<'js>(ctx: &Ctx<'js>, map: &Map) -> rquickjs::Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    for (key, item) in map {
        object.prop(
            &**key,
            Property::from(write(ctx, item)?)
                .writable()
                .enumerable()
                .configurable(),
        )?;
    }
    Ok(object)
}

/// Throws an error with this text inside the interpreter.
pub(super) fn throw(ctx: &Ctx<'_>, thrown: Thrown) -> rquickjs::Error {
    let text = match thrown {
        Thrown::Text(text) => text,
        Thrown::Output => "The value is too large to leave the script.".into(),
        Thrown::Memory | Thrown::Null => return Exception::throw_internal(ctx, "out of memory"),
    };
    Exception::throw_message(ctx, &text)
}

/// The arguments of a call out of an array.
pub(super) fn list<'js>(reader: &mut Reader<'js>, value: &Js<'js>) -> Result<Vec<Value>, Thrown> {
    match reader.read(value)? {
        Value::List(items) => Ok(Arc::unwrap_or_clone(items)),
        other => Ok(vec![other]),
    }
}
