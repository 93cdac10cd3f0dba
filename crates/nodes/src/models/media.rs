//! Images and sounds on their way to models, and what models make on its way into the graph.

use bytes::Bytes;
use nodetool_sdk::models::{Media, MediaSource};
use nodetool_sdk::services::HttpRequest;
use nodetool_sdk::{NodeCx, NodeError, Value};

/// Most bytes of one image or sound a model is given.
const MAX_BYTES: usize = 100 << 20;
/// Seconds to fetch what a provider has made.
const FETCH_S: f64 = 300.0;

/// What a reference refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    Audio,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Kind::Image => "image",
            Kind::Audio => "sound",
        }
    }

    fn formats(self) -> &'static str {
        match self {
            Kind::Image => "PNG, JPEG, WebP, GIF or another common format",
            Kind::Audio => "WAV, MP3, FLAC, OGG, M4A or another common format",
        }
    }
}

/// The contents of a reference for a model; nothing for a reference to nothing.
///
/// Public addresses stay addresses: the provider fetches them, this server does not.
pub(crate) async fn read(
    cx: &NodeCx,
    property: &str,
    reference: &Value,
    kind: Kind,
) -> Result<Option<Media>, NodeError> {
    let text = |key: &str| {
        let text = reference.get(key).and_then(Value::as_str);
        text.unwrap_or_default()
    };
    let data = reference.get("data").unwrap_or(&Value::Null);
    let bytes = match data {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Null if text("asset_id").is_empty() => {
            let uri = text("uri").trim();
            if uri.is_empty() {
                return Ok(None);
            }
            if let Some(address) = public(uri) {
                return Ok(Some(Media {
                    mime: String::new(),
                    name: None,
                    source: MediaSource::Url(address),
                }));
            }
            fetch(cx, property, reference).await?
        }
        _ => fetch(cx, property, reference).await?,
    };
    if bytes.len() > MAX_BYTES {
        let message = format!("{} bytes (expected at most {MAX_BYTES} bytes)", bytes.len());
        return Err(NodeError::bad(property, message));
    }
    match mime(&bytes, kind) {
        Some(mime) => Ok(Some(Media::bytes(mime, bytes))),
        None => {
            let message = format!(
                "{} bytes that are no {} (expected {})",
                bytes.len(),
                kind.noun(),
                kind.formats()
            );
            Err(NodeError::bad(property, message))
        }
    }
}

/// The same where there has to be something.
pub(crate) async fn required(
    cx: &NodeCx,
    property: &str,
    reference: &Value,
    kind: Kind,
) -> Result<Media, NodeError> {
    let media = read(cx, property, reference, kind).await?;
    media.ok_or_else(|| {
        let noun = kind.noun();
        NodeError::bad(property, format!("is empty (expected the {noun} to use)"))
    })
}

async fn fetch(cx: &NodeCx, property: &str, reference: &Value) -> Result<Bytes, NodeError> {
    let read = cx.services().assets.read(reference).await;
    read.map_err(|e| match e {
        NodeError::Stopped => e,
        e => NodeError::bad(property, e.to_string()),
    })
}

/// The address, if it is one on the network.
fn public(uri: &str) -> Option<String> {
    let url = url::Url::parse(uri).ok()?;
    let plain = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    plain.then(|| url.into())
}

/// A reference that carries what a model made; `empty` is one to nothing.
pub(crate) async fn made(cx: &NodeCx, empty: Value, media: Media) -> Result<Value, NodeError> {
    let data = match media.source {
        MediaSource::Bytes(bytes) => bytes,
        MediaSource::Url(url) => download(cx, url).await?,
    };
    if data.is_empty() {
        return Err(NodeError::new("the model made an empty file"));
    }
    let mut map = empty.as_map().cloned().unwrap_or_default();
    map.insert("data".into(), data.into());
    Ok(map.into())
}

async fn download(cx: &NodeCx, url: String) -> Result<Bytes, NodeError> {
    let request = HttpRequest {
        method: "GET".into(),
        url,
        headers: Vec::new(),
        body: None,
        timeout_s: Some(FETCH_S),
    };
    let answer = cx.services().http.send(request).await?;
    if (200..300).contains(&answer.status) {
        return Ok(answer.body);
    }
    let status = answer.status;
    let message = format!("what the model made cannot be fetched: its address answers {status}");
    Err(NodeError::new(message))
}

/// The MIME type by the first bytes.
fn mime(data: &[u8], kind: Kind) -> Option<&'static str> {
    let brand = data
        .get(4..12)
        .and_then(|b| b.strip_prefix(b"ftyp"))
        .map(<[u8]>::to_vec);
    let form = data.get(8..12).filter(|_| data.starts_with(b"RIFF"));
    match kind {
        Kind::Image => match (form, brand.as_deref()) {
            (Some(b"WEBP"), _) => Some("image/webp"),
            (_, Some(b"avif" | b"avis")) => Some("image/avif"),
            (_, Some(b"heic" | b"heix" | b"mif1" | b"heif")) => Some("image/heic"),
            _ => starts(
                data,
                &[
                    (b"\x89PNG\r\n\x1a\n", "image/png"),
                    (b"\xff\xd8\xff", "image/jpeg"),
                    (b"GIF8", "image/gif"),
                    (b"BM", "image/bmp"),
                    (b"II*\0", "image/tiff"),
                    (b"MM\0*", "image/tiff"),
                ],
            ),
        },
        Kind::Audio => match (form, brand) {
            (Some(b"WAVE"), _) => Some("audio/wav"),
            (_, Some(_)) => Some("audio/mp4"),
            _ => starts(
                data,
                &[
                    (b"ID3", "audio/mpeg"),
                    (b"fLaC", "audio/flac"),
                    (b"OggS", "audio/ogg"),
                    (b"\x1a\x45\xdf\xa3", "audio/webm"),
                    (b"FORM", "audio/aiff"),
                ],
            )
            .or_else(|| frames(data)),
        },
    }
}

fn starts(data: &[u8], known: &[(&[u8], &'static str)]) -> Option<&'static str> {
    let found = known.iter().find(|(start, _)| data.starts_with(start));
    found.map(|(_, mime)| *mime)
}

/// Bare MPEG audio: eleven set bits, then version and layer.
fn frames(data: &[u8]) -> Option<&'static str> {
    match data {
        [0xff, b, ..] if b & 0xf6 == 0xf0 => Some("audio/aac"),
        [0xff, b, ..] if b & 0xe0 == 0xe0 && b & 0x06 != 0 => Some("audio/mpeg"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::context;

    use super::*;

    fn image(key: &'static str, value: Value) -> Value {
        Value::map([("type", "image".into()), (key, value)])
    }

    #[tokio::test]
    async fn public_addresses_stay_addresses_and_nothing_is_nothing() {
        let cx = context();
        let read = async |reference: Value| read(&cx, "image", &reference, Kind::Image).await;
        let empty = image("uri", "".into());
        assert_eq!(read(empty).await.unwrap(), None);
        let there = read(image("uri", "https://example.com/a.png".into())).await;
        let source = there.unwrap().map(|m| m.source);
        let want = MediaSource::Url("https://example.com/a.png".into());
        assert_eq!(source, Some(want));
        let file = read(image("uri", "file:///etc/passwd".into())).await;
        let refused = file.unwrap_err().to_string();
        assert!(refused.contains("`image`"), "{refused}");
    }

    #[tokio::test]
    async fn an_image_that_is_none_is_refused() {
        let cx = context();
        let text = image("data", Bytes::from_static(b"hello").into());
        let refused = read(&cx, "image", &text, Kind::Image).await.unwrap_err();
        let want = "Invalid value for property `image`: 5 bytes that are no image";
        assert!(refused.to_string().starts_with(want), "{refused}");
    }

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        for (data, kind, want) in [
            (&b"\x89PNG\r\n\x1a\n..."[..], Kind::Image, Some("image/png")),
            (b"RIFF....WEBPVP8 ", Kind::Image, Some("image/webp")),
            (b"RIFF....WAVEfmt ", Kind::Image, None),
            (b"RIFF....WAVEfmt ", Kind::Audio, Some("audio/wav")),
            (b"....ftypM4A ....", Kind::Audio, Some("audio/mp4")),
            (b"....ftypavif....", Kind::Image, Some("image/avif")),
            (b"\xff\xfb\x90\x00", Kind::Audio, Some("audio/mpeg")),
            (b"\xff\xf1\x50\x80", Kind::Audio, Some("audio/aac")),
            (b"", Kind::Audio, None),
            (b"\xff", Kind::Audio, None),
        ] {
            assert_eq!(mime(data, kind), want, "{data:?}");
        }
    }
}
