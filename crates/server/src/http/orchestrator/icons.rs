//! Pictures of step types, in the program itself: a name is one of these or nothing, so no path leads anywhere.

macro_rules! icons {
    ($($name:literal,)*) => {
        const ICONS: &[(&str, &[u8])] = &[
            $(($name, include_bytes!(concat!("icons/", $name))),)*
        ];
    };
}

icons! {
    "default.png",
    "producer.png",
    "blocking.png",
    "non-blocking.png",
    "conditional.png",
    "loop.png",
}

/// The picture of exactly this name.
pub(super) fn find(name: &str) -> Option<&'static [u8]> {
    let found = ICONS.iter().find(|(icon, _)| *icon == name);
    found.map(|(_, bytes)| *bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_is_a_picture_and_nothing_else_is_found() {
        for (name, bytes) in ICONS {
            let reader = png::Decoder::new(std::io::Cursor::new(*bytes)).read_info();
            assert_eq!(reader.unwrap().info().size(), (32, 32), "{name}");
        }
        for other in ["", "x.png", "../default.png", "/default.png", "DEFAULT.png"] {
            assert!(find(other).is_none(), "{other:?}");
        }
    }
}
