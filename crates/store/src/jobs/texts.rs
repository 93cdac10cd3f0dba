//! The texts of a job that may be large, and the columns they go to. It must not know statements.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::{Connection, Row};

use super::row::{FinishJob, NewJob};
use crate::StoreError;
use crate::error::During;
use crate::payloads::{Blobs, Carried, Load, Parcel, Place};

pub(super) const TABLE: &str = "nodetool_jobs";

/// The columns that may hold a reference, in the order of [`references`].
macro_rules! large_columns {
    () => {
        "graph, params, logs, result, trigger_event"
    };
}
pub(super) use large_columns;

/// The texts a job is inserted with.
pub(super) struct NewTexts {
    graph: Option<Parcel<Arc<str>>>,
    params: Option<Parcel<Arc<str>>>,
    trigger_event: Option<Parcel<String>>,
}

/// What the columns of [`NewTexts`] are to hold.
pub(super) struct NewColumns<'a> {
    pub(super) graph: Option<Cow<'a, str>>,
    pub(super) params: Option<Cow<'a, str>>,
    pub(super) trigger_event: Option<Cow<'a, str>>,
}

impl NewTexts {
    /// Takes the texts out of the job.
    pub(super) fn of(job: &mut NewJob) -> Self {
        Self {
            graph: job.graph.take().map(Parcel::new),
            params: job.params.take().map(Parcel::new),
            trigger_event: job.trigger_event.take().map(Parcel::new),
        }
    }

    pub(super) fn keep(
        &self,
        db: &Connection,
        blobs: &Blobs,
    ) -> Result<NewColumns<'_>, StoreError> {
        Ok(NewColumns {
            graph: blobs.keep_text(db, "graph", self.graph.as_ref())?,
            params: blobs.keep_text(db, "params", self.params.as_ref())?,
            trigger_event: blobs.keep_text(db, "trigger_event", self.trigger_event.as_ref())?,
        })
    }
}

impl Load for NewTexts {
    fn each(&self, visit: &mut dyn FnMut(&dyn Carried)) {
        for text in [&self.graph, &self.params].into_iter().flatten() {
            visit(text);
        }
        if let Some(text) = &self.trigger_event {
            visit(text);
        }
    }
}

/// The texts a job ends with.
pub(super) struct EndTexts {
    result: Option<Parcel<Arc<str>>>,
    logs: Option<Parcel<String>>,
}

/// What the columns of [`EndTexts`] are to hold.
pub(super) struct EndColumns<'a> {
    pub(super) result: Option<Cow<'a, str>>,
    pub(super) logs: Option<Cow<'a, str>>,
}

impl EndTexts {
    /// Takes the texts out of the end.
    pub(super) fn of(end: &mut FinishJob) -> Self {
        Self {
            result: end.result.take().map(Parcel::new),
            logs: end.logs.take().map(Parcel::new),
        }
    }

    pub(super) fn keep(
        &self,
        db: &Connection,
        blobs: &Blobs,
    ) -> Result<EndColumns<'_>, StoreError> {
        Ok(EndColumns {
            result: blobs.keep_text(db, "result", self.result.as_ref())?,
            logs: blobs.keep_text(db, "logs", self.logs.as_ref())?,
        })
    }
}

impl Load for EndTexts {
    fn each(&self, visit: &mut dyn FnMut(&dyn Carried)) {
        if let Some(text) = &self.result {
            visit(text);
        }
        if let Some(text) = &self.logs {
            visit(text);
        }
    }
}

/// What the large columns of a row hold, from column `first` on.
pub(super) fn references(row: &Row<'_>, first: usize) -> Result<[Option<String>; 5], StoreError> {
    let column = |at: usize| row.get(first + at).during("read the large texts of a job");
    Ok([column(0)?, column(1)?, column(2)?, column(3)?, column(4)?])
}

/// The text of a large column.
pub(super) fn text(
    blobs: &Blobs,
    id: &str,
    column: &'static str,
    held: String,
) -> Result<String, StoreError> {
    let table = TABLE;
    blobs.text(held, Place { table, column, id })
}
