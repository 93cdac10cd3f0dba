//! Between the engine and a step's own code: the form is checked, rendered and bound for each token.

use std::sync::Arc;

use nodetool_sdk::steps::{
    Flow, FormFaults, FormSpec, Pool, Step, StepConfig, StepCx, StepDef, StepError, StepKind,
    StepRole, Token,
};
use nodetool_sdk::{BoxFuture, Map, NodeError, Value};

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

    /// Once, before the first token; fields are rendered without data.
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
pub fn define<S: FormStep>() -> StepDef {
    let form = S::form().map(Arc::new);
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
            Box::new(Formed {
                spec: spec.clone(),
                config,
                step: S::default(),
            })
        }),
    }
}

struct Formed<S> {
    spec: Option<Arc<FormSpec>>,
    config: StepConfig,
    step: S,
}

impl<S: FormStep> Step for Formed<S> {
    fn ready(&self) -> Result<(), Box<FormFaults>> {
        Ok(())
    }

    fn setup<'a>(&'a mut self, cx: &'a StepCx) -> BoxFuture<'a, Result<(), StepError>> {
        Box::pin(async move { Ok(self.step.setup(cx).await?) })
    }

    fn run<'a>(
        &'a mut self,
        token: Token,
        cx: &'a StepCx,
    ) -> BoxFuture<'a, Result<Flow, StepError>> {
        Box::pin(async move {
            let fields = Fields(self.config.form.clone());
            Ok(self.step.run(&fields, token, cx).await?)
        })
    }

    fn cleanup<'a>(&'a mut self, last: Option<&'a Token>, cx: &'a StepCx) -> BoxFuture<'a, ()> {
        Box::pin(self.step.cleanup(last, cx))
    }
}
