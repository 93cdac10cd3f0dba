//! Turns that make pictures, videos and speech (socket spec 8.6).

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use nodetool_protocol::{Map, Value};
use nodetool_sdk::models::{
    ImageRequest, Media, MediaSource, ModelError, ModelErrorKind, SpeechRequest, VideoRequest,
};

use super::regular::COST_OF;
use super::turn::{Turn, TurnError, Voice};
use crate::services::{keep_media, mime_of};

/// Most pictures of one turn.
const MOST_PICTURES: i64 = 8;
/// Samples of speech in a second, of two bytes each.
const RATE: u32 = 24_000;
/// Bytes of speech: an hour.
const MOST_SPEECH: usize = 3600 * 2 * RATE as usize;

/// What is asked for, read field by field.
struct Wish<'a>(&'a Map);

impl Wish<'_> {
    fn text(&self, key: &str) -> Option<String> {
        let text = self.0.get(key)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.0.get(key)?.as_f64().filter(|n| n.is_finite())
    }

    fn whole(&self, key: &str, most: i64) -> Option<u32> {
        let number = self.number(key)?.round().clamp(1.0, most as f64);
        Some(number as u32)
    }

    /// What the provider's model takes by its own names.
    fn extra(&self, keys: &[&str]) -> Map {
        let given = keys.iter().filter_map(|key| {
            let value = self.0.get(*key).filter(|v| !v.is_null())?;
            Some(((*key).into(), value.clone()))
        });
        given.collect()
    }
}

/// Makes what is asked for.
pub(super) async fn answer(turn: &Turn, voice: &Voice) -> Result<(), TurnError> {
    let Some(wish) = turn.ask.media_generation.clone() else {
        return Err(TurnError::Plain("media_generation is missing".into()));
    };
    let mut begin = turn.chunk(String::new(), false);
    let metadata = Value::map([("media_generation", Value::Map(wish.clone()))]);
    begin.insert("content_metadata".into(), metadata);
    voice.frame(begin).await;
    let mode = Wish(&wish).text("mode").unwrap_or_else(|| "image".into());
    let prompt = turn.ask.text();
    if prompt.trim().is_empty() && mode != "image_to_video" {
        return Err(TurnError::Plain("Please enter a prompt".into()));
    }
    let making = Making {
        turn,
        wish: Wish(&wish),
        prompt,
    };
    let parts = match mode.as_str() {
        "image" => making.pictures(Vec::new()).await?,
        "image_edit" => {
            let source = making.source().await?;
            making.pictures(vec![source]).await?
        }
        "video" => making.video(None).await?,
        "image_to_video" => {
            let source = making.source().await?;
            making.video(Some(source)).await?
        }
        "audio" => making.speech().await?,
        other => {
            let other: String = other.chars().take(80).collect();
            let text = format!("Media generation mode \"{other}\" is not yet supported");
            return Err(TurnError::Plain(text));
        }
    };
    let mut row = turn.says(&Value::list(parts));
    (row.provider, row.model) = (Some(making.provider()), Some(making.model()));
    let echo = [("media_generation".into(), Value::Map(wish.clone()))];
    voice.message_with(row, echo.into_iter().collect()).await;
    Ok(())
}

struct Making<'a> {
    turn: &'a Turn,
    wish: Wish<'a>,
    prompt: String,
}

impl Making<'_> {
    fn provider(&self) -> String {
        let own = self.wish.text("provider");
        own.unwrap_or_else(|| self.turn.ask.provider.clone())
    }

    fn model(&self) -> String {
        let own = self.wish.text("model");
        own.unwrap_or_else(|| self.turn.ask.model.clone())
    }

    fn models(&self) -> std::sync::Arc<dyn nodetool_sdk::models::Models> {
        self.turn.service.0.parts.models.of(&self.turn.caller)
    }

    /// The picture to start from: the named asset, else the first picture of the message.
    async fn source(&self) -> Result<Media, TurnError> {
        const NONE: &str = "A source image is required — drop or attach an image first";
        let named = self.wish.text("source_asset_id");
        let named = named.map(|id| Value::map([("asset_id", Value::from(id))]));
        let attached = || {
            let parts = self.turn.ask.content.as_list()?;
            let image = parts
                .iter()
                .find(|p| p.type_tag() == Some("image_url"))?
                .get("image")?;
            Some(image.clone())
        };
        let Some(reference) = named.or_else(attached) else {
            return Err(TurnError::Plain(NONE.into()));
        };
        let data = self.turn.assets.read(&reference).await;
        let data = data.map_err(|e| TurnError::Plain(format!("The source image: {e}")))?;
        Ok(Media::bytes(mime_of("image", "", &data), data))
    }

    async fn pictures(&self, sources: Vec<Media>) -> Result<Vec<Value>, TurnError> {
        let wish = &self.wish;
        let request = ImageRequest {
            provider: self.provider(),
            model: self.model(),
            prompt: self.prompt.clone(),
            sources,
            width: wish.whole("width", 16_384),
            height: wish.whole("height", 16_384),
            count: wish.whole("variations", MOST_PICTURES),
            strength: wish.number("strength"),
            num_inference_steps: wish.whole("num_inference_steps", 1000),
            extra: wish.extra(&["aspect_ratio", "resolution"]),
            node_id: Some(COST_OF.into()),
            ..ImageRequest::default()
        };
        let drawn = self.models().image(request).await.map_err(failed)?;
        let mut parts = Vec::with_capacity(drawn.len());
        for picture in drawn {
            parts.push(self.part("image_url", "image", picture).await?);
        }
        Ok(parts)
    }

    async fn video(&self, source: Option<Media>) -> Result<Vec<Value>, TurnError> {
        let wish = &self.wish;
        let request = VideoRequest {
            provider: self.provider(),
            model: self.model(),
            prompt: self.prompt.clone(),
            source,
            aspect_ratio: wish.text("aspect_ratio"),
            resolution: wish.text("resolution"),
            num_inference_steps: wish.whole("num_inference_steps", 1000),
            extra: wish.extra(&["duration"]),
            node_id: Some(COST_OF.into()),
            ..VideoRequest::default()
        };
        let film = self.models().video(request).await.map_err(failed)?;
        Ok(vec![self.part("video", "video", film).await?])
    }

    async fn speech(&self) -> Result<Vec<Value>, TurnError> {
        let wish = &self.wish;
        let request = SpeechRequest {
            provider: self.provider(),
            model: self.model(),
            text: self.prompt.clone(),
            voice: wish.text("voice"),
            speed: wish.number("speed"),
            node_id: Some(COST_OF.into()),
            ..SpeechRequest::default()
        };
        let mut spoken = self.models().speech(request).await.map_err(failed)?;
        let mut sound = BytesMut::new();
        while let Some(piece) = spoken.next().await {
            let piece = piece.map_err(failed)?;
            if sound.len() + piece.len() > MOST_SPEECH {
                let text = "Generation failed: the speech is longer than an hour";
                return Err(TurnError::Plain(text.into()));
            }
            sound.extend_from_slice(&piece);
        }
        // Whatever format was wished for: providers give samples, and this holds them as they are.
        let sound = Media::bytes("audio/wav", wav(&sound));
        Ok(vec![self.part("audio", "audio", sound).await?])
    }

    /// A part with what was made, as an asset.
    async fn part(
        &self,
        tag: &'static str,
        kind: &'static str,
        media: Media,
    ) -> Result<Value, TurnError> {
        let reference = match media.source {
            MediaSource::Bytes(data) => {
                let kept = keep_media(kind, &media.mime, data, &*self.turn.assets).await;
                kept.map_err(|e| TurnError::Plain(format!("Generation failed: {e}")))?
            }
            MediaSource::Url(address) => Value::map([
                ("type", Value::from(kind)),
                ("uri", address.into()),
                ("asset_id", Value::Null),
                ("data", Value::Null),
                ("metadata", Value::Null),
            ]),
        };
        Ok(Value::map([("type", tag.into()), (kind, reference)]))
    }
}

/// A failed call; those that programs tell by their kind keep it.
fn failed(e: ModelError) -> TurnError {
    match e.kind {
        ModelErrorKind::MissingKey { .. } | ModelErrorKind::NoModel => TurnError::Model(e),
        _ => TurnError::Plain(format!("Generation failed: {e}")),
    }
}

/// Samples of 16 bits, one channel, with a head that says so.
fn wav(samples: &[u8]) -> Bytes {
    let length = u32::try_from(samples.len()).unwrap_or(u32::MAX - 36);
    let mut out = BytesMut::with_capacity(44 + samples.len());
    out.put_slice(b"RIFF");
    out.put_u32_le(36 + length);
    out.put_slice(b"WAVEfmt ");
    out.put_u32_le(16);
    out.put_u16_le(1);
    out.put_u16_le(1);
    out.put_u32_le(RATE);
    out.put_u32_le(RATE * 2);
    out.put_u16_le(2);
    out.put_u16_le(16);
    out.put_slice(b"data");
    out.put_u32_le(length);
    out.put_slice(samples);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_get_a_head_that_says_what_they_are() {
        let sound = wav(&[1, 0, 2, 0]);
        assert_eq!(&sound[..4], b"RIFF");
        assert_eq!(&sound[8..16], b"WAVEfmt ");
        assert_eq!(
            u32::from_le_bytes(sound[24..28].try_into().unwrap()),
            24_000
        );
        assert_eq!(u32::from_le_bytes(sound[40..44].try_into().unwrap()), 4);
        assert_eq!(&sound[44..], [1, 0, 2, 0]);
    }

    #[test]
    fn wishes_are_bounded_and_nonsense_is_none() {
        let wish = [
            ("variations", Value::Int(900)),
            ("width", Value::Float(512.4)),
            ("height", "tall".into()),
            ("voice", "".into()),
        ];
        let wish: Map = wish.into_iter().map(|(k, v)| (k.into(), v)).collect();
        let wish = Wish(&wish);
        assert_eq!(wish.whole("variations", MOST_PICTURES), Some(8));
        assert_eq!(wish.whole("width", 16_384), Some(512));
        assert_eq!(wish.whole("height", 16_384), None);
        assert_eq!(wish.text("voice"), None);
    }
}
