//! JSON from outside, read within bounds: neither deep nesting nor very many tiny values get far. It must not know who
//! sent the text or what it means.

use nodetool_protocol::{Value, pack};

/// Levels of lists and objects a JSON text may have. The parser stops at the one after.
pub(crate) const MAX_DEPTH: usize = 127;

/// Why a text is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JsonFault {
    #[error("more than {MAX_DEPTH} levels of lists and objects")]
    TooDeep,
    #[error("more than {} values", pack::MAX_VALUES)]
    TooMany,
    #[error(transparent)]
    Syntax(serde_json::Error),
}

/// Reads one JSON text.
pub(crate) fn parse(text: &[u8]) -> Result<Value, JsonFault> {
    if too_many_values(text) {
        return Err(JsonFault::TooMany);
    }
    serde_json::from_slice(text).map_err(|e| {
        // The parser tells this cause apart by its words only.
        if e.is_syntax() && e.to_string().starts_with("recursion limit exceeded") {
            JsonFault::TooDeep
        } else {
            JsonFault::Syntax(e)
        }
    })
}

/// Whether a text holds more values than are read; a value takes many times the memory of its two characters.
fn too_many_values(text: &[u8]) -> bool {
    if text.len() <= pack::MAX_VALUES {
        return false;
    }
    let (mut values, mut quoted, mut escaped) = (0usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => values += 1,
            _ => {}
        }
    }
    values > pack::MAX_VALUES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(levels: usize, open: &str, close: &str) -> String {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    }

    proptest! {
        #[test]
        fn depth_alone_decides_what_is_too_deep(levels in 1usize..400, objects in any::<bool>(), closed in any::<bool>()) {
            let (open, close) = if objects { ("{\"a\":", "}") } else { ("[", "]") };
            let text = nested(levels, open, if closed { close } else { "" });
            match parse(text.as_bytes()) {
                Ok(_) => prop_assert!(closed && levels <= MAX_DEPTH),
                Err(JsonFault::TooDeep) => prop_assert!(levels > MAX_DEPTH),
                Err(JsonFault::Syntax(_)) => prop_assert!(!closed && levels <= MAX_DEPTH),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn a_million_brackets_are_too_deep() {
        for open in ["[", "{\"a\":", "[{\"a\":"] {
            let text = open.repeat(1_000_000);
            assert!(
                matches!(parse(text.as_bytes()), Err(JsonFault::TooDeep)),
                "{open}"
            );
        }
        // Brackets in text are none.
        let text = format!("\"{}\"", "[".repeat(1_000_000));
        assert!(parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn very_many_values_are_refused_and_commas_in_text_are_none() {
        let list = |item: &str| format!("[{}1]", format!("{item},").repeat(pack::MAX_VALUES));
        assert!(matches!(
            parse(list("1").as_bytes()),
            Err(JsonFault::TooMany)
        ));
        let text = format!("\"\\\"{}\"", ",".repeat(pack::MAX_VALUES * 2));
        assert!(parse(text.as_bytes()).is_ok());
    }
}
