//! Between the engine and a step's own code: the form is checked, rendered and bound for each token, and what the step
//! gives notes where it comes from.

use std::sync::{Arc, LazyLock};

use nodetool_sdk::steps::{
    Flow, FormFaults, FormSpec, Pool, Step, StepCx, StepDef, StepError, StepKind, StepRole, Token,
};
use nodetool_sdk::{BoxFuture, Map, NodeError, Value};

use crate::form::{BoundForm, assert_sound};
use crate::template::Names;

/// Metadata of a token: the node it comes from, and the type of that node.
static SOURCE: LazyLock<[Arc<str>; 2]> =
    LazyLock::new(|| ["sourceNodeID".into(), "sourceNodeName".into()]);

/// The values of a step without a form.
static NO_FIELDS: LazyLock<Fields> = LazyLock::new(Fields::default);

/// The bound values of a form.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Map);

impl Fields {
    /// A text; empty when absent.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A whole number; `None` when absent.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.0.get(name) {
            Some(Value::Int(n)) => Some(*n),
            _ => None,
        }
    }

    /// A number; `None` when absent.
    pub fn float(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(Value::Float(n)) => Some(*n),
            #[expect(clippy::cast_precision_loss, reason = "numbers people type")]
            Some(Value::Int(n)) => Some(*n as f64),
            _ => None,
        }
    }

    /// A checkbox; false when absent.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::Bool(true)))
    }

    /// What the text of a field holds as JSON; `None` when it is empty.
    ///
    /// # Errors
    /// What the JSON parser says.
    pub fn json(&self, name: &str) -> Result<Option<Value>, String> {
        let text = self.text(name);
        if text.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(text)
            .map(Some)
            .map_err(|e| e.to_string())
    }

    /// The value as it is; null when absent.
    pub fn value(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

/// A step whose form is bound before its code runs.
pub trait FormStep: Default + Send + 'static {
    /// Name in graphs, such as `http-request`.
    const IDENTIFIER: &'static str;
    /// Class name clients know it by.
    const CLASS: &'static str;
    /// Name people read, where it has one.
    const LABEL: Option<&'static str> = None;
    /// What it does; steps without a label have none on the wire (spec 5.7).
    const DESCRIPTION: Option<&'static str> = None;
    /// Group it is listed in.
    const CATEGORY: &'static str;
    /// What kind of step it is.
    const KIND: StepKind = StepKind::Blocking;
    /// What the engine makes of it.
    const ROLE: StepRole = StepRole::Plain;
    /// Where its code runs.
    const POOL: Pool = Pool::Async;
    /// Workflow types it may be part of.
    const SUPPORTS: &'static [&'static str] = &["production", "api"];
    /// Whether it changes something outside the run.
    const EFFECTS: bool = false;

    /// Its form, if it has one.
    fn form() -> Option<FormSpec>;

    /// Once, before the first token, with what the form holds already: fields whose templates look at `data` are
    /// absent. Calls [`setup`](Self::setup) unless it is overridden.
    fn setup_with(
        &mut self,
        fields: &Fields,
        cx: &StepCx,
    ) -> impl Future<Output = Result<(), NodeError>> + Send {
        let _ = fields;
        self.setup(cx)
    }

    /// Once, before the first token.
    fn setup(&mut self, cx: &StepCx) -> impl Future<Output = Result<(), NodeError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }

    /// One token.
    fn run(
        &mut self,
        fields: &Fields,
        token: Token,
        cx: &StepCx,
    ) -> impl Future<Output = Result<Flow, NodeError>> + Send;

    /// Once, after the last token.
    fn cleanup(&mut self, last: Option<&Token>, cx: &StepCx) -> impl Future<Output = ()> + Send {
        let _ = (last, cx);
        std::future::ready(())
    }
}

/// The registry entry of a step.
///
/// # Panics
/// When its form contradicts itself, which is a defect of ours.
pub fn define<S: FormStep>() -> StepDef {
    let form = S::form().map(Arc::new);
    if let Some(form) = &form {
        assert_sound(form);
    }
    let spec = form.clone();
    StepDef {
        identifier: S::IDENTIFIER.into(),
        class: S::CLASS.into(),
        label: S::LABEL.map(Into::into),
        description: S::DESCRIPTION.map(Into::into),
        category: S::CATEGORY.into(),
        icon: None,
        kind: S::KIND,
        role: S::ROLE,
        pool: S::POOL,
        form,
        supports: S::SUPPORTS,
        effects: S::EFFECTS,
        make: Box::new(move |config| {
            let form = spec
                .clone()
                .map(|spec| BoundForm::new(spec, config.form, config.compat));
            Box::new(Formed {
                fields: form
                    .as_ref()
                    .and_then(BoundForm::fixed)
                    .cloned()
                    .map(Fields),
                form,
                id: config.id,
                step: S::default(),
            })
        }),
    }
}

struct Formed<S> {
    form: Option<BoundForm>,
    /// The values of a form without templates.
    fields: Option<Fields>,
    id: Arc<str>,
    step: S,
}

/// What the templates of a form look at.
pub(crate) fn names(data: Arc<Map>, cx: &StepCx) -> Names {
    Names {
        data,
        env: cx.flow.env.clone(),
        runtime: cx.flow.runtime.clone(),
    }
}

/// A token as it leaves a step: what was noted before stays unless it was noted again.
pub(crate) fn noted(mut token: Token, before: Map, id: &Arc<str>, name: &str) -> Token {
    for (key, value) in before {
        token.metadata.entry(key).or_insert(value);
    }
    let [node, node_type] = &*SOURCE;
    let noted = |key: &Arc<str>, text: &str| matches!(token.metadata.get(key), Some(Value::Str(known)) if **known == *text);
    let (same, same_type) = (noted(node, id), noted(node_type, name));
    if !same {
        token.metadata.insert(node.clone(), Value::Str(id.clone()));
    }
    if !same_type {
        token.metadata.insert(node_type.clone(), name.into());
    }
    token
}

impl<S: FormStep> Formed<S> {
    async fn begin(&mut self, cx: &StepCx) -> Result<(), StepError> {
        let early = match (&self.fields, &self.form) {
            (None, Some(form)) => {
                let names = names(Arc::default(), cx);
                Some(Fields(form.bind_early(&names).await?))
            }
            _ => None,
        };
        let fields = early.as_ref().or(self.fields.as_ref());
        Ok(self
            .step
            .setup_with(fields.unwrap_or(&NO_FIELDS), cx)
            .await?)
    }

    async fn token(&mut self, mut token: Token, cx: &StepCx) -> Result<Flow, StepError> {
        let bound = match (&self.fields, &self.form) {
            (None, Some(form)) => {
                let data = Arc::new(std::mem::take(&mut token.data));
                let bound = form.bind(&names(data.clone(), cx)).await?;
                token.data = Arc::unwrap_or_clone(data);
                Some(Fields(bound))
            }
            _ => None,
        };
        let fields = bound.as_ref().or(self.fields.as_ref());
        let before = token.metadata.clone();
        let flow = self
            .step
            .run(fields.unwrap_or(&NO_FIELDS), token, cx)
            .await?;
        let noted = |token| noted(token, before, &self.id, S::IDENTIFIER);
        Ok(match flow {
            Flow::Go(token) => Flow::Go(noted(token)),
            Flow::Route(route, token) => Flow::Route(route, noted(token)),
            Flow::Each(items, token) => Flow::Each(items, noted(token)),
            // A sentinel is passed on as it is.
            Flow::Completed(token) => Flow::Completed(token),
        })
    }
}

impl<S: FormStep> Step for Formed<S> {
    fn ready(&self) -> Result<(), Box<FormFaults>> {
        self.form.as_ref().map_or(Ok(()), BoundForm::ready)
    }

    fn setup<'a>(&'a mut self, cx: &'a StepCx) -> BoxFuture<'a, Result<(), StepError>> {
        Box::pin(self.begin(cx))
    }

    fn run<'a>(
        &'a mut self,
        token: Token,
        cx: &'a StepCx,
    ) -> BoxFuture<'a, Result<Flow, StepError>> {
        Box::pin(self.token(token, cx))
    }

    fn cleanup<'a>(&'a mut self, last: Option<&'a Token>, cx: &'a StepCx) -> BoxFuture<'a, ()> {
        Box::pin(self.step.cleanup(last, cx))
    }
}

#[cfg(test)]
mod tests;
