//! What one viewer sees of a page: its pictures, of which the newest waits for the viewer.
//!
//! The browser draws on only as pictures are acknowledged, which is when they have been taken: a viewer that is slow
//! gets fewer of them, and none waits but the newest.

use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use image::{ImageFormat, ImageReader};
use nodetool_sdk::NodeError;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::page::attach;
use super::process::Lease;
use super::tabs::Tab;
use super::travel::when_there;
use super::watched::Follow;
use super::wire::Heard;

/// Time between two pictures: 15 of them in a second.
const PACE: Duration = Duration::from_micros(66_667);
/// Of a JPEG, from 0 to 100.
const QUALITY: u32 = 40;
/// Longest side of a picture; larger pages are drawn smaller.
const MAX_SIDE: u32 = 1920;
/// Most bytes of a picture, as the browser sends it.
const MAX_PICTURE: usize = 16 << 20;
/// Pictures after which the browser may leave out what comes, until some are acknowledged.
const IN_FLIGHT: u32 = 2;
/// Stillness after which a page whose last picture may have been left out is drawn anew.
const STILL: Duration = Duration::from_millis(250);

/// A picture of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) jpeg: Bytes,
}

/// A picture as it came.
struct Picture {
    base64: String,
    /// Size of the page, in its own pixels.
    page: (f64, f64),
}

#[derive(Default)]
struct Slot {
    newest: Option<Picture>,
    /// Which stream of pictures it is.
    cast: Json,
    /// How many have come since the last was taken, and how many are not acknowledged.
    come: u32,
    in_flight: u32,
    /// Whether others may have been left out after the newest.
    full: bool,
}

/// What has to be acknowledged.
struct Owed {
    cast: Json,
    count: u32,
}

/// The pictures of a session.
struct Pictures {
    target: String,
    slot: Mutex<Slot>,
    come: Notify,
}

impl Pictures {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next one, what has to be acknowledged for it, and whether others may have been left out after it. Nothing is
    /// lost when this is dropped.
    async fn next(&self) -> (Picture, Owed, bool) {
        loop {
            {
                let mut slot = self.slot();
                if let Some(picture) = slot.newest.take() {
                    let owed = Owed {
                        cast: slot.cast.clone(),
                        count: std::mem::take(&mut slot.come),
                    };
                    return (picture, owed, std::mem::take(&mut slot.full));
                }
            }
            self.come.notified().await;
        }
    }
}

impl Heard for Pictures {
    fn target(&self) -> &str {
        &self.target
    }

    fn note(&self, _: &Arc<str>, method: &str, params: &Json) -> Vec<Follow> {
        if method != "Page.screencastFrame" {
            return Vec::new();
        }
        let base64 = params["data"].as_str().unwrap_or_default();
        if base64.len() > MAX_PICTURE {
            let cast = json!({"sessionId": params["sessionId"]});
            return vec![Follow::Tell("Page.screencastFrameAck", cast)];
        }
        let side = |name: &str| params["metadata"][name].as_f64().unwrap_or_default();
        let picture = Picture {
            base64: base64.to_owned(),
            page: (side("deviceWidth"), side("deviceHeight")),
        };
        let mut slot = self.slot();
        slot.newest = Some(picture);
        slot.cast = params["sessionId"].clone();
        slot.come += 1;
        slot.in_flight += 1;
        slot.full |= slot.in_flight >= IN_FLIGHT;
        drop(slot);
        self.come.notify_one();
        Vec::new()
    }

    fn greeting(&self) -> Vec<(&'static str, Json)> {
        Vec::new()
    }

    fn gone(&self) {}
}

/// A page as one viewer sees it. Nothing is drawn for it any more when this is dropped.
pub(super) struct Screen {
    lease: Arc<Lease>,
    pub(super) session: Arc<str>,
    pictures: Arc<Pictures>,
    /// What has been taken and not acknowledged.
    owed: Option<Owed>,
    /// When the next picture may be taken.
    due: Instant,
    /// When the page is to be drawn anew.
    anew: Option<Instant>,
    /// Pixels of the page for each of the picture.
    pub(super) scale: (f64, f64),
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.lease.wire.forget(&self.pictures);
        let session = json!({"sessionId": &*self.session});
        self.lease
            .wire
            .tell(None, "Target.detachFromTarget", session);
    }
}

impl Screen {
    /// Has a page drawn.
    pub(super) async fn open(lease: Arc<Lease>, tab: &Tab) -> Result<Screen, NodeError> {
        let session = attach(&lease, tab.id()).await;
        let session = session.map_err(|e| NodeError::new(e.to_string()))?;
        let pictures = Arc::new(Pictures {
            target: tab.id().to_owned(),
            slot: Mutex::default(),
            come: Notify::new(),
        });
        lease.wire.watch(session.clone(), pictures.clone());
        let screen = Screen {
            lease,
            session,
            pictures,
            owed: None,
            due: Instant::now(),
            anew: None,
            scale: (1.0, 1.0),
        };
        when_there(
            &screen.lease,
            &screen.session,
            "Page.startScreencast",
            how(),
        )
        .await?;
        Ok(screen)
    }

    /// The next picture, not before its time. Nothing is lost when this is dropped.
    pub(super) async fn next(&mut self) -> Frame {
        if let Some(owed) = self.owed.take() {
            self.acknowledge(&owed);
        }
        loop {
            let picture = async {
                sleep_until(self.due).await;
                self.pictures.next().await
            };
            let still = async {
                match self.anew {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let (picture, owed, full) = tokio::select! {
                biased;
                taken = picture => taken,
                () = still => {
                    // A page that does not move is drawn only when somebody begins to look.
                    self.anew = None;
                    self.tell("Page.stopScreencast", json!({}));
                    self.tell("Page.startScreencast", how());
                    continue;
                }
            };
            let now = Instant::now();
            self.due = now + PACE;
            self.anew = full.then(|| now + STILL);
            let Some(frame) = frame(&picture.base64) else {
                self.acknowledge(&owed);
                continue;
            };
            self.owed = Some(owed);
            let scale = |page: f64, side: u32| {
                let scale = page / f64::from(side.max(1));
                if scale > 0.0 { scale } else { 1.0 }
            };
            self.scale = (
                scale(picture.page.0, frame.width),
                scale(picture.page.1, frame.height),
            );
            return frame;
        }
    }

    fn acknowledge(&self, owed: &Owed) {
        for _ in 0..owed.count {
            let cast = json!({"sessionId": owed.cast});
            self.tell("Page.screencastFrameAck", cast);
        }
        let mut slot = self.pictures.slot();
        slot.in_flight = slot.in_flight.saturating_sub(owed.count);
    }

    fn tell(&self, method: &'static str, params: Json) {
        self.lease.wire.tell(Some(&self.session), method, params);
    }
}

fn how() -> Json {
    json!({"format": "jpeg", "quality": QUALITY, "maxWidth": MAX_SIDE, "maxHeight": MAX_SIDE})
}

/// A picture with its size; nothing when it is none.
fn frame(base64: &str) -> Option<Frame> {
    let jpeg = STANDARD.decode(base64).ok()?;
    let reader = ImageReader::with_format(Cursor::new(&jpeg), ImageFormat::Jpeg);
    let (width, height) = reader.into_dimensions().ok()?;
    Some(Frame {
        width,
        height,
        jpeg: jpeg.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(side: u32) -> String {
        let mut bytes = Vec::new();
        image::DynamicImage::new_rgb8(side, side * 2)
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Jpeg)
            .unwrap();
        STANDARD.encode(bytes)
    }

    fn come(pictures: &Pictures, cast: u32, base64: &str) -> usize {
        let told = json!({"data": base64, "sessionId": cast, "metadata": {"deviceWidth": 10, "deviceHeight": 20}});
        pictures
            .note(&"S".into(), "Page.screencastFrame", &told)
            .len()
    }

    fn pictures() -> Pictures {
        Pictures {
            target: "F".into(),
            slot: Mutex::default(),
            come: Notify::new(),
        }
    }

    #[tokio::test]
    async fn only_the_newest_picture_waits_and_all_are_acknowledged_with_it() {
        let pictures = pictures();
        for side in [3, 4, 5] {
            assert_eq!(come(&pictures, 7, &jpeg(side)), 0, "nothing is told yet");
        }
        let (picture, owed, full) = pictures.next().await;
        assert_eq!((owed.cast, owed.count, full), (json!(7), 3, true));
        let seen = frame(&picture.base64).unwrap();
        assert_eq!((seen.width, seen.height), (5, 10));
        assert!(pictures.slot().newest.is_none());
        come(&pictures, 7, &jpeg(6));
        assert_eq!(pictures.next().await.1.count, 1);
    }

    #[test]
    fn a_picture_without_measure_is_given_back_at_once() {
        let pictures = pictures();
        assert_eq!(come(&pictures, 7, &"x".repeat(MAX_PICTURE + 1)), 1);
        assert!(pictures.slot().newest.is_none());
        assert_eq!(frame("no picture"), None);
        assert_eq!(frame(&STANDARD.encode("no picture")), None);
    }
}
