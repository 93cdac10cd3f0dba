//! `lib.http.ImageDownloader`.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Outputs, Process, Severity};
use url::Url;

use super::exchange::{Exchange, check_batch, concurrency, header_of, host_of};
use super::requests::with_data;

/// Most bytes of all images together.
const MAX_BYTES: usize = 256 << 20;

/// Downloads images.
/// http, images, download, pictures, batch, scrape
///
/// Images come as the servers sent them. What could not be downloaded, or is no image, is listed by its URL.
#[derive(Node)]
#[node(namespace = "lib.http", tool, uncached)]
pub(super) struct ImageDownloader {
    /// Addresses of the images.
    images: Vec<String>,
    /// Completes relative addresses.
    base_url: String,
    /// Most downloads at a time.
    #[prop(default = 10)]
    max_concurrent_downloads: i64,
}

/// The images, and the addresses that gave none.
#[derive(Outputs)]
pub(super) struct Images {
    images: Vec<ImageRef>,
    failed_urls: Vec<String>,
}

impl Process for ImageDownloader {
    type Output = Images;

    async fn process(self, cx: &NodeCx) -> Result<Images, NodeError> {
        check_batch(&self.images, "images")?;
        let at_once = concurrency(self.max_concurrent_downloads, "max_concurrent_downloads")?;
        let base = match self.base_url.trim() {
            "" => None,
            text => Some(Url::parse(text).map_err(|e| {
                NodeError::bad(
                    "base_url",
                    format!("{e} (expected an absolute URL, or nothing)"),
                )
            })?),
        };
        let total = self.images.len() as i64;
        let urls = self.images.into_iter().map(|url| match &base {
            Some(base) => base.join(&url).map_or(url, Into::into),
            None => url,
        });
        let mut answers = stream::iter(urls)
            .map(|url| async move {
                let answer = fetch(&url, cx).await;
                (url, answer)
            })
            .buffered(at_once);
        let (mut images, mut failed_urls) = (Vec::new(), Vec::new());
        let (mut size, mut done) = (0, 0);
        while let Some((url, answer)) = answers.next().await {
            done += 1;
            cx.progress(done, total);
            match answer {
                Ok(data) => {
                    size += data.len();
                    if size > MAX_BYTES {
                        let message = format!("they hold more than {MAX_BYTES} bytes together");
                        return Err(NodeError::bad("images", message));
                    }
                    images.push(ImageRef(with_data(ImageRef::default().0, data)));
                }
                Err(e) => {
                    cx.log(
                        Severity::Warning,
                        format!("Image from {} failed: {e}", host_of(&url)),
                    );
                    failed_urls.push(url);
                }
            }
        }
        Ok(Images {
            images,
            failed_urls,
        })
    }
}

async fn fetch(url: &str, cx: &NodeCx) -> Result<Bytes, NodeError> {
    let response = Exchange::new("GET", url)?.send_ok(cx).await?;
    let kind = header_of(&response, "content-type").unwrap_or_default();
    if kind.trim_start().to_ascii_lowercase().starts_with("image/")
        || looks_like_image(&response.body)
    {
        Ok(response.body)
    } else {
        Err(NodeError::new("the answer is not an image"))
    }
}

/// Whether the first bytes are those of a common image format.
fn looks_like_image(data: &[u8]) -> bool {
    let starts: [&[u8]; 6] = [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF8",
        b"BM",
        b"II*\0",
        b"MM\0*",
    ];
    starts.iter().any(|s| data.starts_with(s))
        || (data.starts_with(b"RIFF") && data.get(8..12) == Some(b"WEBP"))
        || matches!(data.get(4..12), Some(b"ftypavif" | b"ftypheic"))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;
    use crate::http::testing::{Net, answer};

    #[tokio::test]
    async fn images_come_with_their_bytes_and_the_rest_is_listed() {
        let net = Net::new(|r| match r.url.as_str() {
            "https://x.org/i/a.png" => Ok(answer(200, ("content-type", "image/png"), b"data")),
            "https://y.org/raw" => Ok(answer(200, ("content-type", "x/y"), b"\xff\xd8\xffrest")),
            _ => Ok(answer(200, ("content-type", "text/html"), b"<html>")),
        });
        let urls = ["a.png", "https://y.org/raw", "page"];
        let run = case::<ImageDownloader>()
            .set("images", Value::list(urls.map(Value::from)))
            .set("base_url", "https://x.org/i/")
            .within(net.cx(None));
        let out = run.run().await.unwrap().remove(0);
        let images = out["images"].as_list().unwrap();
        let data: Vec<_> = images
            .iter()
            .map(|i| i.get("data").unwrap().as_bytes().unwrap().len())
            .collect();
        assert_eq!(data, [4, 7]);
        assert_eq!(
            out["failed_urls"],
            Value::list(["https://x.org/i/page".into()])
        );
    }
}
