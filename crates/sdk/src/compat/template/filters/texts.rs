//! Filters that make text for the web and for people.

use std::fmt::Write;

use nodetool_protocol::Value;

use super::super::arguments::{Arguments, Val};
use super::super::eval::{Outcome, Vm, described};
use super::super::operators::number;
use super::{is_py_space, pairs};

/// Text, or the pairs of a dict or list, as part of an address.
pub(super) fn urlencode(vm: &mut Vm<'_>, value: Val) -> Outcome<Val> {
    let items = match value.value() {
        Value::Map(map) => {
            vm.spend(map.len())?;
            pairs(&map)
        }
        items @ Value::List(_) => items,
        other => {
            let text = vm.text(&other)?;
            vm.grow(text.len().saturating_mul(3))?;
            let mut out = String::new();
            quote(&text, false, &mut out);
            return Ok(out.into());
        }
    };
    let mut out = String::new();
    for pair in items.as_list().unwrap_or_default() {
        let Some([key, value]) = pair.as_list() else {
            return Err(format!("{} is no pair of key and value", described(pair)));
        };
        let (key, value) = (vm.text(key)?, vm.text(value)?);
        vm.extend(out.len(), 2 + 3 * (key.len() + value.len()))?;
        if !out.is_empty() {
            out.push('&');
        }
        quote(&key, true, &mut out);
        out.push('=');
        quote(&value, true, &mut out);
    }
    Ok(out.into())
}

fn quote(text: &str, query: bool, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if !query => out.push('/'),
            b' ' if query => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
}

/// Text without tags and comments, blanks as one space.
pub(super) fn striptags(vm: &mut Vm<'_>, value: Val) -> Outcome<Val> {
    let text = vm.shown(value)?;
    vm.grow(text.len())?;
    let mut plain = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        plain.push_str(before);
        let end = if tag.starts_with("<!--") { "-->" } else { ">" };
        match tag.find(end) {
            Some(to) => rest = &tag[to + end.len()..],
            None => {
                plain.push_str(tag);
                rest = "";
            }
        }
    }
    plain.push_str(rest);
    let words: Vec<&str> = plain
        .split(is_py_space)
        .filter(|word| !word.is_empty())
        .collect();
    let mut out = words.join(" ");
    for (entity, text) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", "\u{a0}"),
        // Last, so that what it makes is not read again.
        ("&amp;", "&"),
    ] {
        if out.contains(entity) {
            out = out.replace(entity, text);
        }
    }
    Ok(out.into())
}

/// Lines of at most so many characters.
pub(super) fn wordwrap(vm: &mut Vm<'_>, value: Val, args: &mut Arguments) -> Outcome<Val> {
    let text = vm.shown(value)?;
    let width = usize::try_from(args.int_or("width", 79)?).unwrap_or(0);
    if width == 0 {
        return Err("`wordwrap` needs a width of at least 1".into());
    }
    let cut_words = args
        .take("break_long_words")
        .is_none_or(|v| super::truth(&v));
    let end = args.text_or("wrapstring", "\n")?;
    let lines = text.len() / width.min(2) + text.matches('\n').count() + 1;
    vm.grow(text.len().saturating_add(end.len().saturating_mul(lines)))?;
    let mut out: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut current = String::new();
        let mut length = 0;
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            let mut word: Vec<char> = word.chars().collect();
            if length > 0 && length + 1 + word.len() > width {
                out.push(std::mem::take(&mut current));
                length = 0;
            }
            while cut_words && word.len() > width {
                out.push(word.drain(..width).collect());
            }
            if length > 0 {
                current.push(' ');
                length += 1;
            }
            length += word.len();
            current.extend(word);
        }
        out.push(current);
    }
    Ok(out.join(&end).into())
}

/// A number of bytes as people read it.
pub(super) fn filesizeformat(value: Val, args: &mut Arguments) -> Outcome<Val> {
    let binary = args.flag("binary");
    let value = value.value();
    let bytes = match &value {
        Value::Str(text) => text.trim_matches(is_py_space).parse().ok(),
        other => number(other).and_then(|n| n.as_f64()),
    };
    let Some(bytes) = bytes else {
        return Err(format!("{} is no number of bytes", described(&value)));
    };
    let (base, units): (f64, [&str; 8]) = if binary {
        (
            1024.0,
            ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"],
        )
    } else {
        (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"])
    };
    if bytes == 1.0 {
        return Ok("1 Byte".into());
    }
    if bytes < base {
        return Ok(format!("{} Bytes", bytes.trunc()).into());
    }
    let mut scaled = bytes / base;
    let mut at = 0;
    while scaled >= base && at + 1 < units.len() {
        scaled /= base;
        at += 1;
    }
    Ok(format!("{scaled:.1} {}", units[at]).into())
}
