//! A folder of files that make up a web UI: finds the file of a path, and never one outside of the folder. Knows no HTTP.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;

/// Longest path that is looked for.
const MAX_PATH: usize = 1024;
/// The file that stands for its folder.
const INDEX: &str = "index.html";
/// The one name with a leading dot that the web has a use for.
const WELL_KNOWN: &str = ".well-known";

/// A folder that is served.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    root: PathBuf,
}

/// A file of a site, open for reading.
#[derive(Debug)]
pub(crate) struct SiteFile {
    pub(crate) file: File,
    pub(crate) length: u64,
    pub(crate) modified: SystemTime,
    /// Its path within the site, by which its kind is known.
    pub(crate) path: String,
}

impl Site {
    /// The site of a folder, which must be there.
    pub(crate) fn open(folder: &Path) -> io::Result<Site> {
        let root = folder.canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Site { root })
    }

    /// The file of a decoded path such as `/assets/app.js`, or of the folder it names; `None` when there is none to give.
    pub(crate) async fn find(&self, path: &str) -> io::Result<Option<SiteFile>> {
        let Some(path) = relative(path) else {
            return Ok(None);
        };
        let site = self.clone();
        let found = tokio::task::spawn_blocking(move || site.look(&path)).await;
        found.map_err(io::Error::other)?
    }

    fn look(&self, path: &str) -> io::Result<Option<SiteFile>> {
        match self.take(path) {
            Ok(Some(file)) => Ok(Some(file)),
            Ok(None) => {
                let index = if path.is_empty() {
                    INDEX.to_owned()
                } else {
                    format!("{path}/{INDEX}")
                };
                self.take(&index).or_else(absent)
            }
            Err(e) => absent(e),
        }
    }

    /// The file at a path; `None` for what is no plain file.
    fn take(&self, path: &str) -> io::Result<Option<SiteFile>> {
        // Links are resolved here, where they can be judged, and nowhere later: the steps below refuse them.
        let whole = self.root.join(path).canonicalize()?;
        let Ok(inside) = whole.strip_prefix(&self.root) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut at: OwnedFd = open(
            &self.root,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        // Without NONBLOCK a pipe in the folder would hold the thread.
        let step = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        for part in inside.components() {
            at = openat(&at, Path::new(part.as_os_str()), step, Mode::empty())?;
        }
        let file = File::from(at);
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Ok(None);
        }
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Some(SiteFile {
            file,
            length: metadata.len(),
            modified: metadata.modified()?,
            path: path.to_owned(),
        }))
    }
}

/// Nothing to give, for faults that only say so.
fn absent(e: io::Error) -> io::Result<Option<SiteFile>> {
    let told = matches!(
        Errno::from_io_error(&e),
        Some(
            Errno::NOENT
                | Errno::NOTDIR
                | Errno::ACCESS
                | Errno::LOOP
                | Errno::NAMETOOLONG
                | Errno::NXIO
        )
    );
    if told || e.kind() == io::ErrorKind::NotFound {
        Ok(None)
    } else {
        Err(e)
    }
}

/// The path below the folder, unless it holds parts that could lead elsewhere or to hidden files.
fn relative(path: &str) -> Option<String> {
    if path.len() > MAX_PATH || path.contains(['\0', '\\']) {
        return None;
    }
    let path = path.trim_matches('/');
    let plain = |part: &str| !part.is_empty() && (!part.starts_with('.') || part == WELL_KNOWN);
    (path.is_empty() || path.split('/').all(plain)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn site() -> (tempfile::TempDir, Site) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("ui");
        std::fs::create_dir_all(root.join("assets/deep")).unwrap();
        std::fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        std::fs::write(root.join("index.html"), "start").unwrap();
        std::fs::write(root.join("assets/app.js"), "app").unwrap();
        std::fs::write(root.join("assets/deep/index.html"), "deep").unwrap();
        std::fs::write(root.join(".env"), "secret").unwrap();
        let site = Site::open(&root).unwrap();
        (folder, site)
    }

    async fn text(site: &Site, path: &str) -> Option<String> {
        let found = site.find(path).await.unwrap()?;
        Some(io::read_to_string(found.file).unwrap())
    }

    #[tokio::test]
    async fn files_and_indexes_are_found() {
        let (_folder, site) = site();
        assert_eq!(text(&site, "/").await.as_deref(), Some("start"));
        assert_eq!(text(&site, "/index.html").await.as_deref(), Some("start"));
        assert_eq!(text(&site, "/assets/app.js").await.as_deref(), Some("app"));
        assert_eq!(text(&site, "/assets/deep").await.as_deref(), Some("deep"));
        assert_eq!(
            text(&site, "/assets").await,
            None,
            "a folder without an index"
        );
        assert_eq!(text(&site, "/nope").await, None);
        assert_eq!(text(&site, "/index.html/x").await, None);
    }

    #[tokio::test]
    async fn no_path_leads_out_of_the_folder_or_to_hidden_files() {
        let (_folder, site) = site();
        let long = "/a".repeat(600);
        let name = format!("/{}", "a".repeat(600));
        for path in [
            "/../secret.txt",
            "/assets/../../secret.txt",
            "/./index.html",
            "/.env",
            "/assets//app.js",
            "/assets\\app.js",
            "/index.html\0",
            "//etc/passwd",
            "/etc/passwd",
            &long,
            &name,
        ] {
            assert_eq!(text(&site, path).await, None, "{path:?}");
        }
    }

    #[tokio::test]
    async fn links_are_followed_within_the_folder_only() {
        let (folder, site) = site();
        let root = folder.path().join("ui");
        symlink("assets/app.js", root.join("inside.js")).unwrap();
        symlink("../secret.txt", root.join("outside.txt")).unwrap();
        symlink(folder.path(), root.join("up")).unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        assert_eq!(text(&site, "/inside.js").await.as_deref(), Some("app"));
        for path in ["/outside.txt", "/up/secret.txt", "/etc/passwd", "/circle"] {
            assert_eq!(text(&site, path).await, None, "{path}");
        }
    }

    #[test]
    fn a_site_needs_a_folder() {
        let (folder, _site) = site();
        assert!(Site::open(&folder.path().join("nope")).is_err());
        assert!(Site::open(&folder.path().join("secret.txt")).is_err());
    }
}
