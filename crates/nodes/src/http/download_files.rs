//! `lib.http.DownloadFiles`.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};
use nodetool_sdk::services::HttpResponse;
use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Severity};

use super::exchange::{Exchange, check_batch, concurrency, header_of, host_of};
use super::file_name::file_name;
use crate::bounds::blocking;
use crate::workspace::place::{failed, numbered, reach};

/// Downloads files into a folder of the workspace.
/// http, download, files, urls, batch, save
///
/// A file takes its name from the server or from its URL. What could not be downloaded is listed by its URL.
#[derive(Node)]
#[node(namespace = "lib.http", tool, uncached, effect = "idempotent")]
pub(super) struct DownloadFiles {
    /// What to download.
    urls: Vec<String>,
    /// The folder, as a path in the workspace.
    #[prop(default = "downloads")]
    output_folder: String,
    /// Most downloads at a time.
    #[prop(default = 5)]
    max_concurrent_downloads: i64,
}

/// Paths of the files, and the URLs that gave none.
#[derive(Outputs)]
pub(super) struct Downloads {
    success: Vec<String>,
    failed: Vec<String>,
}

impl Process for DownloadFiles {
    type Output = Downloads;

    async fn process(self, cx: &NodeCx) -> Result<Downloads, NodeError> {
        check_batch(&self.urls, "urls")?;
        let at_once = concurrency(self.max_concurrent_downloads, "max_concurrent_downloads")?;
        let workspace = cx.workspace()?;
        let folder = reach(&workspace, "output_folder", &self.output_folder)?;
        let total = self.urls.len() as i64;
        let mut answers = stream::iter(self.urls)
            .map(|url| async move {
                let answer = fetch(&url, cx).await;
                (url, answer)
            })
            .buffered(at_once);
        let mut downloads = Downloads {
            success: Vec::new(),
            failed: Vec::new(),
        };
        let (mut names, mut done) = (Names::default(), 0);
        while let Some((url, answer)) = answers.next().await {
            done += 1;
            cx.progress(done, total);
            match answer {
                Ok(response) => {
                    let suggested = header_of(&response, "content-disposition");
                    let name = names.free(file_name(suggested, &url));
                    // The name comes from outside: it passes the same check as any path.
                    let path = workspace.resolve(&workspace.relative(&folder.join(name)))?;
                    let shown = workspace.relative(&path);
                    blocking(move || {
                        let kept = path.parent().map_or(Ok(()), std::fs::create_dir_all);
                        kept.and_then(|()| std::fs::write(&path, &response.body))
                            .map_err(|e| failed("output_folder", "cannot take the file", &e))
                    })
                    .await?;
                    downloads.success.push(shown);
                }
                Err(e) => {
                    cx.log(
                        Severity::Warning,
                        format!("Download from {} failed: {e}", host_of(&url)),
                    );
                    downloads.failed.push(url);
                }
            }
        }
        Ok(downloads)
    }
}

async fn fetch(url: &str, cx: &NodeCx) -> Result<HttpResponse, NodeError> {
    Exchange::new("GET", url)?.send_ok(cx).await
}

/// The names of a batch, each given once; small and capital letters count as the same.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// How often a name was asked for.
    asked: HashMap<String, usize>,
}

impl Names {
    fn free(&mut self, name: String) -> String {
        let number = self.asked.entry(name.to_lowercase()).or_default();
        let mut free = if *number == 0 {
            name.clone()
        } else {
            numbered(&name, *number)
        };
        while !self.taken.insert(free.to_lowercase()) {
            *number += 1;
            free = numbered(&name, *number);
        }
        *number += 1;
        free
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;
    use crate::http::testing::{Net, answer};

    fn texts(items: &[&str]) -> Value {
        Value::list(items.iter().map(|i| Value::from(*i)))
    }

    #[tokio::test]
    async fn files_land_in_the_folder_and_failures_are_listed() {
        let root = tempfile::tempdir().unwrap();
        let net = Net::new(|r| match r.url.as_str() {
            "https://x.org/bad" => Err(NodeError::new("no")),
            "https://x.org/gone" => Ok(answer(410, ("a", "b"), b"")),
            "https://x.org/evil" => {
                let header = (
                    "content-disposition",
                    "attachment; filename=\"../../up.txt\"",
                );
                Ok(answer(200, header, b"evil"))
            }
            url => Ok(answer(200, ("a", "b"), url.as_bytes())),
        });
        let urls = [
            "https://x.org/a.txt",
            "https://x.org/bad",
            "https://y.org/a.txt",
            "https://x.org/gone",
            "https://x.org/evil",
        ];
        let run = case::<DownloadFiles>()
            .set("urls", texts(&urls))
            .set("output_folder", "in/here")
            .within(net.cx(Some(root.path().into())));
        let out = run.run().await.unwrap().remove(0);
        let files = ["in/here/a.txt", "in/here/a_1.txt", "in/here/up.txt"];
        assert_eq!(out["success"], texts(&files));
        assert_eq!(
            out["failed"],
            texts(&["https://x.org/bad", "https://x.org/gone"])
        );
        let second = std::fs::read_to_string(root.path().join(files[1])).unwrap();
        assert_eq!(second, "https://y.org/a.txt");
    }

    #[tokio::test]
    async fn folders_outside_and_empty_crews_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let net = Net::new(|_| Ok(answer(200, ("a", "b"), b"")));
        for (name, value) in [
            ("output_folder", Value::from("../x")),
            ("output_folder", "/etc".into()),
            ("max_concurrent_downloads", 0i64.into()),
        ] {
            let run = case::<DownloadFiles>()
                .set("urls", texts(&["https://x.org/a"]))
                .set(name, value)
                .within(net.cx(Some(root.path().into())));
            let said = run.run().await.unwrap_err().to_string();
            assert!(said.contains(name), "{said}");
        }
        assert!(net.seen.lock().unwrap().is_empty());
    }
}
