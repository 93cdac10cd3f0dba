//! One run of a public workflow: what is there before, and what can be seen afterwards.

use std::path::PathBuf;
use std::sync::Arc;

use nodetool_protocol::{JobEvent, Map, Value};
use nodetool_sdk::models::ChatRequest;
use nodetool_sdk::services::Secrets;
use nodetool_sdk::testing::{Recorder, ScriptedTools};
use nodetool_sdk::{BoxFuture, NodeError};

use super::super::house::{House, Order, Ran};
use super::super::{media, tables};
use super::mailbox::{Mailbox, PASSWORD, USER};
use super::network::{Network, Page};
use super::studio::{Asked, Studio};

type Writer = Box<dyn Fn(&ChatRequest) -> Option<String> + Send + Sync>;

/// A workflow, and what is there before it runs.
pub(super) struct Stage {
    name: &'static str,
    params: Map,
    pages: Vec<Page>,
    letters: Vec<&'static str>,
    files: Vec<(&'static str, Vec<u8>)>,
    tools: ScriptedTools,
    writer: Writer,
    data: Vec<(&'static str, Map)>,
    without: Option<&'static str>,
    zipped: Option<&'static str>,
    after: Option<(&'static str, &'static str)>,
}

impl Stage {
    /// A workflow by the name of its file.
    pub(super) fn of(name: &'static str) -> Self {
        Stage {
            name,
            params: Map::new(),
            pages: Vec::new(),
            letters: Vec::new(),
            files: Vec::new(),
            tools: ScriptedTools::new(),
            writer: Box::new(|_| None),
            data: Vec::new(),
            without: None,
            zipped: None,
            after: None,
        }
    }

    /// With the value of an input.
    pub(super) fn given(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// With a page of the network.
    pub(super) fn page(
        mut self,
        start: &'static str,
        kind: &'static str,
        body: impl Into<bytes::Bytes>,
    ) -> Self {
        self.pages.push(Page::new(start, kind, body));
        self
    }

    /// With a message in the mailbox.
    pub(super) fn letter(mut self, text: &'static str) -> Self {
        self.letters.push(text);
        self
    }

    /// With a file in the workspace.
    pub(super) fn file(mut self, path: &'static str, content: Vec<u8>) -> Self {
        self.files.push((path, content));
        self
    }

    /// With a tool that agents may use.
    pub(super) fn tool(
        mut self,
        name: &str,
        work: impl Fn(Map) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Self {
        self.tools = self.tools.with(name, work);
        self
    }

    /// With an answer of a model that depends on the conversation.
    pub(super) fn writing(
        mut self,
        writer: impl Fn(&ChatRequest) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.writer = Box::new(writer);
        self
    }

    /// With a property the file leaves out.
    pub(super) fn setting(mut self, node: &'static str, name: &'static str, value: &str) -> Self {
        let data = [(name.into(), value.into())].into_iter().collect();
        self.data.push((node, data));
        self
    }

    /// Without a node that nothing is connected to.
    pub(super) fn without(mut self, node: &'static str) -> Self {
        self.without = Some(node);
        self
    }

    /// With a node that takes one item of each input at a time.
    pub(super) fn zipping(mut self, node: &'static str) -> Self {
        self.zipped = Some(node);
        self
    }

    /// With models that answer once everything on the edges from one node to another has been sent: a real model is
    /// never as quick as a script.
    pub(super) fn answering_after(mut self, source: &'static str, target: &'static str) -> Self {
        self.after = Some((source, target));
        self
    }

    /// Makes the run; nothing where the file is not here.
    pub(super) async fn play(self) -> Option<Played> {
        let path = tables::shared(&format!("workflows/{}.json", self.name));
        if !path.exists() {
            println!("SKIPPED 1 run: there is no {}", path.display());
            return None;
        }
        let mut graph = tables::read(&path)
            .get("graph")
            .cloned()
            .unwrap_or_default();
        for (node, data) in &self.data {
            graph = super::super::live::with_data(&graph, node, &data.clone().into());
        }
        if let Some(id) = self.without {
            graph = without(&graph, id);
        }
        if let Some(id) = self.zipped {
            graph = zipped(&graph, id);
        }
        let events: Arc<Recorder> = Arc::default();
        let edges = self.after.map(|(from, to)| edges(&graph, from, to));
        let heard = events.clone();
        let ready = move || {
            let edges = edges.as_deref().unwrap_or_default();
            edges.iter().all(|edge| sent(&heard, edge))
        };
        let network = Network::open(self.pages).await;
        let mailbox = Mailbox::open(&self.letters).await;
        let studio = Studio::new(self.writer, ready);
        let tools = Arc::new(self.tools);
        let house = House::furnished(vec!["127.0.0.1".into()], |services| {
            services.http = network.client(services.http.clone());
            services.dial = mailbox.dial(services.dial.clone());
            services.models = studio.clone();
            services.tools = tools.clone();
            services.secrets = Arc::new(Keys);
        });
        let folder = house.fresh_folder();
        for (path, content) in self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let order = Order {
            graph,
            params: self.params,
            trigger_event: None,
        };
        let ran = house.run_heard(folder.clone(), order, events).await;
        Some(Played {
            asked: studio.asked(),
            ran,
            network,
            mailbox,
            tools,
            folder,
            house,
        })
    }
}

/// A graph without a node; its edges have to be none.
fn without(graph: &Value, id: &str) -> Value {
    let mut graph = graph.as_map().cloned().unwrap_or_default();
    let nodes = graph.get("nodes").and_then(Value::as_list);
    let rest = nodes.unwrap_or_default().iter();
    let rest = rest.filter(|node| node.get("id").and_then(Value::as_str) != Some(id));
    let rest = Value::list(rest.cloned().collect::<Vec<_>>());
    graph.insert("nodes".into(), rest);
    graph.into()
}

/// A graph with a node that waits for an item of each input.
fn zipped(graph: &Value, id: &str) -> Value {
    let mut graph = graph.as_map().cloned().unwrap_or_default();
    let nodes = graph.get("nodes").and_then(Value::as_list);
    let nodes = nodes.unwrap_or_default().iter().map(|node| {
        let mut node = node.as_map().cloned().unwrap_or_default();
        if node.get("id").and_then(Value::as_str) == Some(id) {
            node.insert("sync_mode".into(), "zip_all".into());
        }
        Value::from(node)
    });
    let nodes = Value::list(nodes.collect::<Vec<_>>());
    graph.insert("nodes".into(), nodes);
    graph.into()
}

/// Ids of the edges from one node to another, of which there have to be some.
fn edges(graph: &Value, source: &str, target: &str) -> Vec<String> {
    let edges = graph.get("edges").and_then(Value::as_list);
    let is = |edge: &Value, key: &str, id: &str| edge.get(key).and_then(Value::as_str) == Some(id);
    let between = edges.unwrap_or_default().iter();
    let between = between.filter(|e| is(e, "source", source) && is(e, "target", target));
    let ids: Vec<String> = between
        .filter_map(|e| e.get("id")?.as_str().map(str::to_owned))
        .collect();
    assert!(!ids.is_empty(), "no edge leads from {source} to {target}");
    ids
}

/// Whether an edge has carried something.
fn sent(heard: &Recorder, edge: &str) -> bool {
    heard.events().iter().any(|event| {
        matches!(event, JobEvent::EdgeUpdate { edge_id, counter: Some(n), .. } if **edge_id == *edge && *n > 0)
    })
}

/// A run that has been made.
pub(super) struct Played {
    pub(super) ran: Ran,
    pub(super) asked: Asked,
    pub(super) network: Network,
    pub(super) mailbox: Mailbox,
    pub(super) tools: Arc<ScriptedTools>,
    pub(super) house: House,
    pub(super) folder: PathBuf,
}

impl Played {
    /// The run, which has to have come to a good end.
    pub(super) fn completed(self) -> Self {
        let ended = (&*self.ran.status, &*self.ran.error);
        assert_eq!(ended, ("completed", ""));
        self
    }

    /// All values of an output.
    pub(super) fn output(&self, name: &str) -> Vec<Value> {
        self.ran.outputs.get(name).cloned().unwrap_or_default()
    }

    /// All values of an output, pictures and tables summed up.
    pub(super) fn seen(&self, name: &str) -> Vec<Value> {
        self.output(name).iter().map(media::summary).collect()
    }

    /// All values a preview showed; its id may be cut short.
    pub(super) fn preview(&self, node: &str) -> Vec<Value> {
        let shown = self.ran.told.iter().filter_map(|event| match event {
            JobEvent::PreviewUpdate { node_id, value } if node_id.starts_with(node) => {
                Some(value.clone())
            }
            _ => None,
        });
        shown.collect()
    }

    /// The text of the pieces a preview showed, which have to end with a last one.
    pub(super) fn pieces(&self, node: &str) -> String {
        let pieces = self.preview(node);
        let last = pieces.last().and_then(|piece| piece.get("done"));
        assert_eq!(last, Some(&true.into()), "{pieces:?}");
        let text = |piece: &Value| piece.get("content")?.as_str().map(str::to_owned);
        pieces.iter().filter_map(text).collect()
    }

    /// What a node gave, as it was told at its end; its id may be cut short.
    pub(super) fn result(&self, node: &str) -> Value {
        let results = self.ran.told.iter().filter_map(|event| match event {
            JobEvent::NodeUpdate(update) if update.node_id.starts_with(node) => {
                update.result.clone()
            }
            _ => None,
        });
        results.last().map(Value::from).unwrap_or_default()
    }
}

/// What the user has stored.
struct Keys;

impl Secrets for Keys {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        let value = match key {
            "SERPAPI_API_KEY" => Some("k3y"),
            "GOOGLE_MAIL_USER" => Some(USER),
            "GOOGLE_APP_PASSWORD" => Some(PASSWORD),
            _ => None,
        };
        Box::pin(async move { Ok(value.map(str::to_owned)) })
    }
}
