//! Message rows: what was said in threads, in the order it was said.
//!
//! It must not know what a message means: content, tool calls and files are JSON text.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::filter::Filter;
use crate::ids::check_id;
use crate::listing::{By, First, Listing};
use crate::page::{Key, List, Page};
use crate::sql::{Values, first_row, first_value};
use crate::threads::{self, ThreadRow};
use crate::{Store, StoreError};

const KIND: &str = "message";

macro_rules! columns {
    () => {
        "id, user_id, thread_id, created_at, role, name, content, tool_call_id, tool_calls, workflow_id, graph, \
         tools, collections, input_files, output_files, provider, model, cost, agent_mode, help_mode, \
         agent_execution_id, execution_event_type, workflow_target, workflow_message_input_name, \
         workflow_messages_input_name"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO nodetool_messages (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
     $22, $23, $24, $25) ON CONFLICT (id) DO NOTHING RETURNING id"
);

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_messages WHERE id = $1 AND user_id = $2"
);

const LISTING: Listing<MessageRow> = Listing {
    list: List::Messages,
    operation: "list messages",
    select: concat!("SELECT ", columns!(), " FROM nodetool_messages"),
    by: By::Created,
    read: MessageRow::read,
    key: |row| Key {
        at: row.created_at,
        id: row.id.clone(),
    },
    text: MessageRow::text_bytes,
};

/// One message, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// Thread it belongs to.
    pub thread_id: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// `user`, `assistant`, `tool`, `system`, `agent_execution` or something of the client's own.
    pub role: String,
    /// Name of the speaker or tool.
    pub name: Option<String>,
    /// JSON: a text, an object or a list of parts.
    pub content: Option<String>,
    /// Tool call this answers.
    pub tool_call_id: Option<String>,
    /// JSON list.
    pub tool_calls: Option<String>,
    /// Workflow it is about.
    pub workflow_id: Option<String>,
    /// JSON graph.
    pub graph: Option<String>,
    /// JSON list of tool names.
    pub tools: Option<String>,
    /// JSON list of collection names.
    pub collections: Option<String>,
    /// JSON list of files given.
    pub input_files: Option<String>,
    /// JSON list of files made.
    pub output_files: Option<String>,
    /// Model provider that wrote or shall answer it.
    pub provider: Option<String>,
    /// Model that wrote or shall answer it.
    pub model: Option<String>,
    /// What it cost.
    pub cost: Option<f64>,
    /// Whether an agent shall answer it.
    pub agent_mode: Option<bool>,
    /// Whether it asks for help with the product.
    pub help_mode: Option<bool>,
    /// Agent execution it is part of.
    pub agent_execution_id: Option<String>,
    /// Kind of event within the agent execution.
    pub execution_event_type: Option<String>,
    /// `workflow` when a workflow shall answer it.
    pub workflow_target: Option<String>,
    /// Input of that workflow that takes this message.
    pub workflow_message_input_name: Option<String>,
    /// Input of that workflow that takes the conversation.
    pub workflow_messages_input_name: Option<String>,
}

impl MessageRow {
    fn text_bytes(&self) -> usize {
        let optional = [
            &self.name,
            &self.content,
            &self.tool_call_id,
            &self.tool_calls,
            &self.workflow_id,
            &self.graph,
            &self.tools,
            &self.collections,
            &self.input_files,
            &self.output_files,
            &self.provider,
            &self.model,
            &self.agent_execution_id,
            &self.execution_event_type,
            &self.workflow_target,
            &self.workflow_message_input_name,
            &self.workflow_messages_input_name,
        ];
        let optional = optional
            .iter()
            .map(|text| text.as_ref().map_or(0, String::len));
        let required = [&self.id, &self.user_id, &self.thread_id, &self.role];
        optional.sum::<usize>() + required.iter().map(|text| text.len()).sum::<usize>()
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Self::columns(row).during("read a message")
    }

    fn columns(row: &Row<'_>) -> rusqlite::Result<Self> {
        let flag = |value: Option<i64>| value.map(|flag| flag != 0);
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            thread_id: row.get(2)?,
            created_at: row.get(3)?,
            role: row.get(4)?,
            name: row.get(5)?,
            content: row.get(6)?,
            tool_call_id: row.get(7)?,
            tool_calls: row.get(8)?,
            workflow_id: row.get(9)?,
            graph: row.get(10)?,
            tools: row.get(11)?,
            collections: row.get(12)?,
            input_files: row.get(13)?,
            output_files: row.get(14)?,
            provider: row.get(15)?,
            model: row.get(16)?,
            cost: row.get(17)?,
            agent_mode: flag(row.get(18)?),
            help_mode: flag(row.get(19)?),
            agent_execution_id: row.get(20)?,
            execution_event_type: row.get(21)?,
            workflow_target: row.get(22)?,
            workflow_message_input_name: row.get(23)?,
            workflow_messages_input_name: row.get(24)?,
        })
    }
}

impl Store {
    /// Stores a message in a thread of its owner, or together with the thread it begins.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner has no such thread, [`StoreError::AlreadyExists`] when an
    /// id is taken.
    pub async fn insert_message(
        &self,
        row: MessageRow,
        new_thread: Option<ThreadRow>,
    ) -> Result<(), StoreError> {
        check_id("id", &row.id)?;
        check_id("thread_id", &row.thread_id)?;
        self.write(KIND, row.text_bytes(), move |db| {
            if let Some(thread) = &new_thread {
                threads::insert(db, thread)?;
            }
            threads::require(db, &row.user_id, &row.thread_id)?;
            insert(db, &row)
        })
        .await
    }

    /// Stores messages in a thread of their owner, all or none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner of one has no such thread, [`StoreError::AlreadyExists`] when an id is
    /// taken.
    pub async fn insert_messages(&self, rows: Vec<MessageRow>) -> Result<(), StoreError> {
        for row in &rows {
            check_id("id", &row.id)?;
            check_id("thread_id", &row.thread_id)?;
        }
        let bytes = rows.iter().map(MessageRow::text_bytes).sum();
        self.write(KIND, bytes, move |db| {
            rows.iter().try_for_each(|row| {
                threads::require(db, &row.user_id, &row.thread_id)?;
                insert(db, row)
            })
        })
        .await
    }

    /// The newest messages of a user's thread, oldest of them first: at most so many, as many as fit into a page, and
    /// none that only tells how an agent got on.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recent_messages(
        &self,
        user_id: &str,
        thread_id: &str,
        most: usize,
    ) -> Result<Vec<MessageRow>, StoreError> {
        let mut filter = Filter::default();
        filter.equals("user_id = ?", Some(user_id));
        filter.equals("thread_id = ?", Some(thread_id));
        filter.add("role <> 'agent_execution'", []);
        let newest = move |db: &Connection| LISTING.page(db, filter, First::Newest, most, None);
        let mut rows = self.read(newest).await?.rows;
        rows.reverse();
        Ok(rows)
    }

    /// Reads one message of a user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_message(
        &self,
        user_id: &str,
        id: &str,
    ) -> Result<Option<MessageRow>, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.read(move |db| {
            first_row(
                db,
                "read a message",
                SELECT,
                &[&id, &user_id],
                MessageRow::read,
            )
        })
        .await
    }

    /// One page of a user's messages in a thread, oldest first or newest first. A thread that is not the
    /// user's holds none.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] when the cursor is not one of this list.
    pub async fn list_messages(
        &self,
        user_id: &str,
        thread_id: &str,
        newest_first: bool,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<MessageRow>, StoreError> {
        let after = Key::decode(List::Messages, cursor)?;
        let first = if newest_first {
            First::Newest
        } else {
            First::Oldest
        };
        let mut filter = Filter::default();
        filter.equals("user_id = ?", Some(user_id));
        filter.equals("thread_id = ?", Some(thread_id));
        self.read(move |db| LISTING.page(db, filter, first, limit, after))
            .await
    }
}

fn insert(db: &Connection, row: &MessageRow) -> Result<(), StoreError> {
    let agent_mode = row.agent_mode.map(i64::from);
    let help_mode = row.help_mode.map(i64::from);
    let values: &Values<'_> = &[
        &row.id,
        &row.user_id,
        &row.thread_id,
        &row.created_at,
        &row.role,
        &row.name,
        &row.content,
        &row.tool_call_id,
        &row.tool_calls,
        &row.workflow_id,
        &row.graph,
        &row.tools,
        &row.collections,
        &row.input_files,
        &row.output_files,
        &row.provider,
        &row.model,
        &row.cost,
        &agent_mode,
        &help_mode,
        &row.agent_execution_id,
        &row.execution_event_type,
        &row.workflow_target,
        &row.workflow_message_input_name,
        &row.workflow_messages_input_name,
    ];
    first_value::<String>(db, "insert a message", INSERT, values)?
        .map(|_| ())
        .ok_or_else(|| StoreError::AlreadyExists {
            kind: KIND,
            id: row.id.clone(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::tests::assert_indexed;

    #[test]
    fn no_list_of_messages_sorts_or_scans_the_table() {
        assert_indexed(&LISTING, || {
            let mut filter = Filter::default();
            filter.equals("user_id = ?", Some("u"));
            filter.equals("thread_id = ?", Some("t"));
            filter
        });
    }
}
