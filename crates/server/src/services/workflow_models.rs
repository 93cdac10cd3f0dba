//! Workflows as models: which of them converse, and conversations with them as streams of what models say.
//!
//! It must not know HTTP, nor any provider.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_engine::{AssetMode, Plan, RunOptions, RunOutcome, Runner};
use nodetool_protocol::{Graph, Map};
use nodetool_sdk::models::{ChatRequest, ChatStream, ModelError, ModelErrorKind};
use nodetool_sdk::services::Services;
use nodetool_sdk::{RunCx, Variables};
use nodetool_store::{WorkflowFilter, new_id};
use tokio::sync::{Notify, Semaphore};

use super::{
    Caller, Feed, JobService, Loaded, ModelService, RunError, StartRun, Subject, WorkflowError,
    WorkflowService, read_graph,
};

mod here;
mod talk;
mod telling;

use here::HereRun;
pub(in crate::services) use talk::Talk;
use telling::{Grip, conversation};

/// How the names of workflows as models begin.
pub(crate) const WORKFLOW_PREFIX: &str = "workflow/";
/// The code of a conversation that ended because its run failed.
pub(crate) const WORKFLOW_FAILED: &str = "workflow_failed";

/// Most saved workflows that are looked through.
const MAX_WORKFLOWS: usize = 1000;
/// Workflows of which it is remembered whether they converse.
const REMEMBERED: usize = 8192;
/// Longest name that a model has.
const MAX_NAME: usize = 120;
/// Runs of workflow files in this process at the same time.
const MOST_HERE: usize = 64;

/// A workflow file that is a model.
pub(crate) struct WorkflowFile {
    pub(crate) name: String,
    pub(crate) graph: Graph,
    pub(crate) plan: Arc<Plan>,
}

/// Saved workflows and how they run.
#[derive(Clone)]
struct Saved {
    workflows: WorkflowService,
    jobs: JobService,
}

struct File {
    name: String,
    talk: Talk,
    graph: Graph,
    plan: Arc<Plan>,
}

struct Inner {
    saved: Option<Saved>,
    files: Vec<File>,
    /// What runs in this process work with, where there are no jobs.
    here: Option<(Services, ModelService)>,
    places: Arc<Semaphore>,
    /// Whether a workflow converses, as of its last save.
    known: Mutex<HashMap<String, (i64, bool)>>,
}

/// Workflows a caller may converse with; clones share everything.
#[derive(Clone)]
pub(crate) struct WorkflowModels(Arc<Inner>);

/// Why a file is no model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoModel {
    #[error(
        "the workflow `{0}` cannot be a model: it has no input for a message or a text, or no output for text"
    )]
    Mute(String),
    #[error("two workflows are called `{0}`")]
    Twice(String),
}

impl WorkflowModels {
    /// The saved workflows of each caller, and files for everybody, run as jobs.
    pub(crate) fn saved(
        workflows: WorkflowService,
        jobs: JobService,
        files: Vec<WorkflowFile>,
    ) -> Result<Self, NoModel> {
        Self::new(Some(Saved { workflows, jobs }), None, files)
    }

    /// Files only, run in this process.
    pub(crate) fn files(
        services: Services,
        models: ModelService,
        files: Vec<WorkflowFile>,
    ) -> Result<Self, NoModel> {
        Self::new(None, Some((services, models)), files)
    }

    fn new(
        saved: Option<Saved>,
        here: Option<(Services, ModelService)>,
        files: Vec<WorkflowFile>,
    ) -> Result<Self, NoModel> {
        let mut read: Vec<File> = Vec::new();
        for file in files {
            if read.iter().any(|other| other.name == file.name) {
                return Err(NoModel::Twice(file.name));
            }
            let Some(talk) = Talk::of(&file.graph, Some("chat")) else {
                return Err(NoModel::Mute(file.name));
            };
            read.push(File {
                name: file.name,
                talk,
                graph: file.graph,
                plan: file.plan,
            });
        }
        Ok(WorkflowModels(Arc::new(Inner {
            saved,
            files: read,
            here,
            places: Arc::new(Semaphore::new(MOST_HERE)),
            known: Mutex::default(),
        })))
    }

    /// Ids of the workflows the caller may converse with: `workflow/` and their name, or their id where the name is
    /// another's, too, or is no name for a model.
    pub(crate) async fn list(&self, caller: &Caller) -> Result<Vec<String>, WorkflowError> {
        let mut found: Vec<(String, Option<String>)> = Vec::new();
        found.extend(self.0.files.iter().map(|file| (file.name.clone(), None)));
        if let Some(saved) = &self.0.saved {
            for (id, name, at, run_mode) in rows(&saved.workflows, caller).await? {
                if self.converses(saved, caller, &id, at, run_mode).await? {
                    found.push((name, Some(id)));
                }
            }
        }
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (name, _) in &found {
            *times.entry(name).or_default() += 1;
        }
        let named = found.iter().map(|(name, id)| {
            let shown = match id {
                Some(id) if times[name.as_str()] > 1 || !is_plain(name) => id,
                _ => name,
            };
            format!("{WORKFLOW_PREFIX}{shown}")
        });
        Ok(named.collect())
    }

    async fn converses(
        &self,
        saved: &Saved,
        caller: &Caller,
        id: &str,
        at: i64,
        run_mode: Option<String>,
    ) -> Result<bool, WorkflowError> {
        let known = || self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, converses)) = known().get(id)
            && *when == at
        {
            return Ok(*converses);
        }
        let row = match saved.workflows.get(caller, id).await {
            Ok(row) => row,
            // Deleted meanwhile.
            Err(WorkflowError::NotFound) => return Ok(false),
            Err(e) => return Err(e),
        };
        let graph = read_graph(&row.id, &row.graph);
        // One that cannot be read cannot be spoken with either; whoever opens it is told why.
        let converses = graph.is_ok_and(|graph| Talk::of(&graph, run_mode.as_deref()).is_some());
        let mut known = known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(row.id, (row.updated_at, converses));
        Ok(converses)
    }

    /// Converses with a workflow; `model` is its name or id without the prefix. Dropping the stream cancels the run.
    pub(crate) async fn chat(
        &self,
        caller: Caller,
        model: &str,
        request: &ChatRequest,
    ) -> Result<ChatStream, ModelError> {
        if let Some(file) = self.0.files.iter().find(|file| file.name == model) {
            check_plain(request)?;
            return self.chat_with_file(caller, file, request).await;
        }
        let Some(saved) = &self.0.saved else {
            return Err(unknown(model));
        };
        let (loaded, talk) = partner(&saved.workflows, &caller, model, request).await?;
        start(&saved.jobs, caller, loaded, &talk, request).await
    }

    async fn chat_with_file(
        &self,
        caller: Caller,
        file: &File,
        request: &ChatRequest,
    ) -> Result<ChatStream, ModelError> {
        if let Some(saved) = &self.0.saved {
            let loaded = Arc::new(saved.workflows.plan_graph(&caller, &file.graph));
            return start(&saved.jobs, caller, loaded, &file.talk, request).await;
        }
        let Some((services, models)) = &self.0.here else {
            return Err(unknown(&file.name));
        };
        let Ok(place) = self.0.places.clone().try_acquire_owned() else {
            let message = format!("more than {MOST_HERE} workflows are at work; try again later");
            let kind = ModelErrorKind::RateLimited { retry_after: None };
            return Err(about(kind, message));
        };
        let mut services = services.clone();
        services.models = models.of(&caller);
        let options = options(file.talk.params(request, &file.plan));
        let subject = Subject {
            job_id: new_id().into(),
            workflow_id: "".into(),
            user_id: caller.user_id.as_str().into(),
        };
        let (plan, ids) = (file.plan.clone(), subject.clone());
        Ok(inside(subject, &file.talk, |feed| async move {
            let cx = RunCx {
                job_id: ids.job_id,
                workflow_id: ids.workflow_id,
                user_id: ids.user_id,
                depth: 0,
                services,
                variables: Variables::default(),
                workspace: None,
                events: feed,
            };
            let outcome = Runner::new(plan, Arc::new(cx), options).execute().await;
            drop(place);
            Ok(outcome)
        }))
    }
}

/// Options of a run that converses.
pub(in crate::services) fn options(params: Map) -> RunOptions {
    RunOptions {
        params,
        assets: AssetMode::DataUri,
        pushes: false,
        ..RunOptions::default()
    }
}

/// A conversation with a run in this process.
pub(in crate::services) fn inside<F>(
    subject: Subject,
    talk: &Talk,
    run: impl FnOnce(Arc<Feed>) -> F,
) -> ChatStream
where
    F: Future<Output = Result<RunOutcome, String>> + Send + 'static,
{
    let wake = Arc::new(Notify::new());
    let run = HereRun::start(subject, wake.clone(), run);
    conversation(Grip::Here(run), wake, talk)
}

/// A saved workflow the caller may converse with, by its name or id.
pub(in crate::services) async fn partner(
    workflows: &WorkflowService,
    caller: &Caller,
    model: &str,
    request: &ChatRequest,
) -> Result<(Arc<Loaded>, Talk), ModelError> {
    check_plain(request)?;
    let found = find(workflows, caller, model).await?;
    let row = workflows.get(caller, &found).await;
    let row = row.map_err(|e| failed(model, e))?;
    let graph = read_graph(&row.id, &row.graph).map_err(|e| failed(model, e))?;
    let Some(talk) = Talk::of(&graph, row.run_mode.as_deref()) else {
        let message = format!(
            "The workflow `{model}` cannot converse: it has no input for a message or a text, or no output for text"
        );
        return Err(about(ModelErrorKind::UnknownModel, message));
    };
    let loaded = workflows.load(caller, &found).await;
    Ok((loaded.map_err(|e| failed(model, e))?, talk))
}

/// Refuses what a workflow cannot be told.
fn check_plain(request: &ChatRequest) -> Result<(), ModelError> {
    let param = match request {
        request if !request.tools.is_empty() => "tools",
        request if request.logprobs.is_some() => "logprobs",
        _ => return Ok(()),
    };
    let message = format!("A workflow takes no '{param}': it answers as it was made to.");
    Err(ModelError {
        param: Some(param.to_owned()),
        ..ModelError::new(ModelErrorKind::Unsupported, "workflow", message)
    })
}

async fn start(
    jobs: &JobService,
    caller: Caller,
    loaded: Arc<Loaded>,
    talk: &Talk,
    request: &ChatRequest,
) -> Result<ChatStream, ModelError> {
    let params = match &loaded.plan {
        Ok(plan) => talk.params(request, plan),
        // The run says what is wrong with it.
        Err(_) => Map::new(),
    };
    let start = StartRun {
        assets: AssetMode::DataUri,
        ..StartRun::new(caller, loaded, params)
    };
    let wake = Arc::new(Notify::new());
    let run = jobs.follow(start, wake.clone()).await.map_err(refused)?;
    Ok(conversation(Grip::Job(run), wake, talk))
}

/// Whether a name can be that of a model: nothing that is hard to type or has a meaning in paths.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= MAX_NAME
        && name.trim() == name
        && !name.chars().any(|c| c.is_control() || c == '/')
}

/// Id, name, time of the last save and run mode of the caller's workflows, the last saved first.
async fn rows(
    workflows: &WorkflowService,
    caller: &Caller,
) -> Result<Vec<(String, String, i64, Option<String>)>, WorkflowError> {
    let filter = WorkflowFilter {
        user_id: Some(caller.user_id.clone()),
        columns: Some(vec!["id", "name", "updated_at", "run_mode"]),
        ..WorkflowFilter::default()
    };
    let page = workflows.list(filter, MAX_WORKFLOWS, "").await?;
    let rows = page.rows.into_iter();
    Ok(rows
        .map(|row| (row.id, row.name, row.updated_at, row.run_mode))
        .collect())
}

/// The id of a workflow by its id or name.
async fn find(
    workflows: &WorkflowService,
    caller: &Caller,
    model: &str,
) -> Result<String, ModelError> {
    match workflows.check_readable(caller, model).await {
        Ok(()) => return Ok(model.to_owned()),
        Err(WorkflowError::NotFound) => {}
        Err(e) => return Err(failed(model, e)),
    }
    let rows = rows(workflows, caller)
        .await
        .map_err(|e| failed(model, e))?;
    let mut named = rows.into_iter().filter(|(_, name, ..)| name == model);
    match (named.next(), named.next()) {
        (Some((id, ..)), None) => Ok(id),
        (None, _) => Err(unknown(model)),
        (Some(_), Some(_)) => {
            let message = format!(
                "There are several workflows called `{model}`: name one by its id, `{WORKFLOW_PREFIX}<id>`"
            );
            Err(about(ModelErrorKind::BadRequest, message))
        }
    }
}

fn about(kind: ModelErrorKind, message: String) -> ModelError {
    ModelError {
        param: Some("model".into()),
        ..ModelError::new(kind, "workflow", message)
    }
}

fn unknown(model: &str) -> ModelError {
    let message = format!("There is no workflow `{model}`");
    about(ModelErrorKind::UnknownModel, message)
}

fn failed(model: &str, e: WorkflowError) -> ModelError {
    match e {
        WorkflowError::NotFound | WorkflowError::Foreign => unknown(model),
        e => ModelError::new(ModelErrorKind::Internal, "workflow", e.to_string()),
    }
}

fn refused(e: RunError) -> ModelError {
    let kind = match &e {
        RunError::TooMany(_) => ModelErrorKind::RateLimited { retry_after: None },
        RunError::ShuttingDown => ModelErrorKind::Connection,
        RunError::Workflow(_) | RunError::Store(_) | RunError::Taken(_) | RunError::Running(_) => {
            ModelErrorKind::Internal
        }
    };
    ModelError::new(kind, "workflow", e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_hard_to_type_are_no_names_of_models() {
        for plain in ["Poet", "My poet 2", "詩人", "a.b-c:d"] {
            assert!(is_plain(plain), "{plain}");
        }
        for odd in ["", " Poet", "a/b", "a\nb", "\u{7}"] {
            assert!(!is_plain(odd), "{odd:?}");
        }
        assert!(!is_plain(&"x".repeat(MAX_NAME + 1)));
    }
}
