//! Arithmetic in words: a small grammar, worked out while it is read.

use nodetool_sdk::Value;

use super::arguments::Arguments;

/// Longest expression in bytes.
const MOST_BYTES: usize = 2_000;
/// Brackets in brackets.
const MOST_DEPTH: usize = 50;

pub(super) fn calculate(arguments: &Arguments) -> Result<Value, String> {
    let expression = arguments.text("expression");
    let result = evaluate(expression)?;
    Ok(Value::map([
        ("expression", Value::from(expression)),
        ("result", number(result)),
    ]))
}

/// Whole numbers without a point, as far as they are exact.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        Value::Int(value as i64)
    } else {
        Value::Float(value)
    }
}

/// The value of an expression.
fn evaluate(expression: &str) -> Result<f64, String> {
    if expression.len() > MOST_BYTES {
        return Err(format!(
            "expression: expected at most {MOST_BYTES} characters"
        ));
    }
    let mut reader = Reader {
        text: expression.as_bytes(),
        at: 0,
        depth: 0,
    };
    let value = reader.sum()?;
    reader.space();
    if reader.at < reader.text.len() {
        return Err(reader.fault("an operator"));
    }
    if value.is_finite() {
        Ok(value)
    } else {
        Err(format!("the result of `{expression}` is no finite number"))
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn fault(&self, expected: &str) -> String {
        let place = self.at + 1;
        match self.text.get(self.at) {
            Some(_) => format!("expression: expected {expected} at character {place}"),
            None => format!("expression: it ends where {expected} was expected"),
        }
    }

    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, word: &[u8]) -> bool {
        self.space();
        let found = self.text[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn sum(&mut self) -> Result<f64, String> {
        let mut left = self.product()?;
        loop {
            if self.take(b"+") {
                left += self.product()?;
            } else if self.take(b"-") {
                left -= self.product()?;
            } else {
                return Ok(left);
            }
        }
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut left = self.signed()?;
        loop {
            if self.take(b"//") {
                left = (left / self.divisor()?).floor();
            } else if self.take(b"/") {
                left /= self.divisor()?;
            } else if self.take(b"%") {
                left = left.rem_euclid(self.divisor()?);
            } else if self.take(b"*") {
                left *= self.signed()?;
            } else {
                return Ok(left);
            }
        }
    }

    fn divisor(&mut self) -> Result<f64, String> {
        match self.signed()? {
            0.0 => Err("division by zero".into()),
            value => Ok(value),
        }
    }

    fn signed(&mut self) -> Result<f64, String> {
        self.deeper()?;
        let value = if self.take(b"-") {
            -self.signed()?
        } else if self.take(b"+") {
            self.signed()?
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn power(&mut self) -> Result<f64, String> {
        let base = self.atom()?;
        if self.take(b"**") || self.take(b"^") {
            // From the right: 2^3^2 is 2^9.
            return Ok(base.powf(self.signed()?));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<f64, String> {
        if self.take(b"(") {
            let value = self.sum()?;
            return self.closed(value);
        }
        match self.text.get(self.at) {
            Some(c) if c.is_ascii_digit() || *c == b'.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() => self.name(),
            _ => Err(self.fault("a number")),
        }
    }

    fn closed(&mut self, value: f64) -> Result<f64, String> {
        if self.take(b")") {
            Ok(value)
        } else {
            Err(self.fault("`)`"))
        }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(format!("expression: more than {MOST_DEPTH} levels deep"));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<f64, String> {
        let start = self.at;
        while let Some(c) = self.text.get(self.at) {
            let sign = matches!(c, b'+' | b'-') && matches!(self.text[self.at - 1], b'e' | b'E');
            if !(c.is_ascii_digit() || matches!(c, b'.' | b'e' | b'E') || (sign && self.at > start))
            {
                break;
            }
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        text.parse()
            .map_err(|_| format!("expression: `{text}` is no number"))
    }

    fn name(&mut self) -> Result<f64, String> {
        let start = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(u8::is_ascii_alphanumeric)
        {
            self.at += 1;
        }
        let name = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        if !self.take(b"(") {
            return match name.as_str() {
                "pi" => Ok(std::f64::consts::PI),
                "e" => Ok(std::f64::consts::E),
                _ => Err(format!(
                    "expression: `{name}` is not known; expected pi, e or a function"
                )),
            };
        }
        let mut given = vec![self.sum()?];
        while self.take(b",") {
            given.push(self.sum()?);
        }
        let value = apply(&name, &given)?;
        self.closed(value)
    }
}

fn apply(name: &str, given: &[f64]) -> Result<f64, String> {
    let one: Option<fn(f64) -> f64> = match name {
        "sqrt" => Some(f64::sqrt),
        "cbrt" => Some(f64::cbrt),
        "abs" => Some(f64::abs),
        "sin" => Some(f64::sin),
        "cos" => Some(f64::cos),
        "tan" => Some(f64::tan),
        "asin" => Some(f64::asin),
        "acos" => Some(f64::acos),
        "atan" => Some(f64::atan),
        "exp" => Some(f64::exp),
        "ln" => Some(f64::ln),
        "log10" => Some(f64::log10),
        "log2" => Some(f64::log2),
        "floor" => Some(f64::floor),
        "ceil" => Some(f64::ceil),
        "degrees" => Some(f64::to_degrees),
        "radians" => Some(f64::to_radians),
        _ => None,
    };
    let smallest = || given.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = || given.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match (one, name, given) {
        (Some(function), _, [x]) => Ok(function(*x)),
        (_, "min", _) => Ok(smallest()),
        (_, "max", _) => Ok(largest()),
        (_, "pow", [x, y]) => Ok(x.powf(*y)),
        (_, "log", [x]) => Ok(x.ln()),
        (_, "log", [x, base]) => Ok(x.log(*base)),
        (_, "round", [x]) => Ok(x.round()),
        (_, "round", [x, places]) => {
            let scale = 10f64.powi(places.clamp(-15.0, 15.0) as i32);
            Ok((x * scale).round() / scale)
        }
        (Some(_), ..) | (_, "pow" | "log" | "round", _) => {
            let count = given.len();
            Err(format!("expression: `{name}` does not take {count} values"))
        }
        _ => Err(format!("expression: there is no function `{name}`")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expressions_are_worked_out() {
        for (expression, want) in [
            ("1 + 2 * 3", 7.0),
            ("(1+2)*3", 9.0),
            ("2^3^2", 512.0),
            ("-2^2", -4.0),
            ("2**-1", 0.5),
            ("7 // 2 + 7 % 4", 6.0),
            ("1.5e3 - .5", 1499.5),
            ("sqrt(16) + max(1, 2, 3) + round(2.345, 2)", 9.35),
            ("cos(0) + sin(pi*0) + ln(e)", 2.0),
            ("log(8, 2)", 3.0),
        ] {
            let got = evaluate(expression).unwrap();
            assert!((got - want).abs() < 1e-9, "{expression} = {got}");
        }
    }

    #[test]
    fn faults_name_the_place() {
        let deep = "(".repeat(1_000);
        for (expression, says) in [
            ("", "ends where a number"),
            ("1 +", "ends where a number"),
            ("1 2", "an operator at character 3"),
            ("(1", "`)`"),
            ("1/0", "division by zero"),
            ("foo(1)", "no function `foo`"),
            ("x", "`x` is not known"),
            ("sqrt(1, 2)", "does not take 2 values"),
            ("sqrt(-1)", "no finite number"),
            ("1.2.3", "no number"),
            (deep.as_str(), "levels deep"),
            ("ä", "a number at character 1"),
        ] {
            let fault = evaluate(expression).unwrap_err();
            assert!(fault.contains(says), "{expression}: {fault}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[-+*/%^()0-9.,a-z eä]{0,80}") {
            let _ = evaluate(&text);
        }

        #[test]
        fn sums_and_products_agree_with_the_machine(a in -1000i32..1000, b in -1000i32..1000, c in 1i32..50) {
            let want = f64::from(a) + f64::from(b) * f64::from(c);
            prop_assert_eq!(evaluate(&format!("{a} + {b} * {c}")), Ok(want));
        }
    }
}
