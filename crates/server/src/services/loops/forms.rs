//! Forms as clients show them, for steps that nobody runs (spec 2.1, 2.3). What forms mean is the orchestrator's; secret
//! values go out masked.

use std::sync::Arc;

use nodetool_orchestrator::form::{self, FieldQuestion, OptionsError};
use nodetool_protocol::{Map, Value};
use nodetool_sdk::services::Services;
use nodetool_sdk::steps::{Choice, StepDef};

use super::{LoopService, masks};
use crate::services::{Caller, RunSecrets};

impl LoopService {
    /// What the sources of options may use: the secrets of the caller, and the one guarded client.
    pub(crate) fn form_services(&self, caller: &Caller) -> Services {
        let user = Arc::from(caller.user_id.as_str());
        let secrets = RunSecrets::new(self.0.secrets.clone(), user, Arc::default());
        Services {
            secrets: Arc::new(secrets),
            http: self.0.jobs.http(),
            browsers: self.0.jobs.browsers(caller),
            ..Services::none()
        }
    }

    /// The form of a step type; nothing where it has none.
    pub(crate) async fn form(&self, caller: &Caller, def: &StepDef) -> Option<Value> {
        let form = def.form.as_ref()?;
        let shown = form::show(form, &Map::new(), &self.form_services(caller)).await;
        Some(shown.schema(form))
    }

    /// The form of a step type once these values have been put into it.
    pub(crate) async fn form_with(
        &self,
        caller: &Caller,
        def: &StepDef,
        values: &Map,
    ) -> Option<Value> {
        let form = def.form.as_ref()?;
        let services = self.form_services(caller);
        let mut state = form::update(form, &Map::new(), values, &services).await;
        state.values = masks::mask(Some(def), &state.values);
        Some(state.schema(form))
    }

    /// The options of a field that depends on others.
    pub(crate) async fn options(
        &self,
        caller: &Caller,
        def: &StepDef,
        question: FieldQuestion,
    ) -> Result<Vec<Choice>, OptionsError> {
        let Some(form) = &def.form else {
            return Err(OptionsError::UnknownField {
                form: "of this step",
                field: question.dependent_field,
            });
        };
        form::field_options(form, question, &self.form_services(caller)).await
    }
}
