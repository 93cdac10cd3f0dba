//! What people write to those who run the server, who need not be known for it: requests for a demo, and messages.
//!
//! Anybody may write, a few times a minute; who may read is for the caller to decide. It must not know HTTP.

use std::net::IpAddr;
use std::sync::Arc;

use nodetool_store::{
    EnquiryKind, EnquiryRow, MAX_ENQUIRIES, Store, StoreError, new_id, now_micros,
};

use super::windows::Windows;
use super::{Caller, network_of, now_seconds};

/// What one address may write in a minute.
const PER_MINUTE: u32 = 10;

/// Bytes an enquiry takes at most.
const LARGEST: usize = 64 << 10;

/// How far an enquiry has come; the first is that of a new one.
pub(crate) const ENQUIRY_STATUSES: [&str; 5] =
    ["new", "contacted", "scheduled", "completed", "rejected"];

/// Why something could not be done with an enquiry.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnquiryError {
    #[error("No {} matches the given query.", enquiry_name(*.0))]
    NotFound(EnquiryKind),
    #[error("More than {PER_MINUTE} were sent from this address; try again in a minute")]
    TooOften,
    #[error("There are {MAX_ENQUIRIES} already; one has to be deleted first")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What clients call one of this kind.
pub(crate) fn enquiry_name(kind: EnquiryKind) -> &'static str {
    match kind {
        EnquiryKind::Demo => "DemoRequest",
        EnquiryKind::Contact => "ContactSubmission",
    }
}

/// What is sent of an enquiry; what is absent stays as it is, and is empty in a new one.
#[derive(Clone, Debug, Default)]
pub(crate) struct EnquiryChange {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) message: Option<String>,
    /// One of [`ENQUIRY_STATUSES`].
    pub(crate) status: Option<String>,
}

impl EnquiryChange {
    fn apply(&self, row: &mut EnquiryRow) {
        let fields = [
            (&self.name, &mut row.name),
            (&self.email, &mut row.email),
            (&self.company, &mut row.company),
            (&self.message, &mut row.message),
            (&self.status, &mut row.status),
        ];
        for (given, field) in fields {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        row.updated_at = now_micros();
    }
}

/// Keeps enquiries.
#[derive(Clone)]
pub(crate) struct EnquiryService {
    store: Store,
    sent: Arc<Windows>,
}

impl EnquiryService {
    pub(crate) fn new(store: Store) -> Self {
        EnquiryService {
            store,
            sent: Arc::new(Windows::new(PER_MINUTE)),
        }
    }

    /// Keeps what somebody at an address has written.
    pub(crate) async fn create(
        &self,
        kind: EnquiryKind,
        from: IpAddr,
        sent: EnquiryChange,
    ) -> Result<EnquiryRow, EnquiryError> {
        let standing = self.sent.count(network_of(from), now_seconds());
        if standing.first_refused {
            tracing::info!(target: "audit", event = "enquiry.limited", client.address = %from, "too many enquiries in a minute");
        }
        if !standing.allowed {
            return Err(EnquiryError::TooOften);
        }
        let mut row = EnquiryRow {
            id: new_id(),
            status: ENQUIRY_STATUSES[0].to_owned(),
            ..EnquiryRow::default()
        };
        sent.apply(&mut row);
        row.created_at = row.updated_at;
        if self.store.insert_enquiry(kind, row.clone()).await? {
            Ok(row)
        } else {
            Err(EnquiryError::TooMany)
        }
    }

    /// Enquiries, newest first; only those of a status, if one is named.
    pub(crate) async fn list(
        &self,
        kind: EnquiryKind,
        status: Option<&str>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<EnquiryRow>, EnquiryError> {
        let rows = self.store.list_enquiries(kind, status, limit, offset);
        Ok(rows.await?)
    }

    /// One enquiry.
    pub(crate) async fn get(
        &self,
        kind: EnquiryKind,
        id: &str,
    ) -> Result<EnquiryRow, EnquiryError> {
        let row = self.store.get_enquiry(kind, &stored(id)).await?;
        row.ok_or(EnquiryError::NotFound(kind))
    }

    /// Changes an enquiry.
    pub(crate) async fn change(
        &self,
        by: &Caller,
        kind: EnquiryKind,
        id: &str,
        change: EnquiryChange,
    ) -> Result<EnquiryRow, EnquiryError> {
        let id = stored(id);
        let changed = self
            .store
            .change_enquiry(kind, &id, LARGEST, move |row| change.apply(row));
        let row = changed.await?.ok_or(EnquiryError::NotFound(kind))?;
        note(by, "enquiry.changed", kind, &row.id);
        Ok(row)
    }

    /// Deletes an enquiry.
    pub(crate) async fn delete(
        &self,
        by: &Caller,
        kind: EnquiryKind,
        id: &str,
    ) -> Result<(), EnquiryError> {
        let id = stored(id);
        if !self.store.delete_enquiry(kind, &id).await? {
            return Err(EnquiryError::NotFound(kind));
        }
        note(by, "enquiry.deleted", kind, &id);
        Ok(())
    }
}

/// An id in the spelling of rows.
fn stored(id: &str) -> String {
    id.replace('-', "").to_ascii_lowercase()
}

/// Notes what was changed by way of administration.
fn note(by: &Caller, event: &str, kind: EnquiryKind, id: &str) {
    tracing::info!(target: "audit", event, user.id = %by.user_id, row.kind = enquiry_name(kind), row.id = id, "enquiry changed by administration");
}
