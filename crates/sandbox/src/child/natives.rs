//! The functions of the child that scripts reach through the prelude: text, randomness, addresses, packages, host calls.
//! It must not know what host calls do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_protocol::Value;
use rquickjs::{Ctx, Exception, Function, Object, TypedArray, Value as Js};
use url::{Position, Url};

use super::super::wire::{MAX_FRAME, Reply};
use super::convert::{self, Helpers, Reader};
use super::engine::Thrown;
use super::link::Link;
use super::packages;

/// The longest line of a log, and how many lines one call may write.
const LOG_LINE: usize = 8 << 10;
const LOG_LINES: u32 = 1000;
/// The most random bytes given at once.
const RANDOM_BYTES: usize = 65_536;

/// What one script's functions share.
pub(super) struct Outside {
    link: Rc<Link>,
    helpers: RefCell<Option<Helpers>>,
    output: u64,
    logged: Cell<u32>,
}

impl Outside {
    pub(super) fn new(link: Rc<Link>, helpers: Helpers, output: u64) -> Self {
        Self {
            link,
            helpers: RefCell::new(Some(helpers)),
            output,
            logged: Cell::new(0),
        }
    }

    /// A call begins.
    pub(super) fn begin(&self) {
        self.logged.set(0);
    }

    /// The interpreter is about to end: lets go of its values.
    pub(super) fn end(&self) {
        self.helpers.take();
    }

    /// A converter for what may leave the script.
    pub(super) fn reader<'js>(&self, ctx: &Ctx<'js>) -> Result<Reader<'js>, Thrown> {
        self.reader_of(ctx, self.output)
    }

    fn reader_of<'js>(&self, ctx: &Ctx<'js>, bytes: u64) -> Result<Reader<'js>, Thrown> {
        match &*self.helpers.borrow() {
            Some(helpers) => helpers.reader(ctx, bytes),
            None => Err(Thrown::Text("The script has ended.".into())),
        }
    }
}

/// The object of functions handed to the prelude.
pub(super) fn object<'js>(ctx: &Ctx<'js>, outside: &Rc<Outside>) -> rquickjs::Result<Object<'js>> {
    let native = Object::new(ctx.clone())?;
    let shared = outside.clone();
    native.set(
        "host",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, id: u32, name: String, args: Js<'js>| {
                host(&ctx, &shared, id, name, &args).map_err(|thrown| convert::throw(&ctx, thrown))
            },
        )?,
    )?;
    let shared = outside.clone();
    native.set(
        "log",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, level: String, text: rquickjs::String<'js>| {
                log(&ctx, &shared, level, &text).map_err(|thrown| convert::throw(&ctx, thrown))
            },
        )?,
    )?;
    let shared = outside.clone();
    native.set(
        "pack",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, name: String, args: Js<'js>| {
                pack(&ctx, &shared, &name, &args).map_err(|thrown| convert::throw(&ctx, thrown))
            },
        )?,
    )?;
    native.set(
        "encode",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, text: String| {
            TypedArray::<u8>::new_copy(ctx, text)
        })?,
    )?;
    native.set("decode", Function::new(ctx.clone(), decode)?)?;
    native.set("url", Function::new(ctx.clone(), parse_url)?)?;
    native.set(
        "uuid",
        Function::new(ctx.clone(), |ctx: Ctx<'js>| uuid(&ctx))?,
    )?;
    native.set(
        "random",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, count: usize| {
            if count > RANDOM_BYTES {
                return Err(Exception::throw_range(
                    &ctx,
                    "too many random bytes at once; 65536 are allowed",
                ));
            }
            let mut bytes = vec![0; count];
            fill(&ctx, &mut bytes)?;
            TypedArray::<u8>::new_copy(ctx, bytes)
        })?,
    )?;
    Ok(native)
}

fn host<'js>(
    ctx: &Ctx<'js>,
    outside: &Outside,
    id: u32,
    name: String,
    args: &Js<'js>,
) -> Result<(), Thrown> {
    let mut reader = outside.reader(ctx)?;
    let args = convert::list(&mut reader, args)?;
    let sent = outside.link.send(&Reply::HostCall { id, name, args });
    sent.map_err(|error| Thrown::Text(error.to_string()))
}

fn log<'js>(
    ctx: &Ctx<'js>,
    outside: &Outside,
    level: String,
    text: &rquickjs::String<'js>,
) -> Result<(), Thrown> {
    let written = outside.logged.get();
    outside.logged.set(written.saturating_add(1));
    let text = match written {
        0..LOG_LINES => {
            let mut text = outside.reader_of(ctx, MAX_FRAME as u64)?.text(text)?;
            if text.len() > LOG_LINE {
                text.truncate(text.floor_char_boundary(LOG_LINE));
                text.push('…');
            }
            text
        }
        LOG_LINES => format!("Only the first {LOG_LINES} lines are logged."),
        _ => return Ok(()),
    };
    outside
        .link
        .send(&Reply::Log { level, text })
        .map_err(|error| Thrown::Text(error.to_string()))
}

fn pack<'js>(
    ctx: &Ctx<'js>,
    outside: &Outside,
    name: &str,
    args: &Js<'js>,
) -> Result<Js<'js>, Thrown> {
    let mut reader = outside.reader_of(ctx, MAX_FRAME as u64)?;
    let args: Vec<Value> = convert::list(&mut reader, args)?;
    let value = packages::call(name, &args).map_err(Thrown::Text)?;
    convert::write(ctx, &value).map_err(|error| Thrown::catch(ctx, &error))
}

/// Text from bytes, which arrive as base64.
fn decode(ctx: Ctx<'_>, base64: String, encoding: String, fatal: bool) -> rquickjs::Result<String> {
    let bytes = STANDARD
        .decode(base64)
        .map_err(|error| Exception::throw_type(&ctx, &error.to_string()))?;
    let malformed = || Exception::throw_type(&ctx, &format!("the bytes are not valid {encoding}"));
    match encoding.as_str() {
        "utf-16le" => {
            let units = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            let whole = bytes.len().is_multiple_of(2);
            let text: Result<String, _> = char::decode_utf16(units.clone()).collect();
            match text {
                Ok(text) if whole => Ok(text),
                _ if fatal => Err(malformed()),
                _ => {
                    let text = char::decode_utf16(units)
                        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
                    Ok(text
                        .chain((!whole).then_some(char::REPLACEMENT_CHARACTER))
                        .collect())
                }
            }
        }
        "windows-1252" => Ok(bytes.iter().map(|byte| windows_1252(*byte)).collect()),
        _ => match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) if fatal => Err(malformed()),
            Err(error) => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        },
    }
}

/// Like Latin-1, with printable characters where that has controls.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

fn parse_url<'js>(
    ctx: Ctx<'js>,
    text: String,
    base: Option<String>,
) -> rquickjs::Result<Object<'js>> {
    let invalid = |text: &str| Exception::throw_type(&ctx, &format!("Invalid URL: {}", clip(text)));
    let base = base
        .map(|base| Url::parse(&base).map_err(|_| invalid(&base)))
        .transpose()?;
    let url = Url::options()
        .base_url(base.as_ref())
        .parse(&text)
        .map_err(|_| invalid(&text))?;
    let parts = Object::new(ctx.clone())?;
    let prefixed = |mark: &str, part: Option<&str>| {
        part.filter(|part| !part.is_empty())
            .map(|part| format!("{mark}{part}"))
            .unwrap_or_default()
    };
    parts.set("start", &url[..Position::AfterPath])?;
    parts.set("protocol", format!("{}:", url.scheme()))?;
    parts.set("username", url.username())?;
    parts.set("password", url.password().unwrap_or_default())?;
    parts.set("host", &url[Position::BeforeHost..Position::AfterPort])?;
    parts.set("hostname", url.host_str().unwrap_or_default())?;
    parts.set(
        "port",
        url.port().map(|port| port.to_string()).unwrap_or_default(),
    )?;
    parts.set("origin", url.origin().ascii_serialization())?;
    parts.set("pathname", url.path())?;
    parts.set("search", prefixed("?", url.query()))?;
    parts.set("hash", prefixed("#", url.fragment()))?;
    Ok(parts)
}

fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(200)]
}

fn fill(ctx: &Ctx<'_>, bytes: &mut [u8]) -> rquickjs::Result<()> {
    getrandom::fill(bytes)
        .map_err(|_| Exception::throw_message(ctx, "the system gives no random bytes"))
}

/// A random identifier, version 4.
fn uuid(ctx: &Ctx<'_>) -> rquickjs::Result<String> {
    let mut bytes = [0; 16];
    fill(ctx, &mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    Ok([
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-"))
}
