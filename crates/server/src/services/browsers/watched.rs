//! What is known of one page, out of the events its browser tells: how far it has loaded, and the requests it made.
//!
//! Synchronous and bounded; what an event asks for is given back as data. It must not know how messages travel.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nodetool_sdk::browsers::{Capture, Captured, WaitMode};
use nodetool_sdk::{Map, Value};
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::wire::Heard;

/// Most requests of a page that are kept.
const MAX_REQUESTS: usize = 1000;
/// Most bytes of what is kept of them, bodies included.
const MAX_BYTES: usize = 64 << 20;
/// Largest body that is kept, whatever was asked for.
const MAX_BODY: usize = 32 << 20;
/// Frames and workers of a page that are listened to.
const MAX_SESSIONS: usize = 64;
/// Windows a page wants opened that wait for somebody who opens them.
const MAX_WINDOWS: usize = 4;
/// Longest address of those.
const MAX_ADDRESS: usize = 8192;

/// What an event asks for.
pub(super) enum Follow {
    /// To be told to the session it came from.
    Tell(&'static str, Json),
    /// Another session belongs to the page.
    Adopt(Arc<str>),
    /// A target the page opened, and must not have: its session and itself.
    Refuse(Arc<str>, String),
}

/// A body to ask the browser for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) session: Arc<str>,
    pub(super) request: String,
    /// Which of the kept requests it belongs to.
    pub(super) place: usize,
}

/// One page, shared between what hears events and whoever steers it.
pub(super) struct Watched {
    /// The page, as the browser names it.
    pub(super) target: String,
    /// Whether somebody who looks at it uses it, not a step.
    by_hand: bool,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Watched {
    /// A page of a step.
    pub(super) fn new(frame: &str, capture: Option<Capture>) -> Arc<Watched> {
        Watched::of(frame, capture, false)
    }

    /// A page that is used by hand, for as long as its browser is there: its frames and workers are not listened to.
    pub(super) fn by_hand(frame: &str) -> Arc<Watched> {
        Watched::of(frame, None, true)
    }

    fn of(frame: &str, capture: Option<Capture>, by_hand: bool) -> Arc<Watched> {
        let capture = capture.map(|mut capture| {
            capture.max_body = capture.max_body.min(MAX_BODY);
            capture
        });
        let state = State {
            frame: frame.to_owned(),
            capture,
            by_hand,
            ..State::default()
        };
        Arc::new(Watched {
            target: frame.to_owned(),
            by_hand,
            state: Mutex::new(state),
            changed: watch::channel(()).0,
        })
    }

    /// Sees every later change.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard for Watched {
    fn target(&self) -> &str {
        &self.target
    }

    fn note(&self, session: &Arc<str>, method: &str, params: &Json) -> Vec<Follow> {
        let follow = self.state().note(session, method, params);
        self.changed.send_replace(());
        follow
    }

    /// What every session of the page is told first; workers wait for the last of it.
    fn greeting(&self) -> Vec<(&'static str, Json)> {
        let network = ("Network.enable", self.state().network());
        if self.by_hand {
            let on = || json!({"enabled": true});
            return vec![
                network,
                // It takes keys as if its window were the one in front, and opens no window of its own for files.
                ("Emulation.setFocusEmulationEnabled", on()),
                ("Page.setInterceptFileChooserDialog", on()),
            ];
        }
        vec![
            network,
            ("Target.setAutoAttach", attach()),
            ("Runtime.runIfWaitingForDebugger", json!({})),
        ]
    }

    fn gone(&self) {
        self.state().failed = Some("the browser has ended".into());
        self.changed.send_replace(());
    }
}

/// Frames of other sites and workers are to be listened to from their beginning.
fn attach() -> Json {
    json!({"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true})
}

/// What is known of a page.
#[derive(Default)]
pub(super) struct State {
    /// The main frame.
    pub(super) frame: String,
    /// The document that is being left.
    left: Option<String>,
    /// The document that is there.
    loader: Option<String>,
    /// How far it has come.
    reached: HashSet<String>,
    /// Its address.
    pub(super) url: String,
    /// Status of the newest documents, by their loader.
    statuses: VecDeque<(String, u16)>,
    /// Why nothing more will come.
    failed: Option<String>,
    /// The main frame's own request that is under way.
    asked: Option<String>,
    sessions: usize,
    by_hand: bool,
    /// Where the windows it wants to open go, oldest first.
    windows: VecDeque<String>,
    capture: Option<Capture>,
    kept: Vec<Kept>,
    places: HashMap<(Arc<str>, String), usize>,
    bytes: usize,
    wanted: VecDeque<Wanted>,
}

struct Kept {
    request: Captured,
    /// Bytes of the body so far.
    length: usize,
}

impl State {
    /// A visit begins: what comes now is about another document.
    pub(super) fn begin(&mut self) {
        self.left = self.loader.take();
        self.reached.clear();
        self.asked = None;
    }

    /// The visit led to another place of the same document.
    pub(super) fn stay(&mut self) {
        self.loader = self.left.take();
    }

    /// Why there is no page any more.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Whether the document that is there counts as loaded.
    pub(super) fn is_loaded(&self, wait: WaitMode) -> bool {
        let word = match wait {
            WaitMode::Load => "load",
            WaitMode::DomContentLoaded => "DOMContentLoaded",
            WaitMode::NetworkIdle => "networkIdle",
        };
        self.loader.is_some() && self.reached.contains(word)
    }

    /// Status of the document that is there.
    pub(super) fn status(&self) -> Option<u16> {
        let loader = self.loader.as_ref()?;
        let found = self.statuses.iter().rev().find(|(id, _)| id == loader);
        found.map(|(_, status)| *status)
    }

    /// Where the page was on its way to, when it came to nothing.
    pub(super) fn underway(&self) -> Option<&str> {
        self.asked.as_deref()
    }

    /// The next window that somebody who clicked wants to see.
    pub(super) fn window(&mut self) -> Option<String> {
        self.windows.pop_front()
    }

    /// The next body to ask for.
    pub(super) fn want(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }

    /// A body came, or none that is text.
    pub(super) fn got(&mut self, wanted: &Wanted, body: Option<String>) {
        let room = MAX_BYTES.saturating_sub(self.bytes);
        let most = self.capture.as_ref().map_or(0, |c| c.max_body);
        let Some(kept) = self.kept.get_mut(wanted.place) else {
            return;
        };
        match body {
            Some(body) if body.len() > most.min(room) => kept.request.too_large = true,
            Some(body) => {
                self.bytes += body.len();
                kept.request.response_body = Some(body);
            }
            None => {}
        }
    }

    /// Takes what is kept. Requests that are still under way have no answer.
    pub(super) fn take(&mut self) -> Vec<Captured> {
        self.places.clear();
        self.wanted.clear();
        self.bytes = 0;
        let Some(capture) = &self.capture else {
            return Vec::new();
        };
        let kept = self.kept.drain(..).map(|kept| kept.request);
        kept.filter(|request| match request.status {
            Some(status) => capture.takes_status(status),
            None => capture.statuses.is_empty(),
        })
        .collect()
    }

    /// What the browser holds ready of bodies.
    fn network(&self) -> Json {
        let capture = self.capture.as_ref().filter(|capture| capture.bodies);
        let one = capture.map_or(1, |capture| capture.max_body.max(1));
        let all = capture.map_or(1, |_| MAX_BYTES);
        json!({"maxResourceBufferSize": one, "maxTotalBufferSize": all, "maxPostDataSize": 64 << 10})
    }

    fn note(&mut self, session: &Arc<str>, method: &str, params: &Json) -> Vec<Follow> {
        match method {
            "Page.lifecycleEvent" => self.came(params),
            "Page.frameNavigated" => self.navigated(&params["frame"]),
            "Page.navigatedWithinDocument" if text(params, "frameId") == self.frame => {
                self.url = text(params, "url").to_owned();
            }
            "Page.javascriptDialogOpening" => {
                let accept = params["type"] == "beforeunload";
                let answer = json!({"accept": accept});
                return vec![Follow::Tell("Page.handleJavaScriptDialog", answer)];
            }
            "Page.windowOpen" if self.by_hand && params["userGesture"] == true => {
                let url = text(params, "url");
                if self.windows.len() < MAX_WINDOWS && url.len() <= MAX_ADDRESS {
                    self.windows.push_back(url.to_owned());
                }
            }
            "Inspector.targetCrashed" => self.failed = Some("the page crashed".into()),
            "Target.attachedToTarget" => return self.attached(params),
            "Network.requestWillBeSent" => self.asks(session, params),
            "Network.responseReceived" => self.answered(session, params),
            "Network.dataReceived" => {
                let length = params["dataLength"].as_u64().unwrap_or_default();
                if let Some(kept) = self.kept_of(session, params) {
                    kept.length = kept
                        .length
                        .saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                }
            }
            "Network.loadingFinished" => self.finished(session, params),
            _ => {}
        }
        Vec::new()
    }

    fn came(&mut self, params: &Json) {
        let loader = text(params, "loaderId");
        if text(params, "frameId") != self.frame || self.left.as_deref() == Some(loader) {
            return;
        }
        let name = text(params, "name");
        if self.loader.as_deref() != Some(loader) {
            // Only its beginning makes a document the one that is there: others may end late.
            if name != "init" && self.loader.is_some() {
                return;
            }
            self.loader = Some(loader.to_owned());
            self.reached.clear();
        }
        // There are a dozen names.
        if self.reached.len() < 64 {
            self.reached.insert(name.to_owned());
        }
    }

    fn navigated(&mut self, frame: &Json) {
        if text(frame, "id") != self.frame {
            return;
        }
        self.url = format!("{}{}", text(frame, "url"), text(frame, "urlFragment"));
        if self.by_hand {
            // Whoever looks at a page that crashed may load it again.
            self.failed = None;
        }
        let loader = text(frame, "loaderId");
        if self.loader.as_deref() != Some(loader) {
            self.loader = Some(loader.to_owned());
            self.reached.clear();
        }
    }

    fn attached(&mut self, params: &Json) -> Vec<Follow> {
        let info = &params["targetInfo"];
        let target = text(info, "targetId").to_owned();
        let session: Arc<str> = text(params, "sessionId").into();
        // Windows a page opens are nobody's; a page that makes frames and workers without end is not listened to.
        if info["type"] == "page" || self.sessions >= MAX_SESSIONS {
            return vec![Follow::Refuse(session, target)];
        }
        self.sessions += 1;
        vec![Follow::Adopt(session)]
    }

    fn asks(&mut self, session: &Arc<str>, params: &Json) {
        let request = &params["request"];
        let url = text(request, "url");
        if params["type"] == "Document" && text(params, "frameId") == self.frame {
            self.asked = Some(url.chars().take(8192).collect());
        }
        let key = (session.clone(), text(params, "requestId").to_owned());
        if let Some(answer) = params.get("redirectResponse")
            && let Some(place) = self.places.remove(&key)
        {
            self.answer(place, answer);
        }
        let kind = text(params, "type").to_ascii_lowercase();
        let method = text(request, "method");
        let Some(capture) = &self.capture else { return };
        let of_network = url.starts_with("http://") || url.starts_with("https://");
        if !of_network || !capture.takes_request(&kind, method, url) {
            return;
        }
        let kept = Captured {
            resource_type: kind,
            method: method.to_owned(),
            url: url.to_owned(),
            request_headers: headers(&request["headers"]),
            request_body: request["postData"].as_str().map(str::to_owned),
            ..Captured::default()
        };
        let bytes = size(&kept.request_headers)
            + kept.url.len()
            + kept.request_body.as_ref().map_or(0, String::len);
        if self.kept.len() >= MAX_REQUESTS || self.bytes + bytes > MAX_BYTES {
            return;
        }
        self.bytes += bytes;
        self.places.insert(key, self.kept.len());
        self.kept.push(Kept {
            request: kept,
            length: 0,
        });
    }

    fn answered(&mut self, session: &Arc<str>, params: &Json) {
        let answer = &params["response"];
        if params["type"] == "Document"
            && text(params, "frameId") == self.frame
            && let Some(status) = status(answer)
        {
            if self.statuses.len() >= 16 {
                self.statuses.pop_front();
            }
            self.statuses
                .push_back((text(params, "loaderId").to_owned(), status));
        }
        let key = (session.clone(), text(params, "requestId").to_owned());
        if let Some(place) = self.places.get(&key) {
            self.answer(*place, answer);
        }
    }

    fn answer(&mut self, place: usize, answer: &Json) {
        let headers = headers(&answer["headers"]);
        let bytes = size(&headers);
        let fits = self.bytes + bytes <= MAX_BYTES;
        let Some(kept) = self.kept.get_mut(place) else {
            return;
        };
        kept.request.status = status(answer);
        if fits {
            self.bytes += bytes;
            kept.request.response_headers = headers;
        }
    }

    fn finished(&mut self, session: &Arc<str>, params: &Json) {
        let request = text(params, "requestId").to_owned();
        let Some(place) = self.places.remove(&(session.clone(), request.clone())) else {
            return;
        };
        let (Some(kept), Some(capture)) = (self.kept.get_mut(place), &self.capture) else {
            return;
        };
        if !capture.bodies || !kept.request.status.is_some_and(|s| capture.takes_status(s)) {
            return;
        }
        if kept.length > capture.max_body {
            kept.request.too_large = true;
            return;
        }
        self.wanted.push_back(Wanted {
            session: session.clone(),
            request,
            place,
        });
    }

    fn kept_of(&mut self, session: &Arc<str>, params: &Json) -> Option<&mut Kept> {
        let key = (session.clone(), text(params, "requestId").to_owned());
        self.kept.get_mut(*self.places.get(&key)?)
    }
}

fn text<'a>(object: &'a Json, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_default()
}

fn status(answer: &Json) -> Option<u16> {
    let status = answer["status"].as_u64()?;
    u16::try_from(status).ok().filter(|status| *status > 0)
}

/// Headers with their names in small letters.
fn headers(given: &Json) -> Map {
    let given = given.as_object().into_iter().flatten();
    given
        .filter_map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            Some((name.as_str().into(), Value::str(value.as_str()?)))
        })
        .collect()
}

fn size(headers: &Map) -> usize {
    let each = |(name, value): (&Arc<str>, &Value)| name.len() + value.as_str().map_or(0, str::len);
    headers.iter().map(each).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(capture: Option<Capture>) -> (Arc<Watched>, Arc<str>) {
        (Watched::new("F", capture), "S".into())
    }

    fn all() -> Option<Capture> {
        Some(Capture {
            bodies: true,
            max_body: 100,
            ..Capture::default()
        })
    }

    fn lifecycle(loader: &str, name: &str) -> Json {
        json!({"frameId": "F", "loaderId": loader, "name": name})
    }

    fn request(id: &str, url: &str) -> Json {
        json!({"requestId": id, "type": "XHR", "frameId": "F",
            "request": {"url": url, "method": "GET", "headers": {"Accept": "*/*"}}})
    }

    fn response(id: &str, status: u16) -> Json {
        json!({"requestId": id, "type": "XHR", "frameId": "F",
            "response": {"status": status, "headers": {"Content-Type": "text/plain"}}})
    }

    #[test]
    fn a_page_is_loaded_when_its_newest_document_says_so() {
        let (page, session) = page(None);
        let note = |method, params: Json| drop(page.note(&session, method, &params));
        let loaded = || page.state().is_loaded(WaitMode::Load);
        note("Page.lifecycleEvent", lifecycle("blank", "load"));
        assert!(loaded());
        page.state().begin();
        note("Page.lifecycleEvent", lifecycle("blank", "load"));
        assert!(!loaded(), "the document that is left does not count");
        note("Page.lifecycleEvent", lifecycle("one", "init"));
        note(
            "Page.frameNavigated",
            json!({"frame": {"id": "F", "loaderId": "one", "url": "http://a/", "urlFragment": "#x"}}),
        );
        note("Page.lifecycleEvent", lifecycle("two", "init"));
        note("Page.lifecycleEvent", lifecycle("one", "load"));
        assert!(!loaded(), "the first document has gone on to another");
        note(
            "Page.lifecycleEvent",
            json!({"frameId": "other", "loaderId": "two", "name": "load"}),
        );
        assert!(!loaded());
        note("Page.lifecycleEvent", lifecycle("two", "load"));
        assert!(loaded());
        assert!(!page.state().is_loaded(WaitMode::NetworkIdle));
        assert_eq!(page.state().url, "http://a/#x");
    }

    #[test]
    fn a_page_that_is_used_by_hand_asks_for_windows_and_recovers_from_a_crash() {
        let (page, session) = (Watched::by_hand("F"), Arc::from("S"));
        let note = |method, params: Json| drop(page.note(&session, method, &params));
        let open = |url: &str, clicked| json!({"url": url, "userGesture": clicked});
        note("Page.windowOpen", open("http://unasked/", false));
        for n in 0..100 {
            note("Page.windowOpen", open(&format!("http://a/{n}"), true));
        }
        note("Page.windowOpen", open(&"x".repeat(MAX_ADDRESS + 1), true));
        let windows: Vec<String> = std::iter::from_fn(|| page.state().window()).collect();
        assert_eq!(
            windows,
            ["http://a/0", "http://a/1", "http://a/2", "http://a/3"]
        );
        note("Inspector.targetCrashed", json!({}));
        assert_eq!(page.state().failure(), Some("the page crashed"));
        note(
            "Page.frameNavigated",
            json!({"frame": {"id": "F", "loaderId": "one", "url": "http://a/"}}),
        );
        assert_eq!(page.state().failure(), None);
    }

    #[test]
    fn each_hop_of_a_redirect_is_a_request() {
        let (page, session) = page(all());
        let note = |method, params: Json| drop(page.note(&session, method, &params));
        note("Network.requestWillBeSent", request("1", "http://a/"));
        let mut hop = request("1", "http://b/");
        hop["redirectResponse"] = response("1", 302)["response"].clone();
        note("Network.requestWillBeSent", hop);
        note("Network.responseReceived", response("1", 200));
        note("Network.loadingFinished", json!({"requestId": "1"}));
        let mut state = page.state();
        let wanted = state.want().unwrap();
        state.got(&wanted, Some("hello".into()));
        let kept = state.take();
        let told: Vec<_> = kept
            .iter()
            .map(|k| (&*k.url, k.status, k.response_body.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("http://a/", Some(302), None),
                ("http://b/", Some(200), Some("hello"))
            ]
        );
        assert_eq!(kept[1].request_headers["accept"], Value::str("*/*"));
        assert_eq!(
            kept[1].response_headers["content-type"],
            Value::str("text/plain")
        );
    }

    #[test]
    fn filters_leave_requests_and_bodies_out() {
        let capture = Capture {
            statuses: vec![(200, 299)],
            url_pattern: "/api".into(),
            ..all().unwrap()
        };
        let (page, session) = page(Some(capture));
        let note = |method, params: Json| drop(page.note(&session, method, &params));
        for (id, url, status) in [
            ("1", "http://a/api", 200),
            ("2", "http://a/api", 404),
            ("3", "http://a/", 200),
        ] {
            note("Network.requestWillBeSent", request(id, url));
            note("Network.responseReceived", response(id, status));
            note("Network.loadingFinished", json!({"requestId": id}));
        }
        note(
            "Network.requestWillBeSent",
            request("4", "http://a/api/underway"),
        );
        note("Network.requestWillBeSent", request("5", "data:,/api"));
        let mut state = page.state();
        assert_eq!(state.want().unwrap().request, "1");
        assert!(state.want().is_none(), "the body of 404 is not asked for");
        assert_eq!(state.take().len(), 1);
    }

    #[test]
    fn bodies_and_requests_are_bounded() {
        let (page, session) = page(all());
        let note = |method, params: Json| drop(page.note(&session, method, &params));
        note("Network.requestWillBeSent", request("big", "http://a/"));
        note("Network.responseReceived", response("big", 200));
        note(
            "Network.dataReceived",
            json!({"requestId": "big", "dataLength": 101}),
        );
        note("Network.loadingFinished", json!({"requestId": "big"}));
        assert!(page.state().want().is_none());
        note("Network.requestWillBeSent", request("grows", "http://a/"));
        note("Network.responseReceived", response("grows", 200));
        note("Network.loadingFinished", json!({"requestId": "grows"}));
        let wanted = page.state().want().unwrap();
        page.state().got(&wanted, Some("x".repeat(101)));
        for n in 0..2 * MAX_REQUESTS {
            note(
                "Network.requestWillBeSent",
                request(&n.to_string(), "http://a/"),
            );
        }
        let kept = page.state().take();
        assert_eq!(kept.len(), MAX_REQUESTS);
        assert!(kept[0].too_large && kept[1].too_large);
        assert_eq!(kept[1].response_body, None);
    }

    #[test]
    fn windows_are_refused_and_frames_adopted_up_to_a_bound() {
        let (page, session) = page(None);
        let attach = |kind: &str| {
            let params =
                json!({"sessionId": "child", "targetInfo": {"targetId": "T", "type": kind}});
            page.note(&session, "Target.attachedToTarget", &params)
        };
        assert!(matches!(&attach("page")[..], [Follow::Refuse(_, id)] if id == "T"));
        for _ in 0..MAX_SESSIONS {
            assert!(matches!(&attach("iframe")[..], [Follow::Adopt(id)] if &**id == "child"));
        }
        assert!(matches!(&attach("worker")[..], [Follow::Refuse(..)]));
        let closing = page.note(
            &session,
            "Page.javascriptDialogOpening",
            &json!({"type": "alert"}),
        );
        assert!(matches!(
            &closing[..],
            [Follow::Tell("Page.handleJavaScriptDialog", _)]
        ));
    }
}
