//! Colours as people write them.

use nodetool_sdk::{ColorRef, NodeError};

/// Red, green, blue and opacity of `#rgb`, `#rrggbb` or `#rrggbbaa`.
pub(crate) fn color(property: &str, color: &ColorRef) -> Result<[u8; 4], NodeError> {
    let text = match color.0.as_str() {
        Some(text) => text,
        None => color.text("value"),
    };
    parse(text.trim()).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        NodeError::bad(
            property,
            format!("{shown:?} is no colour (expected #rrggbb)"),
        )
    })
}

fn parse(text: &str) -> Option<[u8; 4]> {
    let digits = text.strip_prefix('#')?.as_bytes();
    let digits: Vec<u8> = digits
        .iter()
        .map(|d| char::from(*d).to_digit(16).map(|d| d as u8))
        .collect::<Option<_>>()?;
    match digits[..] {
        [r, g, b] => Some([r * 17, g * 17, b * 17, 255]),
        [a, b, c, d, e, f] => Some([a * 16 + b, c * 16 + d, e * 16 + f, 255]),
        [a, b, c, d, e, f, g, h] => Some([a * 16 + b, c * 16 + d, e * 16 + f, g * 16 + h]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_colours_of_three_lengths_are_read_and_nothing_else() {
        assert_eq!(parse("#FF8000"), Some([255, 128, 0, 255]));
        assert_eq!(parse("#0f8"), Some([0, 255, 136, 255]));
        assert_eq!(parse("#00000080"), Some([0, 0, 0, 128]));
        for bad in ["", "red", "#12", "#gg0000", "#1234567", "#é00"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
