//! Keys by the place they have on a keyboard, as the browser counts them.

/// The number of a key, by its `code`; 0 for one that has none.
pub(super) fn number(code: &str) -> u32 {
    let after = |prefix: &str| code.strip_prefix(prefix);
    if let Some([letter @ b'A'..=b'Z']) = after("Key").map(str::as_bytes) {
        return u32::from(*letter);
    }
    if let Some([digit @ b'0'..=b'9']) = after("Digit").map(str::as_bytes) {
        return u32::from(*digit);
    }
    if let Some([digit @ b'0'..=b'9']) = after("Numpad").map(str::as_bytes) {
        return 96 + u32::from(digit - b'0');
    }
    if let Some(Ok(count @ 1..=24)) = after("F").map(str::parse::<u32>) {
        return 111 + count;
    }
    match code {
        "Backspace" => 8,
        "Tab" => 9,
        "Enter" | "NumpadEnter" => 13,
        "ShiftLeft" | "ShiftRight" => 16,
        "ControlLeft" | "ControlRight" => 17,
        "AltLeft" | "AltRight" => 18,
        "Pause" => 19,
        "CapsLock" => 20,
        "Escape" => 27,
        "Space" => 32,
        "PageUp" => 33,
        "PageDown" => 34,
        "End" => 35,
        "Home" => 36,
        "ArrowLeft" => 37,
        "ArrowUp" => 38,
        "ArrowRight" => 39,
        "ArrowDown" => 40,
        "PrintScreen" => 44,
        "Insert" => 45,
        "Delete" => 46,
        "MetaLeft" => 91,
        "MetaRight" => 92,
        "ContextMenu" => 93,
        "NumpadMultiply" => 106,
        "NumpadAdd" => 107,
        "NumpadSubtract" => 109,
        "NumpadDecimal" => 110,
        "NumpadDivide" => 111,
        "NumLock" => 144,
        "ScrollLock" => 145,
        "Semicolon" => 186,
        "Equal" => 187,
        "Comma" => 188,
        "Minus" => 189,
        "Period" => 190,
        "Slash" => 191,
        "Backquote" => 192,
        "BracketLeft" => 219,
        "Backslash" => 220,
        "BracketRight" => 221,
        "Quote" => 222,
        "IntlBackslash" => 226,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_numbers_browsers_know() {
        for (code, expected) in [
            ("KeyA", 65),
            ("KeyZ", 90),
            ("Digit0", 48),
            ("Numpad9", 105),
            ("F1", 112),
            ("F12", 123),
            ("Enter", 13),
            ("Quote", 222),
            ("F99", 0),
            ("Keyä", 0),
            ("", 0),
        ] {
            assert_eq!(number(code), expected, "{code}");
        }
    }
}
