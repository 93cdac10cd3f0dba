//! `'%.2f'|format(x)` and `'%s' % x`.

use nodetool_protocol::Value;

use super::arguments::Arguments;
use super::eval::{Outcome, Vm, described};
use super::operators::number;

/// Widest field and most digits.
const MAX_WIDTH: usize = 1000;

/// Fills the directives of a format with arguments by place or, as `%(name)s`, by name.
pub(super) fn format(vm: &mut Vm<'_>, format: &str, mut args: Arguments) -> Outcome<String> {
    let mut out = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let mut spec = after;
        let mut name = None;
        if let Some(named) = spec.strip_prefix('(') {
            let (inner, tail) = named
                .split_once(')')
                .ok_or("a `%(` in a format has no `)`")?;
            (name, spec) = (Some(inner), tail);
        }
        let flags_end = spec.find(|c| !"-+ 0#".contains(c)).unwrap_or(spec.len());
        let flags = &spec[..flags_end];
        spec = &spec[flags_end..];
        let width = digits(&mut spec)?;
        let precision = match spec.strip_prefix('.') {
            Some(tail) => {
                spec = tail;
                Some(digits(&mut spec)?.unwrap_or(0))
            }
            None => None,
        };
        let Some(letter) = spec.chars().next() else {
            return Err("a format ends within a directive".into());
        };
        rest = &spec[letter.len_utf8()..];
        if letter == '%' {
            out.push('%');
            continue;
        }
        let value = match name {
            Some(name) => args.named(name),
            None => args.take(""),
        }
        .ok_or("not enough arguments for the format")?;
        let body = directive(vm, letter, flags, precision, &value)?;
        let gap = width.unwrap_or(0).saturating_sub(body.chars().count());
        vm.extend(out.len(), body.len() + gap)?;
        let zeros = flags.contains('0') && !flags.contains('-') && letter != 's';
        if flags.contains('-') {
            out.push_str(&body);
            out.extend(std::iter::repeat_n(' ', gap));
        } else if zeros {
            let sign = body.len() - body.trim_start_matches(['+', '-', ' ']).len();
            out.push_str(&body[..sign]);
            out.extend(std::iter::repeat_n('0', gap));
            out.push_str(&body[sign..]);
        } else {
            out.extend(std::iter::repeat_n(' ', gap));
            out.push_str(&body);
        }
    }
    vm.extend(out.len(), rest.len())?;
    out.push_str(rest);
    if !args.rest().is_empty() {
        return Err("not all arguments converted during string formatting".into());
    }
    Ok(out)
}

fn digits(spec: &mut &str) -> Outcome<Option<usize>> {
    let end = spec
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(spec.len());
    let (digits, rest) = spec.split_at(end);
    *spec = rest;
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse() {
        Ok(n) if n <= MAX_WIDTH => Ok(Some(n)),
        _ => Err(format!(
            "a format asks for {digits} characters (expected at most {MAX_WIDTH})"
        )),
    }
}

fn directive(
    vm: &mut Vm<'_>,
    letter: char,
    flags: &str,
    precision: Option<usize>,
    value: &Value,
) -> Outcome<String> {
    let plus = |negative: bool| match () {
        () if negative => "-",
        () if flags.contains('+') => "+",
        () if flags.contains(' ') => " ",
        () => "",
    };
    let needs = |what: &str| format!("`%{letter}` needs {what}, not {}", described(value));
    Ok(match letter {
        's' | 'r' => {
            let text = if letter == 's' {
                vm.text(value)?
            } else {
                let bytes = vm.weigh(value)?;
                vm.grow(bytes)?;
                crate::compat::py_repr(value).into()
            };
            match precision {
                Some(n) => text.chars().take(n).collect(),
                None => text.to_string(),
            }
        }
        'd' | 'i' | 'x' | 'X' | 'o' => {
            let n = match number(value) {
                Some(Value::Int(i)) => i,
                Some(Value::Float(f)) if f.abs() < 9.2e18 && "di".contains(letter) => f as i64,
                _ => return Err(needs("a whole number")),
            };
            let magnitude = n.unsigned_abs();
            let body = match letter {
                'x' => format!("{magnitude:x}"),
                'X' => format!("{magnitude:X}"),
                'o' => format!("{magnitude:o}"),
                _ => magnitude.to_string(),
            };
            format!("{}{body}", plus(n < 0))
        }
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
            let n = number(value).ok_or_else(|| needs("a number"))?;
            let f = n.as_f64().unwrap_or_default();
            let sign = plus(f.is_sign_negative() && !f.is_nan());
            let body = float(f.abs(), letter.to_ascii_lowercase(), precision.unwrap_or(6));
            let body = if letter.is_ascii_uppercase() {
                body.to_uppercase()
            } else {
                body
            };
            format!("{sign}{body}")
        }
        'c' => match value {
            Value::Str(s) if s.chars().count() == 1 => s.to_string(),
            _ => return Err(needs("one character")),
        },
        other => return Err(format!("a format does not know `%{other}`")),
    })
}

/// A float that is not negative, in fixed, scientific or general form.
fn float(f: f64, form: char, precision: usize) -> String {
    if !f.is_finite() {
        return if f.is_nan() { "nan" } else { "inf" }.into();
    }
    let scientific = |digits: usize| {
        let text = format!("{f:.digits$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        (
            mantissa.to_owned(),
            exponent,
            format!("e{sign}{:02}", exponent.abs()),
        )
    };
    match form {
        'f' => format!("{f:.precision$}"),
        'e' => {
            let (mantissa, _, tail) = scientific(precision);
            mantissa + &tail
        }
        _ => {
            let digits = precision.max(1);
            let (mantissa, exponent, tail) = scientific(digits - 1);
            let short = |text: String| {
                if text.contains('.') {
                    text.trim_end_matches('0').trim_end_matches('.').to_owned()
                } else {
                    text
                }
            };
            if exponent < -4 || exponent >= digits as i32 {
                short(mantissa) + &tail
            } else {
                let after = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
                short(format!("{f:.after$}"))
            }
        }
    }
}
