//! `lib.rss.FetchRSSFeed`.

use nodetool_sdk::{DateTime, Emitter, Generate, Node, NodeCx, NodeError, Outputs};

use super::feed::Feed;

/// Gives the entries of a feed, one after the other.
/// rss, atom, feed, news, blog, entries
#[derive(Node)]
#[node(namespace = "lib.rss", title = "Fetch RSS Feed", kind = Generate, tool, basic("url"))]
pub(super) struct FetchRSSFeed {
    /// Where the feed is.
    url: String,
}

/// One entry.
#[derive(Outputs)]
pub(super) struct Told {
    title: String,
    link: String,
    published: DateTime,
    summary: String,
    author: String,
}

impl Generate for FetchRSSFeed {
    type Output = Told;

    async fn generate(self, out: &Emitter<'_, Told>, cx: &NodeCx) -> Result<(), NodeError> {
        let feed = Feed::fetch(cx, &self.url).await?;
        for entry in feed.entries {
            let told = Told {
                title: entry.title,
                link: entry.link,
                published: entry.published,
                summary: entry.summary,
                author: entry.author,
            };
            out.emit(told).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::http::testing::{Net, answer};

    #[tokio::test]
    async fn every_entry_leaves_by_itself() {
        let net = Net::new(|_| {
            let feed = b"<rss><channel><item><title>A</title></item><item><title>B</title></item></channel></rss>";
            Ok(answer(200, ("content-type", "text/xml"), feed))
        });
        let run = case::<FetchRSSFeed>().set("url", "https://n.org/rss");
        let given = run.within(net.cx(None)).run().await.unwrap();
        let titles: Vec<_> = given.iter().map(|m| m["title"].clone()).collect();
        assert_eq!(titles, ["A".into(), "B".into()]);
        assert_eq!(given[0]["published"].type_tag(), Some("datetime"));
    }

    #[tokio::test]
    async fn what_is_no_feed_is_refused_in_the_name_of_the_address() {
        let net = Net::new(|_| Ok(answer(200, ("a", "b"), b"<html/>")));
        for (url, said) in [
            ("https://n.org", "leads to no feed"),
            ("", "cannot be empty"),
        ] {
            let run = case::<FetchRSSFeed>().set("url", url).within(net.cx(None));
            let refused = run.run().await.unwrap_err().to_string();
            assert!(
                refused.contains("`url`") && refused.contains(said),
                "{refused}"
            );
        }
    }
}
