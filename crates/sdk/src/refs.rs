//! Typed objects that nodes mostly pass on: asset references, model selectors, dates.
//!
//! Each keeps the whole object, so keys this version does not know survive.

use nodetool_protocol::{TypeMetadata, Value, catalogue};

use crate::ValueType;

macro_rules! typed_refs {
    ($($(#[$doc:meta])* $name:ident = $tag:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name(pub Value);

        impl $name {
            /// The type tag.
            pub const TAG: &'static str = $tag;

            /// A member of the object; null when absent.
            pub fn get(&self, key: &str) -> Value {
                self.0.get(key).cloned().unwrap_or_default()
            }

            /// A text member of the object; empty when absent.
            pub fn text(&self, key: &str) -> &str {
                self.0.get(key).and_then(Value::as_str).unwrap_or_default()
            }

            /// Whether it refers to nothing: no uri, no asset id, no data.
            pub fn is_empty(&self) -> bool {
                self.text("uri").is_empty() && self.get("asset_id").is_null() && self.get("data").is_null()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name(catalogue::default_value($tag).unwrap_or_default())
            }
        }

        impl ValueType for $name {
            fn type_metadata() -> TypeMetadata {
                TypeMetadata::new($tag)
            }
            fn from_value(value: Value) -> Result<Self, String> {
                if value.is_null() { Ok(Self::default()) } else { Ok($name(value)) }
            }
            fn into_value(self) -> Value {
                self.0
            }
            fn default_value() -> Value {
                Self::default().0
            }
        }
    )*};
}

typed_refs! {
    /// An image.
    ImageRef = "image",
    /// A sound.
    AudioRef = "audio",
    /// A video.
    VideoRef = "video",
    /// A text file.
    TextRef = "text",
    /// An HTML file.
    HtmlRef = "html",
    /// A document.
    DocumentRef = "document",
    /// A folder of assets.
    FolderRef = "folder",
    /// A JSON file.
    JsonRef = "json",
    /// A vector drawing.
    SvgRef = "svg",
    /// A 3D model.
    Model3dRef = "model_3d",
    /// A table: `columns` and rows in `data`.
    DataframeRef = "dataframe",
    /// A colour.
    ColorRef = "color",
    /// A font.
    FontRef = "font",
    /// Width and height in pixels.
    ImageSize = "image_size",
    /// Year, month, day.
    Date = "date",
    /// A date with a time of day and a zone.
    DateTime = "datetime",
    /// A chat message.
    Message = "message",
    /// A language model selector.
    LanguageModel = "language_model",
    /// An image model selector.
    ImageModel = "image_model",
    /// A video model selector.
    VideoModel = "video_model",
    /// A text-to-speech model selector.
    TtsModel = "tts_model",
    /// A speech recognition model selector.
    AsrModel = "asr_model",
    /// An embedding model selector.
    EmbeddingModel = "embedding_model",
    /// A Hugging Face repository selector.
    HfModel = "hf.model",
    /// A selector of a model Ollama has.
    LlamaModel = "llama_model",
    /// A collection of documents, by its name.
    CollectionRef = "collection",
    /// Names and types of the columns of a table.
    RecordType = "record_type",
    /// An array of numbers: raw bytes in `value`, `dtype` and `shape`.
    NpArray = "np_array",
    /// Vectors to search in.
    FaissIndex = "faiss_index",
    /// A chart: data and layout in `config`.
    PlotlyConfig = "plotly_config",
    /// A tool, by its name.
    ToolName = "tool_name",
    /// An element of a vector drawing.
    SvgElement = "svg_element",
    /// A piece of streamed content.
    Chunk = "chunk",
}
