//! `lib.rss`: feeds of news sites and blogs, RSS and Atom.

use nodetool_sdk::Registry;

mod extract_feed_metadata;
mod feed;
mod fetch_rss_feed;
mod xml;

pub(crate) fn register(r: &mut Registry) {
    r.add::<fetch_rss_feed::FetchRSSFeed>();
    r.add::<extract_feed_metadata::ExtractFeedMetadata>();
}
