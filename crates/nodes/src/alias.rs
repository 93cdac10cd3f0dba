//! Other names of node types: those of earlier and later generations, and a wrong prefix that shipped files carry.
//!
//! A name is given only where it means the same: every handle that files of the one name use is there under the
//! other. It must not know what the types do. Sources: node catalogue 2.4, current catalogue section 2.

use nodetool_sdk::Registry;

/// Outputs once had a type per kind of value; all of them had the same handles.
const OUTPUTS: [&str; 15] = [
    "AnyOutput",
    "AudioOutput",
    "BooleanOutput",
    "DataframeOutput",
    "DictionaryOutput",
    "DocumentOutput",
    "FilePathOutput",
    "FloatOutput",
    "FolderPathOutput",
    "ImageOutput",
    "IntegerOutput",
    "ListOutput",
    "StringOutput",
    "TextOutput",
    "VideoOutput",
];

/// Namespaces of two generations and the types that are equal in both.
const EQUAL: [(&str, &str, &[&str]); 6] = [
    (
        "lib.pillow.color_grading",
        "lib.image.color_grading",
        &[
            "CDL",
            "ColorBalance",
            "Curves",
            "Exposure",
            "FilmLook",
            "LiftGammaGain",
            "SaturationVibrance",
            "SplitToning",
            "Vignette",
        ],
    ),
    (
        "lib.pillow.enhance",
        "lib.image.enhance",
        &[
            "AdaptiveContrast",
            "AutoContrast",
            "Brightness",
            "Color",
            "Contrast",
            "EdgeEnhance",
            "Equalize",
            "RankFilter",
            "Sharpen",
            "Sharpness",
            "UnsharpMask",
        ],
    ),
    (
        "lib.pillow.filter",
        "lib.image.filter",
        &["Contour", "Expand", "Smooth"],
    ),
    ("lib.pillow.draw", "lib.image.draw", &["Background"]),
    ("lib.pillow.__init__", "lib.pillow", &["Blend", "Composite"]),
    ("lib.pillow.__init__", "lib.image", &["Blend", "Composite"]),
];

/// Namespaces whose second type took over every handle of the first and gained more, so that only the first name can
/// stand for the second.
const WIDENED: [(&str, &str, &[&str]); 2] = [
    (
        "lib.beautifulsoup",
        "lib.html",
        &[
            "BaseUrl",
            "ExtractAudio",
            "ExtractImages",
            "ExtractLinks",
            "ExtractMetadata",
            "ExtractVideos",
            "HTMLToText",
            "WebsiteContentExtractor",
        ],
    ),
    ("lib.pillow.draw", "lib.image.draw", &["GaussianNoise"]),
];

/// Gives the registered types their other names. Call it when all types are registered; a second call adds what the
/// types that came in between need.
pub fn register(r: &mut Registry) {
    for class in OUTPUTS {
        add(
            r,
            format!("nodetool.output.{class}"),
            "nodetool.output.Output",
        );
    }
    let mut other_names = Vec::new();
    let twins = EQUAL.iter().map(|t| (t, true));
    for ((older, newer, classes), both) in twins.chain(WIDENED.iter().map(|t| (t, false))) {
        for class in *classes {
            let (older, newer) = (format!("{older}.{class}"), format!("{newer}.{class}"));
            if add(r, older.clone(), &newer) {
                other_names.push((older, newer));
            } else if both && add(r, newer.clone(), &older) {
                other_names.push((newer, older));
            }
        }
    }
    // Some files put `nodetool.` before the name of a library type.
    let libraries: Vec<String> = r
        .iter()
        .map(|def| def.metadata.node_type.clone())
        .filter(|name| name.starts_with("lib."))
        .collect();
    for name in libraries {
        add(r, format!("nodetool.{name}"), &name);
    }
    for (other, name) in other_names {
        add(r, format!("nodetool.{other}"), &name);
    }
}

/// Adds a name unless it is taken; false when it is, or when there is no such type.
fn add(r: &mut Registry, other: String, name: &str) -> bool {
    let there = r
        .get(name)
        .is_some_and(|def| def.metadata.node_type == name);
    let free = there && r.get(&other).is_none();
    if free {
        r.alias(&other, name);
    }
    free
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Behaviour, NodeDef, NodeMetadata};

    use super::*;

    fn registry(names: &[&str]) -> Registry {
        let mut r = Registry::new();
        for name in names {
            r.add_def(NodeDef::new(NodeMetadata::new(name), Behaviour::Inert));
        }
        register(&mut r);
        r
    }

    fn found(r: &Registry, name: &str) -> Option<String> {
        r.get(name).map(|def| def.metadata.node_type.clone())
    }

    #[test]
    fn old_outputs_and_wrong_prefixes_find_their_type() {
        let mut r = Registry::new();
        crate::register(&mut r);
        for (name, want) in [
            ("nodetool.output.ImageOutput", "nodetool.output.Output"),
            ("nodetool.output.StringOutput", "nodetool.output.Output"),
            ("nodetool.lib.math.Add", "lib.math.Add"),
        ] {
            assert_eq!(found(&r, name).as_deref(), Some(want), "{name}");
        }
        assert_eq!(found(&r, "nodetool.output.GroupOutput"), None);
    }

    #[test]
    fn twins_answer_for_each_other_with_the_wrong_prefix_too() {
        let contrast = "lib.pillow.enhance.Contrast";
        let r = registry(&[contrast, "lib.html.ExtractLinks"]);
        for name in [
            "lib.image.enhance.Contrast",
            "nodetool.lib.pillow.enhance.Contrast",
            "nodetool.lib.image.enhance.Contrast",
        ] {
            assert_eq!(found(&r, name).as_deref(), Some(contrast), "{name}");
        }
        let links = found(&r, "lib.beautifulsoup.ExtractLinks");
        assert_eq!(links.as_deref(), Some("lib.html.ExtractLinks"));
    }

    #[test]
    fn a_narrower_type_does_not_answer_for_a_wider_one() {
        let r = registry(&["lib.beautifulsoup.ExtractLinks"]);
        assert_eq!(found(&r, "lib.html.ExtractLinks"), None);
    }

    #[test]
    fn a_type_of_its_own_keeps_its_name_and_a_second_call_changes_nothing() {
        let both = ["lib.image.draw.Background", "lib.pillow.draw.Background"];
        let mut r = registry(&both);
        register(&mut r);
        for name in both {
            assert_eq!(found(&r, name).as_deref(), Some(name));
        }
    }
}
