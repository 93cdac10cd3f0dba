//! Answers to jobs that wait for a person: by whoever may use the API, or through a link that works once.
//!
//! Of a link only the digest of its secret part is kept, with the suspension it was made for: the answer, and every
//! later suspension, put an end to it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nodetool_protocol::{Map, Value};
use nodetool_store::{
    Expected, JobRow, JobStatus, NodeRecordStatus, StatusChange, StoreError, Suspension, now_micros,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::journal::left_behind;
use super::{JobService, ResumeError};
use crate::services::{Caller, Happened};

/// How long a link works when nothing else is asked for, and at most.
pub(crate) const LINK_SECONDS: i64 = 7 * 24 * 3600;
pub(crate) const LINK_SECONDS_MOST: i64 = 90 * 24 * 3600;
/// Bytes of the secret part of a link.
const SECRET: usize = 32;
/// Characters of the value that is shown to whoever decides.
const SHOWN: usize = 4000;

/// A new link.
#[derive(Debug)]
pub(crate) struct ApprovalLink {
    /// Path on this server.
    pub(crate) path: String,
    /// Microseconds UTC.
    pub(crate) expires_at: i64,
}

/// A decision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Approval {
    pub(crate) approved: bool,
    /// Goes on in place of the value that waits.
    pub(crate) data: Option<Value>,
    pub(crate) comment: Option<String>,
}

impl Approval {
    fn into_answer(self) -> Value {
        let mut answer = Map::new();
        answer.insert("approved".into(), self.approved.into());
        if let Some(data) = self.data {
            answer.insert("data".into(), data);
        }
        if let Some(comment) = self.comment {
            answer.insert("comment".into(), comment.into());
        }
        answer.into()
    }
}

/// What whoever opens a link is asked.
#[derive(Debug, Default)]
pub(crate) struct Question {
    pub(crate) message: String,
    /// The value that waits; empty when there is none.
    pub(crate) value: String,
}

/// Why a link does not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("there is no such link")]
    Unknown,
    #[error("the link has been used or its time is over")]
    Over,
    #[error(transparent)]
    Resume(#[from] ResumeError),
}

impl From<StoreError> for LinkError {
    fn from(e: StoreError) -> Self {
        LinkError::Resume(e.into())
    }
}

/// What is kept of a link.
#[derive(Serialize, Deserialize)]
struct Kept {
    approval: KeptLink,
}

#[derive(Serialize, Deserialize)]
struct KeptLink {
    /// SHA-256 of the secret part, in hexadecimal digits.
    digest: String,
    expires_at: i64,
}

impl JobService {
    /// Makes a link through which a suspended job is answered once; an earlier link of the job ends.
    pub(crate) async fn approval_link(
        &self,
        caller: &Caller,
        job_id: &str,
        seconds: i64,
    ) -> Result<ApprovalLink, ResumeError> {
        self.between(caller, job_id).await?;
        let row = self.get(caller, job_id).await?;
        let row = row.ok_or(ResumeError::NotFound)?;
        let (JobStatus::Suspended, Some(node)) = (row.status, &row.suspended_node_id) else {
            return Err(ResumeError::NotResumable(row.status.as_str()));
        };
        let mut secret = [0; SECRET];
        getrandom::fill(&mut secret)
            .map_err(|e| ResumeError::Broken(format!("no randomness for a link: {e}")))?;
        let token = URL_SAFE_NO_PAD.encode(secret);
        let expires_at = now_micros().saturating_add(seconds.saturating_mul(1_000_000));
        let kept = Kept {
            approval: KeptLink {
                digest: hex(&Sha256::digest(token.as_bytes())),
                expires_at,
            },
        };
        let expected = Expected::Version(row.version);
        let mut change = StatusChange::new(job_id, expected, JobStatus::Suspended, now_micros());
        change.suspension = Some(Suspension {
            node_id: node.clone(),
            reason: row.suspension_reason.clone().unwrap_or_default(),
            state: "{}".into(),
            metadata: serde_json::to_string(&kept)
                .map_err(|e| ResumeError::Broken(format!("the link cannot be kept: {e}")))?,
        });
        match self.0.store.set_job_status(change).await {
            Ok(_) => {}
            Err(StoreError::AlreadyEnded { .. } | StoreError::Conflict { .. }) => {
                return Err(ResumeError::NotResumable("already resumed or ended"));
            }
            Err(e) => return Err(e.into()),
        }
        self.0.told(&caller.user_id, Happened::Updated, job_id);
        Ok(ApprovalLink {
            path: format!("/approve/{job_id}/{token}"),
            expires_at,
        })
    }

    /// Answers a suspended job.
    pub(crate) async fn approve(
        &self,
        caller: &Caller,
        job_id: &str,
        approval: Approval,
    ) -> Result<(), ResumeError> {
        let row = self.get(caller, job_id).await?;
        let row = row.ok_or(ResumeError::NotFound)?;
        if row.status == JobStatus::Paused {
            return Err(ResumeError::NotResumable(
                "paused, not waiting for an approval",
            ));
        }
        let answer = approval.into_answer();
        self.resume(caller, job_id, Some(answer)).await.map(drop)
    }

    /// What the job behind a link asks.
    pub(crate) async fn question(&self, job_id: &str, token: &str) -> Result<Question, LinkError> {
        let row = self.of_link(job_id, token).await?;
        let records = self.0.store.node_records(job_id).await?;
        let node = row.suspended_node_id.unwrap_or_default();
        let records = records.into_iter().filter(|r| {
            r.node_id == node && r.invocation < 0 && r.status == NodeRecordStatus::Suspended
        });
        let left = left_behind(records.collect()).unwrap_or_default();
        let state = left.waiting.into_values().next().unwrap_or_default();
        let text = |key: &str| match state.get(key) {
            None | Some(Value::Null) => String::new(),
            Some(Value::Str(text)) => text.chars().take(SHOWN).collect(),
            Some(other) => other.preview(SHOWN),
        };
        let mut question = Question {
            message: text("message"),
            value: text("value"),
        };
        if question.message.is_empty() {
            question.message = row.suspension_reason.unwrap_or_default();
        }
        Ok(question)
    }

    /// Answers through a link, which ends with that.
    pub(crate) async fn answer_link(
        &self,
        job_id: &str,
        token: &str,
        approval: Approval,
    ) -> Result<(), LinkError> {
        let row = self.of_link(job_id, token).await?;
        let caller = Caller::on_behalf_of(row.user_id);
        tracing::info!(target: "audit", event = "approval_link.used", user.id = %caller.user_id, job.id = %job_id, approved = approval.approved);
        match self.approve(&caller, job_id, approval).await {
            // Somebody else was quicker.
            Err(ResumeError::NotResumable(_) | ResumeError::NotFound) => Err(LinkError::Over),
            answered => Ok(answered?),
        }
    }

    /// The suspended job a link belongs to.
    async fn of_link(&self, job_id: &str, token: &str) -> Result<JobRow, LinkError> {
        let row = self.0.store.get_job(job_id).await?;
        let payload = self.0.store.get_job_payload(job_id).await?;
        let (row, payload) = row.zip(payload).ok_or(LinkError::Unknown)?;
        let kept: Kept =
            serde_json::from_str(&payload.suspension_metadata).map_err(|_| LinkError::Unknown)?;
        let digest = hex(&Sha256::digest(token.as_bytes()));
        if !same(digest.as_bytes(), kept.approval.digest.as_bytes()) {
            return Err(LinkError::Unknown);
        }
        if row.status != JobStatus::Suspended || kept.approval.expires_at <= now_micros() {
            return Err(LinkError::Over);
        }
        Ok(row)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Compares in a time that does not tell where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differ = a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y));
    a.len() == b.len() && std::hint::black_box(differ) == 0
}
