//! Pictures: drawn, and redrawn from others.

use std::time::Duration;

use nodetool_sdk::media_type::sniff;
use nodetool_sdk::models::{ImageRequest, Media, MediaSource, ModelError, ModelErrorKind};
use nodetool_sdk::protocol::{Map, Value as Plain};
use reqwest::multipart::{Form, Part};
use reqwest::{Body as Upload, Method};
use serde_json::Value;

use super::body::Body;
use super::dialect::Drawing;
use super::{Client, contents};
use crate::media::result_file::Results;

/// Most bytes of a picture that is fetched.
const MAX_PICTURE: usize = 64 << 20;
/// Most pictures of a call.
const MOST: u32 = 10;

/// What a model of OpenAI draws: how its name begins, the sizes it has, how many at once, and whether it must be told
/// to give the pictures themselves.
struct Model {
    begins: &'static str,
    sizes: &'static [(u32, u32)],
    at_once: u32,
    by_address: bool,
}

const MODELS: &[Model] = &[
    Model {
        begins: "dall-e-2",
        sizes: &[(256, 256), (512, 512), (1024, 1024)],
        at_once: MOST,
        by_address: true,
    },
    Model {
        begins: "dall-e-3",
        sizes: &[(1024, 1024), (1792, 1024), (1024, 1792)],
        at_once: 1,
        by_address: true,
    },
    Model {
        begins: "",
        sizes: &[(1024, 1024), (1536, 1024), (1024, 1536)],
        at_once: MOST,
        by_address: false,
    },
];

impl Client {
    pub(super) async fn pictures(&self, request: ImageRequest) -> Result<Vec<Media>, ModelError> {
        let Some(drawing) = self.dialect.draws else {
            return Err(self.unsupported("model", "pictures"));
        };
        let wanted = request.count.unwrap_or(1);
        if !(1..=MOST).contains(&wanted) {
            let message = format!("`count` is {wanted}; expected 1 to {MOST}");
            return Err(ModelError {
                param: Some("count".to_owned()),
                ..self.account.error(ModelErrorKind::BadRequest, message)
            });
        }
        let whole = self.account.patience.whole;
        let asked = request.timeout_s.map(Duration::try_from_secs_f64);
        let patience = asked.and_then(Result::ok).map_or(whole, |t| t.min(whole));
        let work = async {
            let at_once = match drawing {
                Drawing::OpenAi => model(&request.model).at_once,
                _ => MOST,
            };
            let mut pictures = Vec::new();
            while pictures.len() < wanted as usize {
                let left = wanted - u32::try_from(pictures.len()).unwrap_or(wanted);
                let count = left.min(at_once);
                let fields = self.fields(&request, drawing, count)?;
                let post = match request.sources.is_empty() {
                    true => self.post("/images/generations", &fields.into())?,
                    false => self.edit(&request, drawing, fields)?,
                };
                let answer = self.account.json(post, patience).await?;
                let came = answer["data"].as_array().filter(|data| !data.is_empty());
                let came = came.ok_or_else(|| self.account.nonsense("no pictures"))?;
                for picture in came.iter().take(left as usize) {
                    pictures.push(self.picture(picture).await?);
                }
            }
            Ok(pictures)
        };
        let drawn = tokio::time::timeout(patience, work).await;
        drawn.map_err(|_| self.account.too_slow())?
    }

    /// The fields of a request, for both ways to send them.
    fn fields(
        &self,
        request: &ImageRequest,
        drawing: Drawing,
        count: u32,
    ) -> Result<Map, ModelError> {
        let mut body = Body::default();
        body.set("model", self.model(&request.model)?);
        let avoided = request.negative_prompt.as_deref().filter(|n| !n.is_empty());
        match (avoided, drawing) {
            // There is no field for it.
            (Some(avoided), Drawing::OpenAi | Drawing::Plain | Drawing::Size) => {
                let prompt = format!("{}\n\nDo not show: {avoided}", request.prompt);
                body.set("prompt", prompt);
            }
            _ => body.set("prompt", request.prompt.as_str()),
        }
        body.set("n", count);
        let sides = request.width.or(request.height);
        let sides = sides.zip(request.height.or(request.width));
        let size = |(width, height): (u32, u32)| format!("{width}x{height}");
        let of_openai = model(&request.model);
        let fetched = match drawing {
            Drawing::OpenAi => {
                let sides = sides.map(|sides| nearest(sides, of_openai.sizes));
                body.set_some("size", sides.map(size));
                of_openai.by_address
            }
            Drawing::Size => {
                body.set_some("size", sides.map(size));
                // Models of this name refuse the field, wherever they are served.
                !request.model.contains("gpt-image")
            }
            Drawing::Diffusion => {
                body.set_some("width", sides.map(|(width, _)| width));
                body.set_some("height", sides.map(|(_, height)| height));
                body.set_some("negative_prompt", avoided);
                body.set_some("guidance_scale", request.guidance_scale);
                body.set_some("steps", request.num_inference_steps);
                body.set_some("seed", request.seed);
                false
            }
            Drawing::Plain => true,
        };
        if fetched {
            body.set("response_format", "b64_json");
        }
        body.add(&request.extra);
        Ok(body.into_map())
    }

    /// A request to redraw.
    fn edit(
        &self,
        request: &ImageRequest,
        drawing: Drawing,
        fields: Map,
    ) -> Result<reqwest::RequestBuilder, ModelError> {
        if !matches!(drawing, Drawing::OpenAi | Drawing::Size) {
            return Err(self.unsupported("image", "pictures from pictures"));
        }
        let mut form = Form::new();
        for (field, value) in fields {
            form = match value {
                Plain::Null => form,
                Plain::Str(text) => form.text(field.to_string(), text.to_string()),
                other => {
                    let text = serde_json::to_string(&other).unwrap_or_default();
                    form.text(field.to_string(), text)
                }
            };
        }
        // Only newer models take several, under another name.
        let name = match request.sources.len() {
            1 => "image",
            _ => "image[]",
        };
        for (at, source) in request.sources.iter().enumerate() {
            let MediaSource::Bytes(bytes) = &source.source else {
                let param = format!("image[{at}]");
                return Err(self.unsupported(param, "pictures at an address: send the contents"));
            };
            let mime = contents::mime(source);
            let Some(ending) = mime.strip_prefix("image/") else {
                let message = format!("source {at} is no picture: its type is `{mime}`");
                return Err(ModelError {
                    param: Some(format!("image[{at}]")),
                    ..self.account.error(ModelErrorKind::BadRequest, message)
                });
            };
            let part = Part::stream_with_length(Upload::from(bytes.clone()), bytes.len() as u64)
                .file_name(format!("image{at}.{ending}"))
                .mime_str(&mime)
                .map_err(|_| self.unsupported("image", format_args!("the type `{mime}`")))?;
            form = form.part(name, part);
        }
        Ok(self.request(Method::POST, "/images/edits")?.multipart(form))
    }

    /// A picture of an answer, fetched where only its address came.
    async fn picture(&self, told: &Value) -> Result<Media, ModelError> {
        let bytes = if let Some(text) = told["b64_json"].as_str() {
            let text = text.split_once(";base64,").map_or(text, |(_, text)| text);
            contents::from_base64(text)
                .ok_or_else(|| self.account.nonsense("a picture that is no base64"))?
        } else if let Some(address) = told["url"].as_str() {
            match address
                .strip_prefix("data:")
                .and_then(|a| a.split_once(";base64,"))
            {
                Some((_, text)) => contents::from_base64(text)
                    .ok_or_else(|| self.account.nonsense("a picture that is no base64"))?,
                None => self.fetch(address).await?,
            }
        } else {
            return Err(self
                .account
                .nonsense("a picture without contents or address"));
        };
        match sniff(&bytes) {
            Some(mime) if mime.starts_with("image/") => Ok(Media::bytes(mime, bytes)),
            _ => Err(self.account.nonsense("a picture of no known kind")),
        }
    }

    /// Fetches a picture, without the key.
    async fn fetch(&self, address: &str) -> Result<Vec<u8>, ModelError> {
        let results = Results {
            account: &self.account,
            peer: None,
        };
        let picture = results.fetch(address, MAX_PICTURE).await?;
        match picture.source {
            MediaSource::Bytes(bytes) => Ok(bytes.into()),
            MediaSource::Url(_) => Err(self.account.nonsense("a picture that is not there")),
        }
    }
}

/// The model of OpenAI that a name stands for.
fn model(name: &str) -> &'static Model {
    const LAST: &Model = &MODELS[MODELS.len() - 1];
    let found = MODELS.iter().find(|model| name.starts_with(model.begins));
    found.unwrap_or(LAST)
}

/// The size that looks most alike: first by shape, then by sides.
fn nearest(wanted: (u32, u32), sizes: &[(u32, u32)]) -> (u32, u32) {
    let shape =
        |(width, height): (u32, u32)| (f64::from(width.max(1)) / f64::from(height.max(1))).ln();
    let apart = |size: &(u32, u32)| {
        let shapes = (shape(*size) - shape(wanted)).abs();
        (shapes, size.0.abs_diff(wanted.0))
    };
    let closest = sizes.iter().min_by(|a, b| {
        let (a, b) = (apart(a), apart(b));
        a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
    });
    closest.copied().unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_size_of_a_model_is_taken() {
        let sizes = |name: &str| model(name).sizes;
        assert_eq!(nearest((512, 512), sizes("gpt-image-1")), (1024, 1024));
        assert_eq!(nearest((1920, 1080), sizes("gpt-image-1")), (1536, 1024));
        assert_eq!(nearest((720, 1280), sizes("dall-e-3")), (1024, 1792));
        assert_eq!(nearest((500, 500), sizes("dall-e-2")), (512, 512));
        assert_eq!(nearest((0, 0), sizes("dall-e-2")), (256, 256));
    }
}
