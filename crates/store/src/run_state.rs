//! Node records: what a run has noted about its nodes so that another process can go on with it.
//!
//! They live as long as their run: the transaction that ends a job deletes them. It must not know what is in a
//! record, nor how a run is taken up again.

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, Row};

use crate::error::During;
use crate::ids::check_id;
use crate::jobs::refuse_change;
use crate::payloads::{Blobs, Parcel, Place, twice};
use crate::sql::{Values, each_row, execute, first_row};
use crate::{Store, StoreError};

const KIND: &str = "node record";
const TABLE: &str = "run_node_state";

/// Records saved in one call.
const MAX_RECORDS: usize = 10_000;

/// Longest id of a node, in bytes.
const MAX_NODE_ID_BYTES: usize = 1024;

/// How far the execution of a node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeRecordStatus {
    /// It has begun; what it does may have had effects.
    Started,
    /// It is done; this is final.
    Finished,
    /// It waits for something outside.
    Suspended,
}

impl NodeRecordStatus {
    /// The word used in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "running",
            Self::Finished => "completed",
            Self::Suspended => "suspended",
        }
    }
}

impl FromStr for NodeRecordStatus {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [Self::Started, Self::Finished, Self::Suspended]
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(())
    }
}

/// What is known of one node of a run, or of one execution of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// Id of the job.
    pub run_id: String,
    /// The node.
    pub node_id: String,
    /// -1: the whole node; from 0 on: one execution of a node with effects.
    pub invocation: i64,
    /// How far it has come.
    pub status: NodeRecordStatus,
    /// The caller's own, not looked into.
    pub payload: Bytes,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// What is saved about the job along with its node records.
#[derive(Clone, Debug, Default)]
pub struct CheckpointJob {
    /// JSON graph; kept only when the job has none yet.
    pub graph: Option<Arc<str>>,
    /// Events up to this number may be told; a lower number than the one noted changes nothing.
    pub event_seq: Option<i64>,
    /// Sign of life, microseconds UTC.
    pub heartbeat_at: i64,
}

const CHECKPOINT: &str = "UPDATE nodetool_jobs SET checkpoint = 1, heartbeat_at = $2, \
     event_seq = CASE WHEN event_seq < $3 THEN $3 ELSE event_seq END \
     WHERE id = $1 AND status NOT IN ('completed', 'failed', 'cancelled') \
     RETURNING CASE WHEN graph = '{}' THEN 0 ELSE 1 END";

const KEEP_GRAPH: &str = "UPDATE nodetool_jobs SET graph = $2 WHERE id = $1";

const SELECT_ONE: &str = "SELECT status, outputs_ref FROM run_node_state \
     WHERE run_id = $1 AND node_id = $2 AND invocation = $3";

const UPSERT: &str = "INSERT INTO run_node_state \
     (run_id, node_id, invocation, status, updated_at, outputs, outputs_ref) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (run_id, node_id, invocation) DO UPDATE SET \
     status = excluded.status, updated_at = excluded.updated_at, outputs = excluded.outputs, \
     outputs_ref = excluded.outputs_ref";

const SELECT: &str = "SELECT node_id, invocation, status, updated_at, outputs, outputs_ref \
     FROM run_node_state WHERE run_id = $1 ORDER BY node_id, invocation";

const DELETE: &str = "DELETE FROM run_node_state WHERE run_id = $1 RETURNING outputs_ref";

impl Store {
    /// Saves records of a run's nodes and what belongs to them of the job, all or nothing. A record replaces the
    /// one of the same node and invocation; a finished one is replaced only by a finished one. The version of the
    /// job stays.
    ///
    /// # Errors
    /// [`StoreError::AlreadyEnded`] or [`StoreError::NotFound`] when there is no such job to go on with,
    /// [`StoreError::TooLarge`] when the records take more than 64 MiB together.
    pub async fn save_node_records(
        &self,
        run_id: &str,
        records: Vec<NodeRecord>,
        job: CheckpointJob,
    ) -> Result<(), StoreError> {
        check(run_id, &records)?;
        let graph_bytes = job.graph.as_ref().map_or(0, |graph| graph.len());
        let bytes = records.iter().map(text_bytes).sum::<usize>() + graph_bytes;
        let mut records = records;
        let take = |record: &mut NodeRecord| Parcel::new(std::mem::take(&mut record.payload));
        let payloads: Vec<Parcel<Bytes>> = records.iter_mut().map(take).collect();
        let CheckpointJob {
            graph,
            event_seq,
            heartbeat_at,
        } = job;
        let graph: Vec<Parcel<Arc<str>>> = graph.into_iter().map(Parcel::new).collect();
        let (run_id, blobs) = (run_id.to_owned(), self.blobs().clone());
        let load = (payloads, graph);
        self.write_load(KIND, bytes, load, move |db, (payloads, graph)| {
            let seq = event_seq.unwrap_or(0);
            checkpoint(db, &blobs, &run_id, (heartbeat_at, seq), graph.first())?;
            for (record, payload) in records.iter().zip(payloads) {
                save(db, &blobs, record, payload)?;
            }
            Ok(())
        })
        .await
    }

    /// The node records of a run, by node and invocation.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Corrupt`] when one is not what was stored; when the database cannot
    /// be read.
    pub async fn node_records(&self, run_id: &str) -> Result<Vec<NodeRecord>, StoreError> {
        let (run_id, blobs) = (run_id.to_owned(), self.blobs().clone());
        self.read(move |db| twice(|| select(db, &blobs, &run_id)))
            .await
    }
}

/// Deletes the records of a run and releases what they refer to.
pub(crate) fn delete_node_records(
    db: &Connection,
    blobs: &Blobs,
    run_id: &str,
) -> Result<(), StoreError> {
    const OPERATION: &str = "delete node records";
    let mut references: Vec<String> = Vec::new();
    each_row(db, OPERATION, DELETE, &[&run_id], |row| {
        references.extend(row.get::<_, Option<String>>(0).during(OPERATION)?);
        Ok(true)
    })?;
    for reference in references {
        blobs.release(db, Some(&reference))?;
    }
    Ok(())
}

fn check(run_id: &str, records: &[NodeRecord]) -> Result<(), StoreError> {
    check_id("run_id", run_id)?;
    let refuse = |field, reason| Err(StoreError::InvalidInput { field, reason });
    if records.len() > MAX_RECORDS {
        let count = records.len();
        return refuse(
            "records",
            format!("are {count}, expected at most {MAX_RECORDS}"),
        );
    }
    for record in records {
        if record.run_id != run_id {
            return refuse("run_id", format!("of a record is not {run_id}"));
        }
        let length = record.node_id.len();
        if length == 0 || length > MAX_NODE_ID_BYTES || record.node_id.contains('\0') {
            let reason = format!(
                "has {length} bytes, expected 1 to {MAX_NODE_ID_BYTES} and no NUL character"
            );
            return refuse("node_id", reason);
        }
        if record.invocation < -1 {
            let invocation = record.invocation;
            return refuse(
                "invocation",
                format!("is {invocation}, expected -1 or more"),
            );
        }
    }
    Ok(())
}

fn text_bytes(record: &NodeRecord) -> usize {
    record.run_id.len() + record.node_id.len() + record.payload.len()
}

fn checkpoint(
    db: &Connection,
    blobs: &Blobs,
    run_id: &str,
    (heartbeat_at, event_seq): (i64, i64),
    graph: Option<&Parcel<Arc<str>>>,
) -> Result<(), StoreError> {
    const OPERATION: &str = "note a checkpoint";
    let values: &Values<'_> = &[&run_id, &heartbeat_at, &event_seq];
    let has_graph = first_row(db, OPERATION, CHECKPOINT, values, |row| {
        Ok(row.get::<_, i64>(0).during(OPERATION)? != 0)
    })?;
    if !has_graph.ok_or_else(|| refuse_change(db, run_id))? {
        let graph = blobs.keep_text(db, "graph", graph)?;
        if graph.is_some() {
            execute(db, OPERATION, KEEP_GRAPH, &[&run_id, &graph])?;
        }
    }
    Ok(())
}

fn save(
    db: &Connection,
    blobs: &Blobs,
    record: &NodeRecord,
    payload: &Parcel<Bytes>,
) -> Result<(), StoreError> {
    const OPERATION: &str = "save a node record";
    let NodeRecord {
        run_id,
        node_id,
        invocation,
        status,
        updated_at,
        ..
    } = record;
    let key: &Values<'_> = &[run_id, node_id, invocation];
    let stored = first_row(db, OPERATION, SELECT_ONE, key, |row| {
        let columns = || Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?));
        columns().during(OPERATION)
    })?;
    let (stored, reference) = stored.unzip();
    let finished = NodeRecordStatus::Finished;
    if stored.as_deref() == Some(finished.as_str()) && *status != finished {
        return Ok(());
    }
    let (inline, apart) = blobs.keep_bytes(db, payload)?;
    let values: &Values<'_> = &[
        run_id,
        node_id,
        invocation,
        &status.as_str(),
        updated_at,
        &inline,
        &apart,
    ];
    execute(db, OPERATION, UPSERT, values)?;
    // After the new one was counted, which may be the same.
    blobs.release(db, reference.flatten().as_deref())
}

fn select(db: &Connection, blobs: &Blobs, run_id: &str) -> Result<Vec<NodeRecord>, StoreError> {
    let mut records = Vec::new();
    each_row(db, "read node records", SELECT, &[&run_id], |row| {
        records.push(read(row, blobs, run_id)?);
        Ok(true)
    })?;
    Ok(records)
}

fn read(row: &Row<'_>, blobs: &Blobs, run_id: &str) -> Result<NodeRecord, StoreError> {
    const OPERATION: &str = "read a node record";
    let node_id: String = row.get(0).during(OPERATION)?;
    let invocation: i64 = row.get(1).during(OPERATION)?;
    let word: String = row.get(2).during(OPERATION)?;
    let inline: Option<Vec<u8>> = row.get(4).during(OPERATION)?;
    let apart: Option<String> = row.get(5).during(OPERATION)?;
    let id = || format!("{run_id}::{node_id}::{invocation}");
    let status = word.parse().map_err(|()| StoreError::Corrupt {
        kind: KIND,
        id: id(),
        column: "status",
        value: word.chars().take(100).collect(),
    })?;
    let payload = match apart {
        None => inline.unwrap_or_default(),
        Some(reference) => {
            let place = Place {
                table: TABLE,
                column: "outputs_ref",
                id: &id(),
            };
            blobs.bytes(&reference, place)?
        }
    };
    Ok(NodeRecord {
        run_id: run_id.to_owned(),
        invocation,
        status,
        payload: payload.into(),
        updated_at: row.get(3).during(OPERATION)?,
        node_id,
    })
}
