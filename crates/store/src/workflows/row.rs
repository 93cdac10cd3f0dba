//! The shape of a workflow: its columns, their defaults, its etag. It must not know queries.

use std::sync::Arc;

use rusqlite::Row;

use crate::StoreError;
use crate::error::During;
use crate::etag::Etag;
use crate::ids::check_id;

/// One workflow, column by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// `private` or `public`.
    pub access: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC, set by whoever saves.
    pub updated_at: i64,
    /// Shown name.
    pub name: String,
    /// Name under which agents call it.
    pub tool_name: Option<String>,
    /// JSON list of texts.
    pub tags: String,
    /// Free text.
    pub description: Option<String>,
    /// Package it is published in.
    pub package_name: Option<String>,
    /// Storage key of the preview image.
    pub thumbnail: Option<String>,
    /// Address of the preview image.
    pub thumbnail_url: Option<String>,
    /// JSON object.
    pub settings: Option<String>,
    /// Whether the workflow takes clipboard content.
    pub receive_clipboard: bool,
    /// `tool`, `trigger`, `chat`, `comfy` or something of the client's own.
    pub run_mode: Option<String>,
    /// Workspace it runs in.
    pub workspace_id: Option<String>,
    /// JSON Schema of the graph's inputs; absent until whoever knows graphs has filled it in.
    pub input_schema: Option<String>,
    /// JSON Schema of the graph's outputs, filled in with that of the inputs.
    pub output_schema: Option<String>,
    /// Page served as the workflow's app.
    pub html_app: Option<String>,
    /// JSON graph.
    pub graph: Arc<str>,
}

impl Default for WorkflowRow {
    /// The defaults of the columns; id and times are for the caller to set.
    fn default() -> Self {
        Self {
            id: String::new(),
            user_id: String::new(),
            access: "private".to_owned(),
            created_at: 0,
            updated_at: 0,
            name: String::new(),
            tool_name: None,
            tags: "[]".to_owned(),
            description: Some(String::new()),
            package_name: Some(String::new()),
            thumbnail: None,
            thumbnail_url: None,
            settings: Some("{}".to_owned()),
            receive_clipboard: false,
            run_mode: None,
            workspace_id: None,
            input_schema: None,
            output_schema: None,
            html_app: None,
            graph: Arc::from("{}"),
        }
    }
}

impl WorkflowRow {
    /// Opaque hash of the row: the same from a list and from a single read, another one after every save.
    ///
    /// Graph and app are vouched for by the time of the save, which rises with each save of a row, so that no list
    /// has to hash megabytes.
    #[must_use]
    pub fn etag(&self) -> String {
        Etag::new("workflow")
            .text(&self.id)
            .text(&self.user_id)
            .text(&self.access)
            .number(self.created_at)
            .number(self.updated_at)
            .text(&self.name)
            .optional(self.tool_name.as_deref())
            .text(&self.tags)
            .optional(self.description.as_deref())
            .optional(self.package_name.as_deref())
            .optional(self.thumbnail.as_deref())
            .optional(self.thumbnail_url.as_deref())
            .optional(self.settings.as_deref())
            .number(i64::from(self.receive_clipboard))
            .optional(self.run_mode.as_deref())
            .optional(self.workspace_id.as_deref())
            .finish()
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        check_id("id", &self.id)
    }

    /// Bytes of text in the row.
    pub(super) fn text_bytes(&self) -> usize {
        let optional = [
            &self.tool_name,
            &self.description,
            &self.package_name,
            &self.thumbnail,
            &self.thumbnail_url,
            &self.settings,
            &self.run_mode,
            &self.workspace_id,
            &self.input_schema,
            &self.output_schema,
            &self.html_app,
        ];
        let required = [
            &self.id,
            &self.user_id,
            &self.access,
            &self.name,
            &self.tags,
        ];
        let optional = optional
            .iter()
            .map(|text| text.as_ref().map_or(0, String::len))
            .sum::<usize>();
        required.iter().map(|text| text.len()).sum::<usize>() + optional + self.graph.len()
    }

    pub(super) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Self::columns(row).during("read a workflow")
    }

    fn columns(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            access: row.get(2)?,
            created_at: row.get(3)?,
            updated_at: row.get(4)?,
            name: row.get(5)?,
            tool_name: row.get(6)?,
            tags: row.get(7)?,
            description: row.get(8)?,
            package_name: row.get(9)?,
            thumbnail: row.get(10)?,
            thumbnail_url: row.get(11)?,
            settings: row.get(12)?,
            receive_clipboard: row.get::<_, i64>(13)? != 0,
            run_mode: row.get(14)?,
            workspace_id: row.get(15)?,
            input_schema: row.get(16)?,
            output_schema: row.get(17)?,
            html_app: row.get(18)?,
            graph: row.get(19)?,
        })
    }
}
