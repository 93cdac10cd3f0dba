//! `nodetool.input`: where the parameters of a run enter a graph.
//!
//! The engine puts the parameter into `value` and routes what the code gives; nothing here knows where a parameter
//! comes from. Most inputs pass their value on and stand in one table; those that check or split it have a file.

use nodetool_sdk::{Behaviour, NodeDef, Registry, Role};

use crate::table::{entry, pass_on, property, slot};

mod document_file_input;
mod message_deconstructor;
mod number_input;
mod select_input;
mod string_input;

/// Class, type of the value, summary, search words.
const PLAIN: [(&str, &str, &str, &str); 26] = [
    (
        "BooleanInput",
        "bool",
        "Takes true or false from the run.",
        "input, parameter, boolean, flag, switch, toggle",
    ),
    (
        "AudioInput",
        "audio",
        "Takes a sound from the run.",
        "input, parameter, audio, sound, voice, music",
    ),
    (
        "ImageInput",
        "image",
        "Takes an image from the run.",
        "input, parameter, image, picture, photo",
    ),
    (
        "ColorInput",
        "color",
        "Takes a colour from the run.",
        "input, parameter, color, colour, picker, hex",
    ),
    (
        "StringListInput",
        "list[str]",
        "Takes a list of texts from the run.",
        "input, parameter, list, strings, tags, lines",
    ),
    (
        "TextListInput",
        "list[str]",
        "Takes several longer texts from the run.",
        "input, parameter, list, texts, paragraphs, prompts",
    ),
    (
        "ImageListInput",
        "list[image]",
        "Takes several images from the run.",
        "input, parameter, list, images, pictures, gallery",
    ),
    (
        "VideoListInput",
        "list[video]",
        "Takes several videos from the run.",
        "input, parameter, list, videos, clips",
    ),
    (
        "AudioListInput",
        "list[audio]",
        "Takes several sounds from the run.",
        "input, parameter, list, audio, sounds, tracks",
    ),
    (
        "LanguageModelInput",
        "language_model",
        "Lets the run choose a language model.",
        "input, parameter, model, llm, chat, provider",
    ),
    (
        "ImageModelInput",
        "image_model",
        "Lets the run choose a model that makes images.",
        "input, parameter, model, image, provider",
    ),
    (
        "VideoModelInput",
        "video_model",
        "Lets the run choose a model that makes videos.",
        "input, parameter, model, video, provider",
    ),
    (
        "TTSModelInput",
        "tts_model",
        "Lets the run choose a model that speaks.",
        "input, parameter, model, speech, voice, tts",
    ),
    (
        "ASRModelInput",
        "asr_model",
        "Lets the run choose a model that writes down speech.",
        "input, parameter, model, speech, transcription, asr",
    ),
    (
        "EmbeddingModelInput",
        "embedding_model",
        "Lets the run choose a model that makes embeddings.",
        "input, parameter, model, embedding, vector, search",
    ),
    (
        "HuggingFaceModelInput",
        "hf.model",
        "Lets the run choose a Hugging Face repository.",
        "input, parameter, model, huggingface, repository",
    ),
    (
        "DataframeInput",
        "dataframe",
        "Takes a table from the run.",
        "input, parameter, table, dataframe, rows, columns",
    ),
    (
        "DocumentInput",
        "document",
        "Takes a document from the run.",
        "input, parameter, document, file, pdf",
    ),
    (
        "VideoInput",
        "video",
        "Takes a video from the run.",
        "input, parameter, video, clip, movie",
    ),
    (
        "Model3DInput",
        "model_3d",
        "Takes a 3D model from the run.",
        "input, parameter, 3d, mesh, model, glb",
    ),
    (
        "AssetFolderInput",
        "folder",
        "Takes a folder of stored assets from the run.",
        "input, parameter, folder, assets, directory",
    ),
    (
        "MessageInput",
        "message",
        "Takes one chat message from the run.",
        "input, parameter, chat, message, conversation",
    ),
    (
        "MessageListInput",
        "list[message]",
        "Takes the messages of a conversation from the run.",
        "input, parameter, chat, history, messages, conversation",
    ),
    (
        "ImageSizeInput",
        "image_size",
        "Takes the width and height of an image from the run.",
        "input, parameter, size, width, height, resolution",
    ),
    (
        "FilePathInput",
        "str",
        "Takes the path of a file from the run.",
        "input, parameter, path, file, local",
    ),
    (
        "FolderPathInput",
        "str",
        "Takes the path of a folder from the run.",
        "input, parameter, path, folder, directory, local",
    ),
];

pub(crate) fn register(r: &mut Registry) {
    r.add::<string_input::StringInput>();
    r.add::<number_input::IntegerInput>();
    r.add::<number_input::FloatInput>();
    r.add::<select_input::SelectInput>();
    for (class, ty, summary, words) in PLAIN {
        let mut def = plain(
            &format!("nodetool.input.{class}"),
            ty,
            &format!("{summary}\n{words}"),
        );
        let value = &mut def.metadata.properties[1];
        match class {
            "ImageSizeInput" => value.default = nodetool_sdk::Value::Null,
            "FilePathInput" => value.json_schema_extra = Some(hint("file_path")),
            "FolderPathInput" => value.json_schema_extra = Some(hint("folder_path")),
            _ => {}
        }
        r.add_def(def);
    }
    r.add::<document_file_input::DocumentFileInput>();
    r.add_def(realtime_audio());
    r.add::<message_deconstructor::MessageDeconstructor>();
}

/// An input that passes its value on.
pub(crate) fn plain(node_type: &str, ty: &str, description: &str) -> NodeDef {
    let metadata = entry(
        node_type,
        description,
        vec![
            property("name", "str", "Name of the run's parameter."),
            property("value", ty, "Used when the run gives nothing."),
            property("description", "str", "What the parameter is for."),
        ],
        vec![slot("output", ty)],
    );
    input(metadata, pass_on(1, nodetool_sdk::Value::Null))
}

/// The client pushes chunks while the run goes on; the engine forwards them, so there is no code.
fn realtime_audio() -> NodeDef {
    let mut def = plain(
        "nodetool.input.RealtimeAudioInput",
        "audio",
        "Takes sound from the client while the run goes on.\ninput, parameter, audio, realtime, stream, microphone",
    );
    def.metadata.outputs = vec![slot("chunk", "chunk")];
    def.metadata.is_streaming_output = true;
    input(def.metadata, Behaviour::Inert)
}

fn input(mut metadata: nodetool_sdk::NodeMetadata, behaviour: Behaviour) -> NodeDef {
    metadata.basic_fields = vec!["name".into(), "value".into()];
    let mut def = NodeDef::new(metadata, behaviour);
    def.role = Role::Input;
    def.cacheable = false;
    def
}

fn hint(kind: &str) -> nodetool_sdk::Map {
    [("type".into(), kind.into())].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::{Value, testing::case_of};

    use super::*;

    #[tokio::test]
    async fn an_input_passes_its_value_on_untouched() {
        let def = Arc::new(plain("x.Y", "language_model", "x"));
        let model = Value::map([("type", "language_model".into()), ("id", "m".into())]);
        let given = case_of(def.clone()).set("value", model.clone()).value();
        assert_eq!(given.await.unwrap(), model);
        let nothing = case_of(def).set("value", Value::Null).run().await.unwrap();
        assert!(nothing[0].is_empty());
    }
}
