//! Names that every provider takes: `[A-Za-z0-9_-]{1,64}`.

/// Longest name.
const MOST: usize = 64;

/// The name of a tool that is called so elsewhere: dots become underscores, a trailing `Node` goes.
pub(super) fn sanitised(name: &str) -> String {
    let name = match name.strip_suffix("Node") {
        Some(short) if !short.is_empty() && !short.ends_with('.') => short,
        _ => name,
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let chars = name.chars().map(|c| if allowed(c) { c } else { '_' });
    chars.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn node_types_become_names() {
        for (node_type, name) in [
            ("nodetool.text.Concat", "nodetool_text_Concat"),
            ("a.b.FilterNode", "a_b_Filter"),
            ("a.Node", "a_Node"),
            ("Node", "Node"),
            ("ä b", "__b"),
        ] {
            assert_eq!(sanitised(node_type), name);
        }
    }

    proptest! {
        #[test]
        fn every_name_is_taken_by_providers(name in ".{1,200}") {
            let name = sanitised(&name);
            prop_assert!((1..=64).contains(&name.len()));
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)));
        }
    }
}
