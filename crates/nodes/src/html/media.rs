//! The images, videos and sounds of a page.

use nodetool_sdk::NodeError;
use url::Url;

use super::page::{Page, Step};
use crate::bounds::blocking;

/// What to look for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Media {
    Image,
    Video,
    Audio,
}

/// Where the media of a page are, in document order; relative addresses are completed by the base URL, if any.
pub(crate) async fn media_of(
    html: String,
    base_url: String,
    media: Media,
) -> Result<Vec<String>, NodeError> {
    let base = match base_url.trim() {
        "" => None,
        text => Some(Url::parse(text).map_err(|e| {
            let message = format!(
                "{e} (expected an absolute URL such as https://example.com/page, or nothing)"
            );
            NodeError::bad("base_url", message)
        })?),
    };
    blocking(move || {
        let page = Page::read(&html, "html")?;
        let mut found = Vec::new();
        // The video and audio elements around; a `source` belongs to the innermost.
        let mut around = Vec::new();
        for step in page.walk(0, page.nodes.len()) {
            let element = match step {
                Step::Enter(_, e) => e,
                Step::Leave(e) => {
                    if matches!(e.name(), "video" | "audio") {
                        around.pop();
                    }
                    continue;
                }
                Step::Text(_) => continue,
            };
            let name = element.name();
            let wanted = match (name, media) {
                ("img", Media::Image) => true,
                ("iframe" | "video", Media::Video) => true,
                ("audio", Media::Audio) => true,
                ("source", Media::Video) => around.last() == Some(&"video"),
                ("source", Media::Audio) => around.last() == Some(&"audio"),
                _ => false,
            };
            if matches!(name, "video" | "audio") {
                around.push(name);
            }
            if wanted && let Some(src) = element.attr("src") {
                found.push(complete(base.as_ref(), src));
            }
        }
        Ok(found)
    })
    .await
}

fn complete(base: Option<&Url>, src: &str) -> String {
    match base {
        Some(base) if !src.starts_with("data:") => {
            base.join(src).map_or_else(|_| src.to_owned(), Into::into)
        }
        _ => src.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(html: &str, base: &str, media: Media) -> Vec<String> {
        media_of(html.into(), base.into(), media).await.unwrap()
    }

    #[tokio::test]
    async fn each_kind_is_found_in_its_own_elements() {
        let html = "<img src=a.png><img src=' '><img><video src=v.mp4></video>\
                    <video><source src=w.mp4><img src=b.png></video><iframe src=//x.org/e></iframe>\
                    <audio><source src=s.mp3></audio><audio src=t.mp3></audio><source src=lost>";
        let base = "https://a.org/dir/page";
        let images = ["https://a.org/dir/a.png", "https://a.org/dir/b.png"];
        assert_eq!(found(html, base, Media::Image).await, images);
        let videos = [
            "https://a.org/dir/v.mp4",
            "https://a.org/dir/w.mp4",
            "https://x.org/e",
        ];
        assert_eq!(found(html, base, Media::Video).await, videos);
        assert_eq!(found(html, "", Media::Audio).await, ["s.mp3", "t.mp3"]);
        let inline = "<img src='data:image/png;base64,AA=='>";
        assert_eq!(
            found(inline, base, Media::Image).await,
            ["data:image/png;base64,AA=="]
        );
    }

    #[tokio::test]
    async fn a_base_that_is_no_url_is_named() {
        let said = media_of(String::new(), "example.com".into(), Media::Image).await;
        assert!(said.unwrap_err().to_string().contains("`base_url`"));
    }
}
