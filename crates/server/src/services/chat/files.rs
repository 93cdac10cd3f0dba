//! Files that come along with a message, in the folder where the tools of its turn work.

use std::path::Path;

use nodetool_protocol::Value;
use nodetool_sdk::Workspace;

use super::ChatSettings;
use super::turn::{Turn, TurnError};
use crate::services::{Caller, content_types, user_workspace};

impl ChatSettings {
    /// The folder where the tools of a user's chats work.
    pub(super) fn workspace_of(&self, caller: &Caller) -> Option<std::path::PathBuf> {
        user_workspace(&self.workspace, &caller.user_id)
    }

    /// Seconds that one tool may take: longer than a client's may, and than a tool gives itself.
    pub(super) fn longest_tool(&self) -> f64 {
        self.client_tool.as_secs_f64().max(1800.0) + 30.0
    }
}

impl Turn {
    /// Writes the files of the message into the folder, as `input_files/<message>_<n>.<ending>`; gives their names.
    pub(super) async fn unpack_files(
        &self,
        folder: Option<&Path>,
    ) -> Result<Vec<String>, TurnError> {
        let mut names = Vec::new();
        let Some(Value::List(files)) = &self.ask.input_files else {
            return Ok(names);
        };
        let Some(folder) = folder else {
            let text = "There is no workspace for the files of this message";
            return Err(TurnError::Plain(text.into()));
        };
        let failed = |e: String| TurnError::Plain(format!("A file cannot be unpacked: {e}"));
        for (at, file) in files.iter().enumerate() {
            let Some(content) = file.get("content") else {
                continue;
            };
            let data = self.assets.read(content).await;
            let data = data.map_err(|e| failed(e.to_string()))?;
            let mime = file.get("mime_type").and_then(Value::as_str);
            let ending = content_types::extension_of(mime.unwrap_or_default());
            let name = format!("input_files/{}_{at}.{ending}", self.said.id);
            let workspace = Workspace::open(folder).map_err(|e| failed(e.to_string()))?;
            names.push(name.clone());
            let write = tokio::task::spawn_blocking(move || {
                let path = workspace.resolve(&name).map_err(|e| e.to_string())?;
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent).map_err(|e| e.to_string())?;
                }
                std::fs::write(path, &data).map_err(|e| e.to_string())
            });
            match write.await {
                Ok(written) => written.map_err(failed)?,
                Err(e) => return Err(failed(e.to_string())),
            }
        }
        Ok(names)
    }
}
