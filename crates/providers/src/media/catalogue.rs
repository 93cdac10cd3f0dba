//! Short lists of well-known models, for services whose own lists cannot be asked for quickly.

use crate::{ListedModel, ModelKind};

/// Id, name for people, what it is for, and its tasks.
pub(crate) type Row = (
    &'static str,
    &'static str,
    ModelKind,
    &'static [&'static str],
);

/// The models of such a list.
pub(crate) fn models(rows: &[Row]) -> Vec<ListedModel> {
    let models = rows.iter().map(|(id, name, kind, tasks)| ListedModel {
        name: (*name).to_owned(),
        tasks: tasks.iter().map(|task| (*task).to_owned()).collect(),
        ..ListedModel::new(*id, *kind)
    });
    models.collect()
}
