//! What the server offers to nodes. Traits, because the server implements them and nodes must not know the server.

use std::sync::Arc;

use bytes::Bytes;
use nodetool_protocol::{Map, Value};

use crate::accounts::{AccountToken, ConnectedAccount};
use crate::browsers::{Browsers, Page, PageOptions};
use crate::collections::{
    Collections, Conversations, DocumentRange, FoundDocument, NewDocument, Search,
};
use crate::dial::{Connection, Dial};
use crate::models::{
    ChatMessage, ChatRequest, ChatStream, EmbedRequest, Embeddings, ImageRequest, Media,
    ModelError, ModelErrorKind, Models, SpeechRequest, SpeechStream, TranscribeRequest, Transcript,
    VideoRequest,
};
use crate::programs::Programs;
use crate::tools::{Tool, Tools};
use crate::{BoxFuture, NodeCx, NodeError};

/// The services of one run; cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Contents of asset references.
    pub assets: Arc<dyn Assets>,
    /// Secrets and settings by key.
    pub secrets: Arc<dyn Secrets>,
    /// The one guarded HTTP client.
    pub http: Arc<dyn Http>,
    /// Connections for other protocols than HTTP.
    pub dial: Arc<dyn Dial>,
    /// The JavaScript sandbox.
    pub scripts: Arc<dyn Scripts>,
    /// Other stored workflows.
    pub workflows: Arc<dyn Workflows>,
    /// Models of all providers.
    pub models: Arc<dyn Models>,
    /// What models can have done.
    pub tools: Arc<dyn Tools>,
    /// Documents found by meaning.
    pub collections: Arc<dyn Collections>,
    /// Conversations that are kept.
    pub conversations: Arc<dyn Conversations>,
    /// What is written in files that are no plain text.
    pub documents: Arc<dyn Documents>,
    /// Programs of the machine.
    pub programs: Arc<dyn Programs>,
    /// Web browsers.
    pub browsers: Arc<dyn Browsers>,
}

impl Services {
    /// Services that all answer "not available here".
    pub fn none() -> Self {
        Services {
            assets: Arc::new(Absent),
            secrets: Arc::new(Absent),
            http: Arc::new(Absent),
            dial: Arc::new(Absent),
            scripts: Arc::new(Absent),
            workflows: Arc::new(Absent),
            models: Arc::new(Absent),
            tools: Arc::new(Absent),
            collections: Arc::new(Absent),
            conversations: Arc::new(Absent),
            documents: Arc::new(Absent),
            programs: Arc::new(Absent),
            browsers: Arc::new(Absent),
        }
    }
}

/// Reads and stores assets.
pub trait Assets: Send + Sync {
    /// The bytes behind an asset reference.
    fn read<'a>(&'a self, reference: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>>;
    /// Stores bytes as a new asset and gives a reference to it.
    fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>>;
    /// The assets directly in a folder, by name.
    fn list<'a>(&'a self, folder: &'a Value) -> BoxFuture<'a, Result<Vec<ListedAsset>, NodeError>> {
        let _ = folder;
        absent("Listing asset folders")
    }
}

/// An asset of a folder.
#[derive(Clone, Debug)]
pub struct ListedAsset {
    /// File name.
    pub name: String,
    /// MIME type.
    pub content_type: String,
    /// A reference its bytes can be read by.
    pub reference: Value,
}

/// An asset to store.
#[derive(Clone, Debug)]
pub struct NewAsset {
    /// Type tag of the reference: `image`, `text`, …
    pub kind: &'static str,
    /// File name.
    pub name: String,
    /// MIME type.
    pub content_type: String,
    /// The bytes.
    pub data: Bytes,
    /// Asset id of the folder.
    pub parent_id: Option<String>,
    /// The node that makes it.
    pub node_id: Option<Arc<str>>,
}

/// Reads what is written in documents.
pub trait Documents: Send + Sync {
    /// The text of each page of a PDF file.
    fn pdf_pages<'a>(&'a self, file: Bytes) -> BoxFuture<'a, Result<Vec<String>, NodeError>>;
}

/// Reads secrets.
pub trait Secrets: Send + Sync {
    /// The value of a secret of the run's user.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>>;

    /// The accounts the run's user has connected at a site, which is named by a word such as `google`.
    fn accounts<'a>(
        &'a self,
        site: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ConnectedAccount>, NodeError>> {
        let _ = site;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// A token of one of them; nothing when there is no such account. `refused` is a token that the site takes no
    /// longer, so that another one is wanted.
    fn account_token<'a>(
        &'a self,
        site: &'a str,
        id: &'a str,
        refused: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<AccountToken>, NodeError>> {
        let _ = (site, id, refused);
        Box::pin(async { Ok(None) })
    }
}

/// An HTTP request of a node.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// Method.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Bytes>,
    /// Seconds for the whole exchange; `None` for the server's default.
    pub timeout_s: Option<f64>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// URL after redirects.
    pub url: String,
}

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpFailure {
    /// A stable word for it, such as `ConnectionError` or `TimeoutError`.
    pub kind: &'static str,
    /// What happened, for people; never holds a path, a query or a credential.
    pub message: String,
}

impl HttpFailure {
    /// The kind of a failure nothing more is known of.
    pub const UNKNOWN: &'static str = "RequestError";
}

/// The one way to the network: refuses private, loopback and metadata addresses, re-checks redirects, caps size and
/// time.
pub trait Http: Send + Sync {
    /// Sends a request.
    fn send<'a>(&'a self, request: HttpRequest) -> BoxFuture<'a, Result<HttpResponse, NodeError>>;

    /// Sends a request and gives the first answer, a redirect too, instead of following it.
    fn send_once<'a>(
        &'a self,
        request: HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, HttpFailure>> {
        Box::pin(async move {
            self.send(request).await.map_err(|e| HttpFailure {
                kind: HttpFailure::UNKNOWN,
                message: e.to_string(),
            })
        })
    }
}

/// What a script gave.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptResult {
    /// Null or undefined.
    Nothing,
    /// A plain object: one output per key.
    Outputs(Map),
    /// Any other value.
    Value(Value),
}

/// Limits of one script call.
#[derive(Clone, Debug)]
pub struct ScriptLimits {
    /// Wall clock; `None` for no limit.
    pub timeout_s: Option<f64>,
    /// Most bytes the result may have.
    pub max_output_bytes: usize,
}

/// Runs JavaScript outside the server process.
pub trait Scripts: Send + Sync {
    /// Evaluates one expression over `item` for each item; a throwing one is an `Err` of that item only.
    fn eval_items<'a>(
        &'a self,
        expression: &'a str,
        items: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Result<Value, String>>, NodeError>>;
    /// Opens a session that keeps one `state` object across calls.
    fn session<'a>(
        &'a self,
        code: &'a str,
        packages: Vec<String>,
        limits: ScriptLimits,
    ) -> BoxFuture<'a, Result<Box<dyn ScriptSession>, NodeError>>;
}

/// Answers what a script asks of its host: `fetch`, `getSecret`, workspace files, `sleep`, log lines.
pub trait ScriptHost: Send + Sync {
    /// One call.
    fn call<'a>(&'a self, name: &'a str, args: Vec<Value>) -> BoxFuture<'a, Result<Value, String>>;
}

/// One script with its state.
pub trait ScriptSession: Send {
    /// Runs the script once; yielded values come first, in order.
    fn call<'a>(
        &'a mut self,
        inputs: Map,
        host: &'a dyn ScriptHost,
        on_yield: &'a mut (dyn FnMut(Value) + Send),
    ) -> BoxFuture<'a, Result<ScriptResult, NodeError>>;
}

/// Runs other workflows.
pub trait Workflows: Send + Sync {
    /// Runs a stored workflow inside the calling run; `on_output` gets each output by name, as it comes.
    fn run<'a>(
        &'a self,
        workflow_id: &'a str,
        params: Map,
        cx: &'a NodeCx,
        on_output: &'a mut (dyn FnMut(Arc<str>, Value) + Send),
    ) -> BoxFuture<'a, Result<(), NodeError>>;
}

pub(crate) struct Absent;

pub(crate) fn absent<'a, T: Send + 'a>(what: &'static str) -> BoxFuture<'a, Result<T, NodeError>> {
    Box::pin(async move { Err(NodeError::new(format!("{what} is not available here"))) })
}

impl Assets for Absent {
    fn read<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
        absent("The asset store")
    }
    fn create<'a>(&'a self, _: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
        absent("The asset store")
    }
}
impl Documents for Absent {
    fn pdf_pages<'a>(&'a self, _: Bytes) -> BoxFuture<'a, Result<Vec<String>, NodeError>> {
        absent("Reading documents")
    }
}
impl Secrets for Absent {
    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        Box::pin(async { Ok(None) })
    }
}
impl Http for Absent {
    fn send<'a>(&'a self, _: HttpRequest) -> BoxFuture<'a, Result<HttpResponse, NodeError>> {
        absent("The network")
    }
}
impl Dial for Absent {
    fn connect<'a>(
        &'a self,
        _: &'a str,
        _: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        absent("The network")
    }
    fn secure<'a>(
        &'a self,
        _: Box<dyn Connection>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        absent("The network")
    }
}
impl Scripts for Absent {
    fn eval_items<'a>(
        &'a self,
        _: &'a str,
        _: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Result<Value, String>>, NodeError>> {
        absent("The JavaScript sandbox")
    }
    fn session<'a>(
        &'a self,
        _: &'a str,
        _: Vec<String>,
        _: ScriptLimits,
    ) -> BoxFuture<'a, Result<Box<dyn ScriptSession>, NodeError>> {
        absent("The JavaScript sandbox")
    }
}
impl Workflows for Absent {
    fn run<'a>(
        &'a self,
        _: &'a str,
        _: Map,
        _: &'a NodeCx,
        _: &'a mut (dyn FnMut(Arc<str>, Value) + Send),
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        absent("The workflow store")
    }
}

fn no_models<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, ModelError>> {
    Box::pin(async move {
        let message = "models are not available here";
        Err(ModelError::new(ModelErrorKind::Unsupported, "", message))
    })
}

impl Models for Absent {
    fn chat<'a>(&'a self, _: ChatRequest) -> BoxFuture<'a, Result<ChatStream, ModelError>> {
        no_models()
    }
    fn embed<'a>(&'a self, _: EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        no_models()
    }
    fn image<'a>(&'a self, _: ImageRequest) -> BoxFuture<'a, Result<Vec<Media>, ModelError>> {
        no_models()
    }
    fn video<'a>(&'a self, _: VideoRequest) -> BoxFuture<'a, Result<Media, ModelError>> {
        no_models()
    }
    fn speech<'a>(&'a self, _: SpeechRequest) -> BoxFuture<'a, Result<SpeechStream, ModelError>> {
        no_models()
    }
    fn transcribe<'a>(
        &'a self,
        _: TranscribeRequest,
    ) -> BoxFuture<'a, Result<Transcript, ModelError>> {
        no_models()
    }
}
impl Tools for Absent {
    fn find<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Vec<Option<Tool>>> {
        Box::pin(async move { vec![None; names.len()] })
    }
    fn call<'a>(&'a self, _: &'a str, _: Map) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async { Err("tools are not available here".to_owned()) })
    }
}
impl Collections for Absent {
    fn ensure<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), NodeError>> {
        absent("The store of collections")
    }
    fn put<'a>(
        &'a self,
        _: &'a str,
        _: Vec<NewDocument>,
    ) -> BoxFuture<'a, Result<Vec<String>, NodeError>> {
        absent("The store of collections")
    }
    fn search<'a>(
        &'a self,
        _: &'a str,
        _: Search,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
        absent("The store of collections")
    }
    fn documents<'a>(
        &'a self,
        _: &'a str,
        _: DocumentRange,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
        absent("The store of collections")
    }
    fn count<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<u64, NodeError>> {
        absent("The store of collections")
    }
}
impl Conversations for Absent {
    fn ensure<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<String, NodeError>> {
        absent("The store of conversations")
    }
    fn messages<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<ChatMessage>, NodeError>> {
        absent("The store of conversations")
    }
    fn add<'a>(&'a self, _: &'a str, _: Vec<ChatMessage>) -> BoxFuture<'a, Result<(), NodeError>> {
        absent("The store of conversations")
    }
}
impl Browsers for Absent {
    fn available(&self) -> bool {
        false
    }
    fn sessions<'a>(&'a self) -> BoxFuture<'a, Result<Vec<(String, String)>, NodeError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn open<'a>(
        &'a self,
        _: &'a str,
        _: PageOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Page>, NodeError>> {
        absent("A browser")
    }
}
