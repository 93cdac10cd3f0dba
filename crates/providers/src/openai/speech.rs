//! Text to speech, as PCM while it is made.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use nodetool_sdk::models::{ModelError, SpeechRequest, SpeechStream};
use reqwest::header;

use super::Client;
use super::body::Body;

/// The voice of whoever names none; all of OpenAI's models have it.
const VOICE: &str = "alloy";

impl Client {
    pub(super) async fn speech(&self, request: SpeechRequest) -> Result<SpeechStream, ModelError> {
        let mut body = Body::default();
        body.set("model", self.model(&request.model)?);
        body.set("input", request.text);
        let voice = request.voice.filter(|voice| !voice.is_empty());
        body.set("voice", voice.unwrap_or_else(|| VOICE.to_owned()));
        body.set_some("speed", request.speed);
        body.set("response_format", "pcm");
        let post = self.post("/audio/speech", &body.into_value())?;
        let account = self.account.clone();
        let response = account.send(post, account.patience.first_byte).await?;
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if ["application/json", "text/"]
            .iter()
            .any(|no| kind.starts_with(no))
        {
            let kind: String = kind.chars().take(80).collect();
            let what = format_args!("no sound, but an answer of the type `{kind}`");
            return Err(account.nonsense(what));
        }
        // The second byte of a sample may come with the next piece.
        let source = (account, Some(response), BytesMut::new());
        let pieces = stream::unfold(source, |(account, mut response, mut half)| async move {
            loop {
                match account.piece(response.as_mut()?).await {
                    Ok(Some(piece)) => {
                        let samples = whole_samples(&mut half, piece);
                        if !samples.is_empty() {
                            return Some((Ok(samples), (account, response, half)));
                        }
                    }
                    Ok(None) => return None,
                    Err(e) => return Some((Err(e), (account, None, half))),
                }
            }
        });
        // Whoever asks once more gets the end again.
        Ok(Box::pin(pieces.fuse()))
    }
}

/// What is whole of what came, with the half before it; keeps the half behind it.
fn whole_samples(half: &mut BytesMut, mut piece: Bytes) -> Bytes {
    if !half.is_empty() {
        half.extend_from_slice(&piece);
        piece = half.split().freeze();
    }
    let whole = piece.len() & !1;
    half.extend_from_slice(&piece.split_off(whole));
    piece
}
