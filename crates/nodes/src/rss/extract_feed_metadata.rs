//! `lib.rss.ExtractFeedMetadata`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::feed::Feed;

/// Tells what a feed says of itself.
/// rss, atom, feed, metadata, title, language
#[derive(Node)]
#[node(namespace = "lib.rss", uncached, basic("url"))]
pub(super) struct ExtractFeedMetadata {
    /// Where the feed is.
    url: String,
}

/// Title, description, link, language, day of the last change, maker, image and number of entries.
#[derive(Outputs)]
pub(super) struct About {
    #[slot(ty = "dict")]
    output: Map,
}

impl Process for ExtractFeedMetadata {
    type Output = About;

    async fn process(self, cx: &NodeCx) -> Result<About, NodeError> {
        let feed = Feed::fetch(cx, &self.url).await?;
        let output = Map::from_iter([
            ("title".into(), Value::from(feed.title)),
            ("description".into(), feed.description.into()),
            ("link".into(), feed.link.into()),
            ("language".into(), feed.language.into()),
            ("updated".into(), feed.updated.into()),
            ("generator".into(), feed.generator.into()),
            ("image".into(), feed.image.into()),
            ("entry_count".into(), feed.entries.len().into()),
        ]);
        Ok(About { output })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::http::testing::{Net, answer};

    #[tokio::test]
    async fn the_feed_is_described() {
        let net = Net::new(|_| {
            let feed = b"<rss><channel><title>N</title><language>de</language><image><url>u</url></image><item/><item/></channel></rss>";
            Ok(answer(200, ("content-type", "text/xml"), feed))
        });
        let run = case::<ExtractFeedMetadata>().set("url", "https://n.org/rss");
        let given = run.within(net.cx(None)).value().await.unwrap();
        for (key, want) in [
            ("title", "N".into()),
            ("language", "de".into()),
            ("image", "u".into()),
            ("entry_count", Value::from(2i64)),
        ] {
            assert_eq!(given.get(key), Some(&want), "{key}");
        }
    }
}
