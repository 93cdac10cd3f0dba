//! A stored file as an answer: whole, a range of it, or that nothing has changed. It must not know keys.

use std::io;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::stream;
use nodetool_store::{Blob, BlobInfo};

use super::super::hygiene::Embeddable;
use crate::services::content_types;

/// A file, a part of it, or that nothing has changed. Pages may show it within themselves, as they do with documents;
/// what could act there comes sandboxed and as an attachment.
pub(in crate::http) fn file_response(
    request: &HeaderMap,
    blob: Blob,
    content_type: &str,
    file_name: Option<&str>,
) -> Response {
    let file = answer_of(request, blob, content_type, file_name);
    (Extension(Embeddable), file).into_response()
}

fn answer_of(
    request: &HeaderMap,
    blob: Blob,
    content_type: &str,
    file_name: Option<&str>,
) -> Response {
    let info = blob.info().clone();
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, text(&format!("\"{}\"", info.etag)));
    headers.insert(header::LAST_MODIFIED, text(&http_date(info.modified)));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if is_unchanged(request, &info) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let known = HeaderValue::from_str(content_type);
    let known = known.unwrap_or(HeaderValue::from_static(content_types::UNKNOWN));
    headers.insert(header::CONTENT_TYPE, known);
    if content_types::is_active(content_type) {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox"),
        );
        let attachment = HeaderValue::from_static("attachment");
        headers.insert(header::CONTENT_DISPOSITION, attachment);
    }
    if let Some(name) = file_name {
        headers.insert(header::CONTENT_DISPOSITION, attachment(name));
    }
    let whole = 0..info.size;
    let (status, range) = match range_of(request, &info) {
        Wanted::All => (StatusCode::OK, whole),
        Wanted::Part(range) => {
            let (first, last) = (range.start, range.end.saturating_sub(1));
            let value = text(&format!("bytes {first}-{last}/{}", info.size));
            headers.insert(header::CONTENT_RANGE, value);
            (StatusCode::PARTIAL_CONTENT, range)
        }
        Wanted::Beyond => {
            let value = text(&format!("bytes */{}", info.size));
            headers.insert(header::CONTENT_RANGE, value);
            headers.remove(header::CONTENT_TYPE);
            return (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response();
        }
    };
    let length = range.end - range.start;
    headers.insert(header::CONTENT_LENGTH, length.into());
    let reader = blob.read(range.start, length);
    let pieces = stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(None) => None,
            Ok(Some(piece)) => Some((Ok(piece), Some(reader))),
            Err(e) => {
                tracing::error!(error = %e, "a stored file could not be read to its end");
                Some((Err(io::Error::other(e)), None))
            }
        }
    });
    (status, headers, Body::from_stream(pieces)).into_response()
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

/// That a file is to be saved under this name.
fn attachment(name: &str) -> HeaderValue {
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '/' => '_',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '_',
        })
        .take(200)
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes().take(600) {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    text(&format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    ))
}

fn http_date(time: SystemTime) -> String {
    let time: DateTime<Utc> = time.into();
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the client has this already. A tag is better than a date and decides alone.
fn is_unchanged(request: &HeaderMap, info: &BlobInfo) -> bool {
    if let Some(tags) = header_text(request, header::IF_NONE_MATCH) {
        return tags.split(',').any(|tag| {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || tag.trim_matches('"') == info.etag
        });
    }
    header_text(request, header::IF_MODIFIED_SINCE)
        .and_then(read_date)
        .is_some_and(|date| seconds(info.modified) <= date)
}

/// Seconds since 1970 of a date in a header. The name of the day says nothing that the rest does not.
fn read_date(text: &str) -> Option<i64> {
    let date = text.split_once(',').map_or(text, |(_, date)| date);
    let date = DateTime::parse_from_rfc2822(date.trim()).ok()?;
    Some(date.timestamp())
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Beyond,
}

/// The range a request asks for, as far as the file goes. What is no single range asks for all.
fn range_of(request: &HeaderMap, info: &BlobInfo) -> Wanted {
    if let Some(condition) = header_text(request, header::IF_RANGE) {
        let date = http_date(info.modified);
        if condition.trim_matches('"') != info.etag && condition != date {
            return Wanted::All;
        }
    }
    let range = header_text(request, header::RANGE);
    range.map_or(Wanted::All, |range| parse_range(range, info.size))
}

fn parse_range(range: &str, size: u64) -> Wanted {
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // A number too large for us is beyond any file all the same.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let Some((unit, range)) = range.split_once('=') else {
        return Wanted::All;
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return Wanted::All;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::All;
    }
    match (number(first.trim()), number(last.trim())) {
        (None, Some(0)) if first.trim().is_empty() => Wanted::Beyond,
        (None, Some(_)) if first.trim().is_empty() && size == 0 => Wanted::Beyond,
        (None, Some(n)) if first.trim().is_empty() => Wanted::Part(size.saturating_sub(n)..size),
        (Some(first), None) if last.trim().is_empty() && first < size => Wanted::Part(first..size),
        (Some(_), None) if last.trim().is_empty() => Wanted::Beyond,
        (Some(first), Some(last)) if first > last => Wanted::All,
        (Some(first), Some(_)) if first >= size => Wanted::Beyond,
        (Some(first), Some(last)) => Wanted::Part(first..size.min(last.saturating_add(1))),
        _ => Wanted::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_59_ranges_are_brought_into_the_file() {
        for (range, wanted) in [
            ("bytes=1-2", Wanted::Part(1..3)),
            ("bytes=1-", Wanted::Part(1..5)),
            ("bytes=-2", Wanted::Part(3..5)),
            ("bytes=-9", Wanted::Part(0..5)),
            ("bytes=0-99", Wanted::Part(0..5)),
            ("bytes=9-", Wanted::Beyond),
            ("bytes=5-9", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=99999999999999999999-", Wanted::Beyond),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=3-1", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes", Wanted::All),
            ("lines=1-2", Wanted::All),
            ("bytes=+1-2", Wanted::All),
        ] {
            assert_eq!(parse_range(range, 5), wanted, "{range}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Beyond);
        assert_eq!(parse_range("bytes=-1", 0), Wanted::Beyond);
    }

    #[test]
    fn a_file_name_cannot_leave_its_header() {
        let value = attachment("a\"b\r\nx: ü/\\.png");
        let value = value.to_str().unwrap();
        assert_eq!(
            value,
            "attachment; filename=\"a_b__x: ___.png\"; filename*=UTF-8''a%22b%0D%0Ax%3A%20%C3%BC%2F%5C.png"
        );
    }
}
