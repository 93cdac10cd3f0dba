//! The shape of an asset: its columns, their defaults, its etag. It must not know queries.

use rusqlite::Row;

use crate::StoreError;
use crate::error::During;
use crate::etag::Etag;
use crate::ids::check_id;

/// One asset, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssetRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// Workflow it came out of.
    pub workflow_id: Option<String>,
    /// Folder it is in; the owner's id stands for the root.
    pub parent_id: String,
    /// Key of its contents; empty for what has none.
    pub file_id: String,
    /// Shown name.
    pub name: String,
    /// MIME type, or `folder`.
    pub content_type: String,
    /// Bytes of its contents.
    pub size: Option<i64>,
    /// JSON object.
    pub metadata: Option<String>,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC, set by whoever saves.
    pub updated_at: i64,
    /// Seconds a sound or video lasts.
    pub duration: Option<f64>,
    /// Node that made it.
    pub node_id: Option<String>,
    /// Job that made it.
    pub job_id: Option<String>,
}

impl AssetRow {
    /// Content type of a folder.
    pub const FOLDER: &'static str = "folder";

    /// Whether it holds other assets.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.content_type == Self::FOLDER
    }

    /// Opaque hash of every column: the same from a list and from a single read.
    #[must_use]
    pub fn etag(&self) -> String {
        let number = |etag: Etag, value: Option<i64>| match value {
            Some(value) => etag.text("some").number(value),
            None => etag.optional(None),
        };
        let etag = Etag::new("asset")
            .text(&self.id)
            .text(&self.user_id)
            .optional(self.workflow_id.as_deref())
            .text(&self.parent_id)
            .text(&self.file_id)
            .text(&self.name)
            .text(&self.content_type)
            .optional(self.metadata.as_deref())
            .number(self.created_at)
            .number(self.updated_at)
            .optional(self.node_id.as_deref())
            .optional(self.job_id.as_deref());
        let etag = number(etag, self.size);
        let duration = self.duration.map(|seconds| seconds.to_bits() as i64);
        number(etag, duration).finish()
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_id("id", &self.id)?;
        check_id("user_id", &self.user_id)?;
        check_id("parent_id", &self.parent_id)
    }

    /// Bytes of text in the row.
    pub(super) fn text_bytes(&self) -> usize {
        let optional = [
            &self.workflow_id,
            &self.metadata,
            &self.node_id,
            &self.job_id,
        ];
        let required = [
            &self.id,
            &self.user_id,
            &self.parent_id,
            &self.file_id,
            &self.name,
            &self.content_type,
        ];
        let optional = optional
            .iter()
            .map(|text| text.as_ref().map_or(0, String::len))
            .sum::<usize>();
        required.iter().map(|text| text.len()).sum::<usize>() + optional
    }

    pub(super) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Self::columns(row).during("read an asset")
    }

    fn columns(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            workflow_id: row.get(2)?,
            parent_id: row.get(3)?,
            file_id: row.get(4)?,
            name: row.get(5)?,
            content_type: row.get(6)?,
            size: row.get(7)?,
            metadata: row.get(8)?,
            created_at: row.get(9)?,
            updated_at: row.get(10)?,
            duration: row.get(11)?,
            node_id: row.get(12)?,
            job_id: row.get(13)?,
        })
    }
}
