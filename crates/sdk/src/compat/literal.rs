//! Text literals as Python reads them.

/// Reads the text literal a source begins with, quotes included; gives the text and the bytes the literal takes.
///
/// # Errors
/// A bad escape, or no closing quote.
pub fn py_literal(source: &str) -> Result<(String, usize), String> {
    let mut out = String::new();
    let mut chars = source.char_indices();
    let quote = chars.next().map(|(_, c)| c);
    while let Some((at, c)) = chars.next() {
        if Some(c) == quote {
            return Ok((out, at + c.len_utf8()));
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some((_, escaped)) = chars.next() else {
            break;
        };
        let digits = match escaped {
            'n' => {
                out.push('\n');
                continue;
            }
            'r' => {
                out.push('\r');
                continue;
            }
            't' => {
                out.push('\t');
                continue;
            }
            '\\' | '\'' | '"' => {
                out.push(escaped);
                continue;
            }
            '\n' => continue,
            'x' => 2,
            'u' => 4,
            'U' => 8,
            other => {
                out.extend(['\\', other]);
                continue;
            }
        };
        let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
        match u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32) {
            Some(c) if hex.len() == digits => out.push(c),
            _ => return Err(format!("bad escape \\{escaped}{hex}")),
        }
    }
    Err("a text has no closing quote".into())
}

#[cfg(test)]
mod tests {
    use super::py_literal;

    #[test]
    fn a_literal_ends_at_its_own_quote_and_knows_pythons_escapes() {
        let read = |source| py_literal(source).unwrap();
        assert_eq!(read(r#"'a"b' + c"#), ("a\"b".into(), 5));
        assert_eq!(read(r"'\n\t\\\'\x41\u00e9\d'"), ("\n\t\\'Aé\\d".into(), 22));
        for bad in ["'", "'a", r"'\x4'", r"'\ud800'", r"'\"] {
            assert!(py_literal(bad).is_err(), "{bad}");
        }
    }
}
