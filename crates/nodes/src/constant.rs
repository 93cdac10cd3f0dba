//! `nodetool.constant`: values written into the graph itself.
//!
//! Most give their value as it is and stand in one table; those that build or complete it have a file.

use nodetool_sdk::{Behaviour, Emitted, NodeDef, Registry, Value};

use crate::table::{default_of, entry, pass_on, property, slot};

mod date;
mod image_size;
mod model_3d;
mod select;

/// Whether agents may use it as a tool.
#[derive(Clone, Copy, PartialEq)]
enum Tool {
    No,
    Yes,
    /// Yes, and the catalogue names no default; an unset one still gives the empty value of its type.
    Unset,
}
use Tool::{No, Unset, Yes};

/// Class, type, tool, summary, search words.
const PLAIN: [(&str, &str, Tool, &str, &str); 22] = [
    (
        "String",
        "str",
        No,
        "A text.",
        "constant, text, string, literal",
    ),
    (
        "List",
        "list[any]",
        No,
        "A list of values.",
        "constant, list, array, items",
    ),
    (
        "Image",
        "image",
        Yes,
        "An image.",
        "constant, image, picture, photo",
    ),
    (
        "Audio",
        "audio",
        Yes,
        "A sound.",
        "constant, audio, sound, music",
    ),
    (
        "Video",
        "video",
        Yes,
        "A video.",
        "constant, video, clip, movie",
    ),
    (
        "Bool",
        "bool",
        Yes,
        "True or false.",
        "constant, boolean, flag, switch",
    ),
    (
        "Integer",
        "int",
        No,
        "A whole number.",
        "constant, number, integer, count",
    ),
    (
        "Float",
        "float",
        No,
        "A number.",
        "constant, number, float, decimal",
    ),
    (
        "Dict",
        "dict[str, any]",
        Yes,
        "Values by key.",
        "constant, dictionary, object, map, keys",
    ),
    (
        "TextList",
        "list[str]",
        Unset,
        "Several texts.",
        "constant, list, texts, strings, lines",
    ),
    (
        "ImageList",
        "list[image]",
        Unset,
        "Several images.",
        "constant, list, images, gallery",
    ),
    (
        "VideoList",
        "list[video]",
        Unset,
        "Several videos.",
        "constant, list, videos, clips",
    ),
    (
        "AudioList",
        "list[audio]",
        Unset,
        "Several sounds.",
        "constant, list, audio, tracks",
    ),
    (
        "DataFrame",
        "dataframe",
        Yes,
        "A table.",
        "constant, table, dataframe, rows, columns",
    ),
    (
        "Document",
        "document",
        Yes,
        "A document.",
        "constant, document, file, pdf",
    ),
    (
        "JSON",
        "json",
        Yes,
        "A JSON file.",
        "constant, json, file, data",
    ),
    (
        "LanguageModelConstant",
        "language_model",
        Unset,
        "A chosen language model.",
        "constant, model, llm, chat, provider",
    ),
    (
        "ImageModelConstant",
        "image_model",
        Unset,
        "A chosen model that makes images.",
        "constant, model, image, provider",
    ),
    (
        "VideoModelConstant",
        "video_model",
        Unset,
        "A chosen model that makes videos.",
        "constant, model, video, provider",
    ),
    (
        "TTSModelConstant",
        "tts_model",
        Unset,
        "A chosen model that speaks.",
        "constant, model, speech, voice, tts",
    ),
    (
        "ASRModelConstant",
        "asr_model",
        Unset,
        "A chosen model that writes down speech.",
        "constant, model, speech, transcription, asr",
    ),
    (
        "EmbeddingModelConstant",
        "embedding_model",
        Unset,
        "A chosen model that makes embeddings.",
        "constant, model, embedding, vector",
    ),
];

pub(crate) fn register(r: &mut Registry) {
    r.add_def(base());
    for row in PLAIN {
        r.add_def(plain(row));
    }
    r.add::<select::Select>();
    r.add::<image_size::ImageSizeConstant>();
    r.add::<model_3d::Model3D>();
    r.add::<date::DateConstant>();
    r.add::<date::DateTimeConstant>();
}

fn plain((class, ty, tool, summary, words): (&str, &str, Tool, &str, &str)) -> NodeDef {
    let mut value = property("value", ty, "The value.");
    let unset = default_of(&value.ty);
    if tool == Unset {
        value.default = Value::Null;
    }
    if let "DataFrame" | "Document" = class {
        value.title = Some(class.into());
    }
    let mut metadata = entry(
        &format!("nodetool.constant.{class}"),
        &format!("{summary}\n{words}"),
        vec![value],
        vec![slot("output", ty)],
    );
    metadata.expose_as_tool = tool != No;
    NodeDef::new(metadata, pass_on(0, unset))
}

/// What the constants have in common, as a type of its own; it gives nothing.
fn base() -> NodeDef {
    let metadata = entry(
        "nodetool.constant.Constant",
        "What all constants have in common; gives nothing itself.\nconstant, base, abstract",
        Vec::new(),
        Vec::new(),
    );
    let nothing = Behaviour::Process(Box::new(|_, _| Box::pin(async { Ok(Emitted::nothing()) })));
    let mut def = NodeDef::new(metadata, nothing);
    def.hidden = true;
    def
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case_of;

    use super::*;

    fn registry() -> Registry {
        let mut r = Registry::new();
        register(&mut r);
        r
    }

    #[tokio::test]
    async fn a_constant_gives_its_value_as_it_is() {
        let r = registry();
        let float = r.get("nodetool.constant.Float").unwrap();
        let given = case_of(float.clone()).set("value", 3i64).value().await;
        assert!(matches!(given.unwrap(), Value::Int(3)));
    }

    #[tokio::test]
    async fn an_unset_constant_gives_the_empty_value_of_its_type() {
        let r = registry();
        let list = r.get("nodetool.constant.TextList").unwrap();
        let given = case_of(list.clone()).value().await.unwrap();
        assert_eq!(given, Value::list([]));
        let model = r.get("nodetool.constant.TTSModelConstant").unwrap();
        let given = case_of(model.clone()).value().await.unwrap();
        assert_eq!(given.type_tag(), Some("tts_model"));
    }
}
