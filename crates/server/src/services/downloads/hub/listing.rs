//! The files of a repository, page by page. Their names are the word of strangers.

use reqwest::Url;
use reqwest::header::LINK;
use serde_json::Value;

use super::super::cache::REVISION;
use super::super::names::{Commit, ContentId, FilePath, RepoId};
use super::{Hub, HubError, text};
use crate::sensitive::Sensitive;

/// Most files of a repository, and pages they come in.
const FILES: usize = 100_000;
const PAGES: usize = 1_000;

/// A file at the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct RemoteFile {
    pub(in super::super) path: FilePath,
    pub(in super::super) size: u64,
    pub(in super::super) id: ContentId,
}

/// The files of a commit.
#[derive(Debug)]
pub(in super::super) struct Listing {
    pub(in super::super) commit: Commit,
    pub(in super::super) files: Vec<RemoteFile>,
}

impl Hub {
    /// What the latest commit of a repository holds.
    pub(in super::super) async fn list(
        &self,
        repo: &RepoId,
        token: Option<&Sensitive>,
    ) -> Result<Listing, HubError> {
        let api = |rest: &[&str]| {
            let parts = ["api", "models"].into_iter();
            let parts = parts.chain(repo.as_str().split('/'));
            self.url(parts.chain(rest.iter().copied()))
        };
        let what = format!("repository {}", repo.as_str());
        let (_, about) = self
            .json(api(&["revision", REVISION]), &what, token)
            .await?;
        let commit = about["sha"].as_str().and_then(Commit::parse);
        let commit = commit.ok_or_else(|| HubError::Nonsense(format!("{what} has no commit")))?;
        let tree = api(&["tree", commit.as_str()]);
        let mut page = tree.clone();
        page.set_query(Some("recursive=true"));
        let mut files = Vec::new();
        for _ in 0..PAGES {
            let (headers, entries) = self.json(page, &what, token).await?;
            let entries = entries.as_array();
            let entries =
                entries.ok_or_else(|| HubError::Nonsense("expected a list of files".into()))?;
            for entry in entries.iter().filter(|e| e["type"] == "file") {
                files.push(read(entry)?);
            }
            if files.len() > FILES {
                return Err(HubError::Refused(format!(
                    "{what} has more than {FILES} files"
                )));
            }
            let next = text(&headers, LINK).and_then(|link| next_page(&tree, link));
            match next {
                Some(next) => page = next,
                None => {
                    files.sort_by(|a, b| a.path.cmp(&b.path));
                    files.dedup_by(|a, b| a.path == b.path);
                    return Ok(Listing { commit, files });
                }
            }
        }
        Err(HubError::Nonsense(format!("{what} has too many pages")))
    }
}

fn read(entry: &Value) -> Result<RemoteFile, HubError> {
    let name = entry["path"].as_str().unwrap_or_default();
    let path = FilePath::parse(name).map_err(|e| HubError::Nonsense(e.to_string()))?;
    let lfs = &entry["lfs"];
    let (size, id) = match lfs["oid"].as_str().or_else(|| lfs["sha256"].as_str()) {
        Some(oid) => (
            lfs["size"].as_u64(),
            ContentId::sha256(oid.trim_start_matches("sha256:")),
        ),
        None => (
            entry["size"].as_u64(),
            entry["oid"].as_str().and_then(ContentId::git),
        ),
    };
    match (size.or_else(|| entry["size"].as_u64()), id) {
        (Some(size), Some(id)) => Ok(RemoteFile { path, size, id }),
        _ => Err(HubError::Nonsense(format!(
            "{} has no size or digest",
            path.as_str()
        ))),
    }
}

/// The page a `Link` header names. Only what it asks for is taken, not where: the token stays here.
fn next_page(tree: &Url, link: &str) -> Option<Url> {
    let next = link.split(',').find(|l| {
        let relation = l.split(';').skip(1).map(str::trim);
        relation.into_iter().any(|r| r == "rel=\"next\"")
    })?;
    let (_, rest) = next.split_once('<')?;
    let (target, _) = rest.split_once('>')?;
    let target = tree.join(target).ok()?;
    let mut page = tree.clone();
    page.set_query(target.query());
    Some(page)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_next_page_is_asked_of_the_same_hub_whatever_the_link_says() {
        let tree = Url::parse("https://hub/api/models/o/m/tree/c").unwrap();
        let link = "<https://evil/x?recursive=true&cursor=Y>; rel=\"next\"";
        assert_eq!(
            next_page(&tree, link).unwrap().as_str(),
            "https://hub/api/models/o/m/tree/c?recursive=true&cursor=Y"
        );
        assert_eq!(next_page(&tree, "<https://hub/a>; rel=\"prev\""), None);
    }

    #[test]
    fn names_and_digests_that_lead_elsewhere_are_refused() {
        let git = "0b".repeat(20);
        let good = json!({ "type": "file", "path": "a/b", "size": 3, "oid": git });
        assert_eq!(read(&good).unwrap().size, 3);
        for (key, value) in [
            ("path", json!("../b")),
            ("path", json!("/b")),
            ("oid", json!("../../x")),
            ("size", json!(-1)),
            ("path", json!(null)),
        ] {
            let mut bad = good.clone();
            bad[key] = value;
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
