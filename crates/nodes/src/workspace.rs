//! `nodetool.workspace`: files of the run's own folder, by relative paths. `lib.os` shares the file work.

use nodetool_sdk::Registry;

mod binary_files;
mod changes;
pub(crate) mod folder_files;
mod join_workspace_paths;
mod list_workspace_files;
pub(crate) mod listing;
pub(crate) mod place;
mod probes;
mod save_media;
mod text_files;
pub(crate) mod tree;

pub(crate) fn register(r: &mut Registry) {
    r.add::<probes::GetWorkspaceDir>();
    r.add::<list_workspace_files::ListWorkspaceFiles>();
    r.add::<text_files::ReadTextFile>();
    r.add::<text_files::WriteTextFile>();
    r.add::<binary_files::ReadBinaryFile>();
    r.add::<binary_files::WriteBinaryFile>();
    r.add::<changes::DeleteWorkspaceFile>();
    r.add::<changes::CreateWorkspaceDirectory>();
    r.add::<probes::WorkspaceFileExists>();
    r.add::<probes::GetWorkspaceFileInfo>();
    r.add::<changes::CopyWorkspaceFile>();
    r.add::<changes::MoveWorkspaceFile>();
    r.add::<probes::GetWorkspaceFileSize>();
    r.add::<probes::IsWorkspaceFile>();
    r.add::<probes::IsWorkspaceDirectory>();
    r.add::<join_workspace_paths::JoinWorkspacePaths>();
    r.add::<save_media::SaveImageFile>();
    r.add::<save_media::SaveVideoFile>();
}
