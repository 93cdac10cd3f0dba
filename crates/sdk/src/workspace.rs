//! The one folder a run may touch. Every path a node gets from outside goes through here.

use std::path::{Component, Path, PathBuf};

use crate::NodeError;

/// A workspace folder; resolves names to paths inside it, and only inside it.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Opens a folder, following links once so that later checks compare real paths.
    pub fn open(root: &Path) -> Result<Self, NodeError> {
        let root = root
            .canonicalize()
            .map_err(|e| NodeError::new(format!("The workspace folder cannot be opened: {e}")))?;
        Ok(Workspace { root })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a name inside the workspace. The file need not exist; a name that leads outside, by `..`, by an
    /// absolute path or by a link on the way, is refused.
    pub fn resolve(&self, name: &str) -> Result<PathBuf, NodeError> {
        let refuse = |why: &str| {
            Err(NodeError::new(format!(
                "Path '{name}' {why}; expected a path inside the workspace"
            )))
        };
        if name.contains('\0') {
            return refuse("contains a NUL character");
        }
        let given = Path::new(name);
        let relative = match given.strip_prefix(&self.root) {
            Ok(inside) => inside,
            Err(_) if given.is_absolute() => return refuse("is absolute"),
            Err(_) => given,
        };
        let mut path = self.root.clone();
        for part in relative.components() {
            match part {
                Component::Normal(p) => path.push(p),
                Component::CurDir => {}
                Component::ParentDir => return refuse("contains '..'"),
                Component::RootDir | Component::Prefix(_) => return refuse("is absolute"),
            }
        }
        // The deepest part that exists must really lie inside: links may point anywhere.
        let mut existing = path.as_path();
        while std::fs::symlink_metadata(existing).is_err() {
            match existing.parent() {
                Some(up) => existing = up,
                None => break,
            }
        }
        match existing.canonicalize() {
            Ok(real) if real.starts_with(&self.root) => Ok(path),
            Ok(_) => refuse("leads outside through a link"),
            Err(e) => refuse(&format!("cannot be checked ({e})")),
        }
    }

    /// The name of a path relative to the workspace, with forward slashes.
    pub fn relative(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        inside
            .components()
            .map(|c| c.as_os_str().to_string_lossy())
            .collect::<Vec<_>>()
            .join("/")
    }
}

impl Workspace {
    /// Writes an asset's bytes under `assets/` and gives the path; an existing name gets a number.
    pub fn store_asset(&self, asset: &crate::services::NewAsset) -> Result<String, NodeError> {
        let plain: String = asset
            .name
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || "-_.".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let (stem, ending) = plain
            .rsplit_once('.')
            .map_or((plain.as_str(), String::new()), |(s, e)| {
                (s, format!(".{e}"))
            });
        std::fs::create_dir_all(self.resolve("assets")?)?;
        for n in 0..10_000u32 {
            let name = if n == 0 {
                plain.clone()
            } else {
                format!("{stem}-{n}{ending}")
            };
            let path = self.resolve(&format!("assets/{name}"))?;
            match std::fs::File::create_new(&path) {
                Ok(mut file) => {
                    std::io::Write::write_all(&mut file, &asset.data)?;
                    return Ok(path.to_string_lossy().into_owned());
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(NodeError::new(format!(
            "The workspace holds too many files named like '{plain}'"
        )))
    }
}
