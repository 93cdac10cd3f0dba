//! `lib.os`: paths as text, and files as the older generation names them. Files are those of the workspace only.

use nodetool_sdk::Registry;

mod changes;
mod desktop;
mod list_files;
mod name_patterns;
mod path_forms;
mod path_parts;
mod posix_path;
mod probes;
mod times;

pub(crate) fn register(r: &mut Registry) {
    r.add::<desktop::WorkspaceDirectory>();
    r.add::<desktop::OpenWorkspaceDirectory>();
    r.add::<list_files::ListFiles>();
    r.add::<probes::FileExists>();
    r.add::<changes::CopyFile>();
    r.add::<changes::MoveFile>();
    r.add::<changes::CreateDirectory>();
    r.add::<probes::GetFileSize>();
    r.add::<times::CreatedTime>();
    r.add::<times::ModifiedTime>();
    r.add::<times::AccessedTime>();
    r.add::<probes::IsFile>();
    r.add::<probes::IsDirectory>();
    r.add::<path_parts::FileExtension>();
    r.add::<path_parts::FileName>();
    r.add::<path_parts::GetDirectory>();
    r.add::<name_patterns::FileNameMatch>();
    r.add::<name_patterns::FilterFileNames>();
    r.add::<path_parts::Basename>();
    r.add::<path_parts::Dirname>();
    r.add::<path_forms::JoinPaths>();
    r.add::<path_forms::NormalizePath>();
    r.add::<probes::GetPathInfo>();
    r.add::<path_forms::AbsolutePath>();
    r.add::<path_parts::SplitPath>();
    r.add::<path_parts::SplitExtension>();
    r.add::<path_forms::RelativePath>();
    r.add::<path_forms::PathToString>();
    r.add::<desktop::ShowNotification>();
}
