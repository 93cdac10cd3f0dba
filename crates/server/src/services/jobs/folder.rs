//! Where the runs of a user write that have no workspace.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::services::OWNER;

/// The folder of a user's runs that have no workspace: the owner's is the server's, all others have one of their own.
/// None when it cannot be made, and then the run goes without.
pub(in crate::services) fn user_workspace(folder: &Path, user_id: &str) -> Option<PathBuf> {
    if user_id == OWNER {
        return Some(folder.to_owned());
    }
    let digest = Sha256::digest(user_id);
    let name: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    // Beside the owner's folder, not in it: nobody's files are below another's.
    let mut beside = folder.as_os_str().to_owned();
    beside.push("s");
    let own = PathBuf::from(beside).join(name);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&own);
    match made {
        Ok(()) => Some(own),
        Err(e) => {
            tracing::error!(user.id = %user_id, error = %e, "the folder of a user's runs cannot be made");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_folder_outside_of_every_other() {
        let data = tempfile::tempdir().unwrap();
        let owners = data.path().join("workspace");
        let folder = |user: &str| user_workspace(&owners, user).unwrap();
        assert_eq!(folder(OWNER), owners);
        let odd = ["ann", "bob", "../1", "", "/etc", "a/../../b"];
        for (at, user) in odd.iter().enumerate() {
            let own = folder(user);
            assert!(own.is_dir() && own.starts_with(data.path().join("workspaces")));
            assert!(!own.starts_with(&owners), "{user:?}");
            assert!(odd[..at].iter().all(|other| folder(other) != own));
        }
    }
}
