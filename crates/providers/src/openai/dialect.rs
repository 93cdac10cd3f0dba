//! How a provider of the family differs from the others. It must not know how anything is written or read.

/// The field that bounds the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// `max_tokens`.
    Tokens,
    /// `max_completion_tokens`.
    CompletionTokens,
    /// The one that OpenAI's model of that name takes.
    ByModel,
}

/// Which forms of JSON a provider can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    /// Any object, and a schema.
    Both,
    /// Any object; a schema is put in words.
    Object,
    /// A schema; any object is a schema too.
    Schema,
}

/// What becomes of the reasoning of the turn that is still going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thoughts {
    /// It is not sent back.
    Dropped,
    /// In this field of the message.
    Field(&'static str),
    /// In the text, between `<think>` and `</think>`.
    Tags,
}

/// Which documents a provider reads itself. Documents that are text are written out for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Documents {
    /// None.
    None,
    /// Those whose contents are sent.
    Contents,
    /// Those at an address too.
    Address,
}

/// How much a provider turns into vectors at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Texts.
    pub(crate) texts: usize,
    /// Bytes of all of them together; a stand-in for tokens.
    pub(crate) bytes: usize,
    /// Whether the vectors can come as base64.
    pub(crate) base64: bool,
    /// The field for the length of the vectors.
    pub(crate) dimensions: &'static str,
}

impl Batch {
    /// What every server takes.
    pub(crate) const SMALL: Batch = Batch {
        texts: 64,
        bytes: 100_000,
        base64: false,
        dimensions: "dimensions",
    };
}

/// How a provider is asked for a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawing {
    /// By the sizes of OpenAI's own models.
    OpenAi,
    /// With any `size`.
    Size,
    /// With `width`, `height` and the words of diffusion models.
    Diffusion,
    /// Without a size.
    Plain,
}

/// A provider's way of speaking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// Whether usage comes only when `stream_options` asks for it. Where it comes anyway the field is refused.
    pub(crate) asks_usage: bool,
    /// The field that bounds the answer.
    pub(crate) limit: Limit,
    /// The field of the seed.
    pub(crate) seed: &'static str,
    /// Which forms of JSON there are.
    pub(crate) json: Json,
    /// Whether `user` is taken.
    pub(crate) takes_user: bool,
    /// Whether OpenAI's fields beside the conversation are taken: `service_tier`, `metadata` and their like.
    pub(crate) takes_fields: bool,
    /// Whether arguments of earlier calls are read, so that what is no JSON object is refused with all the rest.
    pub(crate) reads_arguments: bool,
    /// Whether messages may have a `name`.
    pub(crate) takes_names: bool,
    /// Whether ids of tool calls have nine letters or digits.
    pub(crate) short_ids: bool,
    /// What becomes of reasoning.
    pub(crate) thoughts: Thoughts,
    /// Whether reasoning may come inside the text, between `<think>` and `</think>`.
    pub(crate) think_tags: bool,
    /// Whether a sound is its base64 and nothing else.
    pub(crate) plain_sounds: bool,
    /// Which documents are read.
    pub(crate) documents: Documents,
    /// Whether videos are taken.
    pub(crate) takes_video: bool,
    /// Whether some models are better spoken to through `/responses`.
    pub(crate) responses: bool,
    /// What follows the model's name after a colon.
    pub(crate) suffix: Option<&'static str>,
    /// Vectors.
    pub(crate) embeds: Option<Batch>,
    /// Pictures.
    pub(crate) draws: Option<Drawing>,
    /// Speech, as PCM.
    pub(crate) speaks: bool,
    /// Speech recognition.
    pub(crate) transcribes: bool,
}

impl Dialect {
    /// A host of language models that speaks the wire as most do.
    pub(crate) const HOST: Dialect = Dialect {
        asks_usage: true,
        limit: Limit::Tokens,
        seed: "seed",
        json: Json::Both,
        takes_user: true,
        takes_fields: false,
        reads_arguments: true,
        takes_names: true,
        short_ids: false,
        thoughts: Thoughts::Dropped,
        think_tags: false,
        plain_sounds: false,
        documents: Documents::None,
        takes_video: false,
        responses: false,
        suffix: None,
        embeds: None,
        draws: None,
        speaks: false,
        transcribes: false,
    };

    /// A server that somebody runs, with models of any kind.
    pub(crate) const SERVER: Dialect = Dialect {
        think_tags: true,
        takes_video: true,
        embeds: Some(Batch::SMALL),
        ..Dialect::HOST
    };

    /// Nothing is known: all parts of the wire may be there, and what is not refuses in its own words.
    pub(crate) const OPEN: Dialect = Dialect {
        limit: Limit::ByModel,
        takes_fields: true,
        documents: Documents::Contents,
        draws: Some(Drawing::Size),
        speaks: true,
        transcribes: true,
        ..Dialect::SERVER
    };
}
