//! A feed: RSS of any version, or Atom.
//!
//! It must not know where a feed comes from.

use chrono::{DateTime as Chrono, NaiveDate};
use nodetool_sdk::services::HttpResponse;
use nodetool_sdk::{DateTime, NodeCx, NodeError};

use super::xml::Element;
use crate::bounds::work;
use crate::charset::Charset;
use crate::date::record::Moment;
use crate::http::exchange::{Exchange, header_of};

/// Most bytes of a feed.
const MAX_BYTES: usize = 16 << 20;
/// Bytes at the beginning among which the encoding is named.
const PROLOG: usize = 200;

/// What a feed says of itself, and its entries in its own order.
#[derive(Debug, Default)]
pub(super) struct Feed {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) link: String,
    pub(super) language: String,
    pub(super) updated: String,
    pub(super) generator: String,
    pub(super) image: String,
    pub(super) entries: Vec<Entry>,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) title: String,
    pub(super) link: String,
    /// The record of no date where it has none, or none that can be read.
    pub(super) published: DateTime,
    pub(super) summary: String,
    pub(super) author: String,
}

impl Feed {
    /// Fetches the feed at the address in the property `url`.
    pub(super) async fn fetch(cx: &NodeCx, url: &str) -> Result<Feed, NodeError> {
        let accept = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1";
        let request = Exchange::new("GET", url)?.header("accept", accept);
        let response = request.send_ok(cx).await?;
        let bad = |why: String| NodeError::bad("url", format!("leads to no feed: {why}"));
        if response.body.len() > MAX_BYTES {
            let length = response.body.len();
            let why = format!("it has {length} bytes (expected at most {MAX_BYTES})");
            return Err(bad(why));
        }
        work(response.body.len(), move || {
            Feed::parse(&text_of(&response)).map_err(bad)
        })
        .await
    }

    pub(super) fn parse(source: &str) -> Result<Feed, String> {
        let root = Element::parse(source)?;
        match root.name.as_str() {
            "feed" => Ok(atom(&root)),
            "rss" => {
                let channel = root.child("channel").ok_or("it has no channel")?;
                Ok(rss(channel, channel))
            }
            // The entries of the oldest kind stand beside the channel.
            "rdf:RDF" => {
                let channel = root.child("channel").ok_or("it has no channel")?;
                Ok(rss(channel, &root))
            }
            other => {
                let other: String = other.chars().take(40).collect();
                Err(format!("it is a document `{other}` (expected RSS or Atom)"))
            }
        }
    }
}

fn rss(channel: &Element, entries: &Element) -> Feed {
    let image = channel.child("image");
    let image = image.map(|i| i.text_of(&["url"])).unwrap_or_default();
    Feed {
        title: channel.text_of(&["title"]),
        description: channel.text_of(&["description", "itunes:summary"]),
        link: link(channel),
        language: channel.text_of(&["language", "dc:language"]),
        updated: channel.text_of(&["lastBuildDate", "pubDate", "dc:date", "atom:updated"]),
        generator: channel.text_of(&["generator"]),
        image,
        entries: entries.all("item").map(item).collect(),
    }
}

fn item(item: &Element) -> Entry {
    let mut link = link(item);
    if link.is_empty() {
        let guid = item.child("guid");
        let guid = guid.filter(|g| g.attribute("isPermaLink") != "false");
        link = guid.map(Element::whole_text).unwrap_or_default();
    }
    Entry {
        title: item.text_of(&["title"]),
        link,
        published: date(&item.text_of(&["pubDate", "dc:date", "atom:published", "atom:updated"])),
        summary: item.text_of(&["description", "itunes:summary", "content:encoded"]),
        author: item.text_of(&["author", "dc:creator", "itunes:author"]),
    }
}

fn atom(feed: &Element) -> Feed {
    Feed {
        title: feed.text_of(&["title"]),
        description: feed.text_of(&["subtitle"]),
        link: link(feed),
        language: feed.attribute("xml:lang").to_owned(),
        updated: feed.text_of(&["updated"]),
        generator: feed.text_of(&["generator"]),
        image: feed.text_of(&["logo", "icon"]),
        entries: feed.all("entry").map(|e| entry(e, feed)).collect(),
    }
}

fn entry(entry: &Element, feed: &Element) -> Entry {
    let author = |of: &Element| {
        let author = of.child("author").map(|a| a.text_of(&["name", "email"]));
        author.unwrap_or_default()
    };
    let own = author(entry);
    Entry {
        title: entry.text_of(&["title"]),
        link: link(entry),
        published: date(&entry.text_of(&["published", "updated"])),
        summary: entry.text_of(&["summary", "content", "media:group"]),
        author: match own.is_empty() {
            true => author(feed),
            false => own,
        },
    }
}

/// The page an element is about.
fn link(of: &Element) -> String {
    let text = of.text_of(&["link"]);
    if !text.is_empty() {
        return text;
    }
    let links = of.all("link").chain(of.all("atom:link"));
    let mut pages = links.filter(|l| matches!(l.attribute("rel"), "" | "alternate"));
    let page = pages.next().map(|l| l.attribute("href"));
    page.unwrap_or_default().to_owned()
}

fn date(text: &str) -> DateTime {
    let text = text.trim();
    let zoned = Chrono::parse_from_rfc2822(text).or_else(|_| Chrono::parse_from_rfc3339(text));
    if let Ok(zoned) = zoned {
        let offset = zoned.offset().local_minus_utc();
        return Moment::with_offset(zoned.naive_local(), offset).record();
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    match day.and_then(|day| day.and_hms_opt(0, 0, 0)) {
        Some(midnight) => Moment::utc(midnight).record(),
        None => DateTime::default(),
    }
}

/// The document in the encoding the answer names, else in the one it names itself.
fn text_of(response: &HttpResponse) -> String {
    let kind = header_of(response, "content-type").unwrap_or_default();
    let named = after(kind, "charset=");
    let prolog = response.body.get(..PROLOG).unwrap_or(&response.body);
    let prolog = String::from_utf8_lossy(prolog);
    let prolog = prolog.split("?>").next().unwrap_or_default();
    let charset = named.or_else(|| after(prolog, "encoding="));
    let charset = charset.unwrap_or(Charset::Utf8 { mark: true });
    let text = charset.decode_lossy(&response.body);
    text.trim_start_matches('\u{feff}').trim_start().to_owned()
}

/// The encoding named behind a word.
fn after(text: &str, word: &str) -> Option<Charset> {
    let (_, rest) = text.split_once(word)?;
    let rest = rest.trim_start_matches(['"', '\'']);
    let name = rest.split(['"', '\'', ';', ' ']).next()?;
    Charset::named(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(source: &str) -> Entry {
        Feed::parse(source).unwrap().entries.remove(0)
    }

    #[test]
    fn rss_atom_and_the_oldest_kind_are_read() {
        let rss = first(
            "<rss version=\"2.0\"><channel><title>N</title><link>https://n.org</link><item><title>A &amp; B</title>\
             <media:title>no</media:title><link>https://n.org/a</link><pubDate>Tue, 03 Jun 2025 09:39:21 +0200</pubDate>\
             <description><![CDATA[<p>Hi</p>]]></description><dc:creator>Ada</dc:creator></item></channel></rss>",
        );
        assert_eq!((&*rss.title, &*rss.link), ("A & B", "https://n.org/a"));
        assert_eq!((&*rss.summary, &*rss.author), ("<p>Hi</p>", "Ada"));
        assert_eq!(rss.published.get("hour"), 9i64.into());
        assert_eq!(rss.published.get("utc_offset"), 7200i64.into());
        let atom = first(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><author><name>Bo</name></author><entry><title type=\"html\">T</title>\
             <link rel=\"self\" href=\"https://s\"/><link href=\"https://e.org/t\"/><updated>2025-06-03T09:39:21Z</updated>\
             <content type=\"xhtml\"><div>One <b>two</b></div></content></entry></feed>",
        );
        assert_eq!((&*atom.link, &*atom.author), ("https://e.org/t", "Bo"));
        assert_eq!(atom.summary, "One two");
        assert_eq!(atom.published.get("day"), 3i64.into());
        let old = first(
            "<rdf:RDF><channel><title>O</title></channel><item><title>X</title><guid>https://g</guid><dc:date>2001-02-03</dc:date></item></rdf:RDF>",
        );
        assert_eq!(old.link, "https://g");
        assert_eq!(old.published.get("year"), 2001i64.into());
    }

    #[test]
    fn what_is_no_feed_says_what_it_is_and_a_bad_date_is_no_date() {
        let refused = Feed::parse("<html><body/></html>").unwrap_err();
        assert!(
            refused.contains("`html` (expected RSS or Atom)"),
            "{refused}"
        );
        assert_eq!(date("soon"), DateTime::default());
    }

    #[test]
    fn the_encoding_is_that_of_the_answer_or_of_the_document() {
        let of = |kind: &str, body: &[u8]| {
            let response = HttpResponse {
                status: 200,
                headers: vec![("content-type".into(), kind.into())],
                body: body.to_vec().into(),
                url: String::new(),
            };
            text_of(&response)
        };
        assert_eq!(of("text/xml; charset=latin1", b"\xe9"), "é");
        let own = b"<?xml version='1.0' encoding='iso-8859-1'?>\xe9";
        assert!(of("text/xml", own).ends_with('é'));
        assert_eq!(of("", "\u{feff} <a/>".as_bytes()), "<a/>");
    }
}
