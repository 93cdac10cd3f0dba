//! Nodes that an earlier attempt had finished: they emit what they had emitted and do nothing else.

use std::sync::atomic::Ordering;

use nodetool_sdk::protocol::NodeStatus;
use nodetool_sdk::{Behaviour, Emitted, Map, NodeError, Role};

use super::{Actor, told_only};
use crate::journal::{Emission, UNSET};

impl Actor {
    /// Tells the journal that the node ended by itself.
    pub(super) fn finished(&self) {
        let Some(journal) = &self.run.journal else {
            return;
        };
        // After a failure a stream may have ended because its producer did: what came of it is not the whole.
        if self.recorded().is_none() && !self.run.failing.load(Ordering::Acquire) {
            journal.node_finished(&self.plan().info.id, self.ports.take_record());
        }
    }

    /// What the node had emitted, if it had finished.
    pub(super) fn recorded(&self) -> Option<&[Emission]> {
        let resume = self.run.resume.as_ref()?;
        let emitted = resume.finished.get(&self.plan().info.id)?;
        Some(emitted)
    }

    /// Emits again what the node had emitted; what is sent to it is dropped.
    pub(super) async fn replay(&self, emitted: &[Emission]) -> Result<(), NodeError> {
        self.run.inboxes[self.node].close();
        self.run.controls[self.node].close();
        let _working = self.run.work(self.node).await;
        let buffered = matches!(self.plan().def.behaviour, Behaviour::Process(_));
        if buffered {
            self.told_again(emitted);
        }
        match self.plan().def.role {
            Role::Output | Role::Preview => self.show_again(emitted).await?,
            _ => self.emit_again(emitted).await?,
        }
        if !buffered {
            self.ports.settle();
            self.told_again(emitted);
        }
        Ok(())
    }

    fn told_again(&self, emitted: &[Emission]) {
        if self.run.listening {
            let result = told_only(emitted.iter().cloned().collect::<Map>());
            let props = Some(&self.plan().props);
            self.run
                .node_update(self.node, NodeStatus::Completed, props, Some(result));
        }
    }

    /// Sends values one by one, as slowly as they are taken.
    pub(super) async fn emit_again(&self, emitted: &[Emission]) -> Result<(), NodeError> {
        for (slot, value) in emitted {
            let one: Map = [(slot.clone(), value.clone())].into_iter().collect();
            if !self.ports.send(Emitted::Named(one), false)? {
                self.ports.room().await;
                self.run.enter(self.node).await;
            }
        }
        Ok(())
    }

    /// Shows the values of an output or a preview again.
    async fn show_again(&self, emitted: &[Emission]) -> Result<(), NodeError> {
        let plan = self.plan();
        let name = plan.name.clone().unwrap_or_else(|| plan.info.id.clone());
        for (slot, value) in emitted {
            if plan.def.role == Role::Output {
                self.run
                    .keep_result(self.node, &name, value.clone(), &**slot == UNSET);
            } else {
                self.run.preview(self.node, value.clone()).await;
            }
            self.pass_on(value.clone()).await?;
            self.run.enter(self.node).await;
        }
        Ok(())
    }
}
