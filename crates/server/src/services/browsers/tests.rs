//! Browsers as they are: a real one, against sites of this machine.
//!
//! The browser is the program `NODETOOL_TEST_BROWSER` names, as `ci/browser.py` does; without one these tests are
//! counted as skipped.

mod site;
mod watching;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nodetool_sdk::browsers::{Browsers, Capture, Page, PageOptions, WaitMode};
use nodetool_sdk::services::Services;
use nodetool_sdk::steps::{Flow, FlowCx, Mode, Runtime, StepConfig, StepCx, Steps, Token};
use nodetool_sdk::testing::context_with;
use nodetool_sdk::{Map, Value};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::UdpSocket;

use super::*;
use crate::outbound::{Outbound, OutboundOptions};
use site::Site;

const LIMIT: Duration = Duration::from_secs(120);

/// A user's browsers over a folder of their own.
struct Desk {
    service: BrowserService,
    caller: Caller,
    pool: String,
    folder: TempDir,
}

fn settings(program: &Path, folder: &Path) -> BrowserSettings {
    BrowserSettings {
        path: program.to_owned(),
        search_path: std::env::var_os("PATH").unwrap_or_default(),
        folder: folder.to_owned(),
        sandbox: false,
        most: 4,
        idle: Duration::from_secs(600),
    }
}

fn program() -> Option<PathBuf> {
    let program = std::env::var_os("NODETOOL_TEST_BROWSER");
    if program.is_none() {
        eprintln!("SKIPPED 1 test: NODETOOL_TEST_BROWSER names no browser");
    }
    program.map(PathBuf::from)
}

fn dial() -> Arc<dyn Dial> {
    // One address of this machine may be reached, its neighbours may not.
    let options = OutboundOptions {
        allow: vec!["127.0.0.1".into(), "localhost".into()],
        ..OutboundOptions::default()
    };
    Arc::new(Outbound::new(options).unwrap())
}

fn map(given: Json) -> Map {
    let value: Value = serde_json::from_value(given).unwrap();
    value.as_map().unwrap().clone()
}

impl Desk {
    async fn new() -> Option<Desk> {
        Desk::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut BrowserSettings)) -> Option<Desk> {
        let program = program()?;
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&program, folder.path());
        change(&mut settings);
        let store = Store::open_in_memory().unwrap();
        let service = BrowserService::new(store, settings, dial());
        let caller = Caller::user("u");
        let pool = pool_of(&service, &caller).await;
        Some(Desk {
            service,
            caller,
            pool,
            folder,
        })
    }

    fn browsers(&self) -> Arc<dyn Browsers> {
        self.service.of(&self.caller)
    }

    async fn open(&self) -> Box<dyn Page> {
        self.open_with(PageOptions::default()).await
    }

    async fn open_with(&self, options: PageOptions) -> Box<dyn Page> {
        self.browsers().open(&self.pool, options).await.unwrap()
    }

    async fn close(self) -> TempDir {
        self.service.shut_down(LIMIT).await;
        assert_eq!(
            processes(self.folder.path()),
            0,
            "browsers have been left behind"
        );
        self.folder
    }
}

/// A pool with one session; gives its choice.
async fn pool_of(service: &BrowserService, caller: &Caller) -> String {
    let session = service
        .create_session(caller, &map(json!({"name": "s"})))
        .await
        .unwrap();
    let pool = map(json!({"name": "p", "browser_sessions": [session.id]}));
    let pool = service.create_pool(caller, &pool).await.unwrap();
    format!("{POOL}{}", pool.id)
}

/// How many processes have something to do with a folder.
fn processes(folder: &Path) -> usize {
    let folder = folder.as_os_str().as_encoded_bytes();
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let told = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    told.filter(|told| memchr::memmem::find(told, folder).is_some())
        .count()
}

/// The result of something that must not hang.
async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, work).await {
        Ok(result) => result,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// Waits until the browser has answered a question, and so has told all it had to tell before.
async fn browser_answers(desk: &Desk) {
    let session = desk.service.sessions(&desk.caller).await.unwrap().remove(0);
    let lease = desk.service.fleet.lease(&session.id).await.unwrap();
    let told = lease.wire.call(None, "Browser.getVersion", json!({})).await;
    told.unwrap();
}

fn all() -> Capture {
    Capture {
        bodies: true,
        max_body: 1 << 20,
        ..Capture::default()
    }
}

#[tokio::test]
async fn a_page_counts_as_loaded_in_three_ways_and_shows_what_scripts_made() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut page = desk.open().await;
    for wait in [
        WaitMode::DomContentLoaded,
        WaitMode::Load,
        WaitMode::NetworkIdle,
    ] {
        let visit = page
            .goto(&site.url("/redirect?to=/scripted"), wait, LIMIT)
            .await
            .unwrap();
        assert_eq!(
            (visit.url, visit.status),
            (site.url("/scripted"), Some(200))
        );
    }
    let document = page.content().await.unwrap();
    assert!(document.starts_with("<!DOCTYPE html><html>"), "{document}");
    assert!(
        document.contains("made by a script out of {\"n\":1}"),
        "{document}"
    );
    let visit = page
        .goto(&site.url("/missing"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    assert_eq!(visit.status, Some(404));
    let visit = page
        .goto(&site.url("/missing#there"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    assert_eq!(visit.url, site.url("/missing#there"));
    drop(page);
    desk.close().await;
}

#[tokio::test]
async fn a_page_that_does_not_come_is_an_error_that_says_why() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut page = desk.open().await;
    for (url, part) in [
        ("file:///etc/passwd", "http or https"),
        ("chrome://version", "http or https"),
        ("http://127.0.0.1:1/", "127.0.0.1"),
        ("http://no-such-host.invalid/", "no-such-host.invalid"),
        (
            "http://10.1.2.3/secret",
            "Requests to `10.1.2.3` are refused",
        ),
        (
            "http://169.254.169.254/latest",
            "Requests to `169.254.169.254` are refused",
        ),
        ("http://[::1]/", "refused"),
    ] {
        let said = page
            .goto(url, WaitMode::Load, LIMIT)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            said.contains(part) && !said.contains("secret"),
            "{url}: {said}"
        );
    }
    let limit = Duration::from_millis(300);
    let said = page.goto(&site.url("/silent"), WaitMode::Load, limit).await;
    let said = said.unwrap_err().to_string();
    assert!(said.contains("took longer than 0.3 s"), "{said}");
    let visit = page
        .goto(&site.url("/"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    assert_eq!(visit.status, Some(200), "the page goes on after all that");
    drop(page);
    desk.close().await;
}

#[tokio::test]
async fn nothing_a_page_does_reaches_an_address_that_nodes_may_not_reach() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let forbidden = Site::start(Ipv4Addr::new(127, 0, 0, 2)).await;
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut page = desk
        .open_with(PageOptions {
            throttle: false,
            capture: Some(all()),
        })
        .await;
    let prying = format!(
        "/prying?to={}&udp={}",
        forbidden.url("/"),
        udp.local_addr().unwrap().port()
    );
    page.goto(&site.url(&prying), WaitMode::NetworkIdle, LIMIT)
        .await
        .unwrap();
    assert!(
        page.click("#tried", LIMIT).await.unwrap(),
        "not all was tried"
    );
    let document = page.content().await.unwrap();
    assert!(!document.contains("reached"), "{document}");
    let tried = page.captured().await.unwrap();
    assert!(
        tried
            .iter()
            .any(|r| r.url.starts_with(&forbidden.url("/")) && r.status.is_none())
    );
    let to = forbidden.url("/");
    let said = page
        .goto(
            &site.url(&format!("/redirect?to={to}")),
            WaitMode::Load,
            LIMIT,
        )
        .await;
    let said = said.unwrap_err().to_string();
    assert!(
        said.contains("Requests to `127.0.0.2` are refused"),
        "{said}"
    );
    assert!(forbidden.seen().is_empty(), "{:?}", forbidden.seen());
    let mut packet = [0; 64];
    assert!(udp.try_recv(&mut packet).is_err(), "a packet has come");
    drop(page);
    desk.close().await;
}

#[tokio::test]
async fn requests_are_kept_with_their_answers_those_of_frames_too() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut page = desk
        .open_with(PageOptions {
            throttle: false,
            capture: Some(all()),
        })
        .await;
    // The frame belongs to another site by its name, so it has a process of its own.
    let framed = format!("/framed?to=http://localhost:{}/scripted", site.port());
    page.goto(&site.url(&framed), WaitMode::NetworkIdle, LIMIT)
        .await
        .unwrap();
    let mut kept = page.captured().await.unwrap();
    within("the body of what the frame fetched", async {
        while !kept
            .iter()
            .any(|r| r.resource_type == "fetch" && r.response_body.is_some())
        {
            browser_answers(&desk).await;
            kept.extend(page.captured().await.unwrap());
        }
    })
    .await;
    let first = kept.iter().find(|r| r.url.contains("/framed")).unwrap();
    assert_eq!(
        (&*first.resource_type, &*first.method, first.status),
        ("document", "GET", Some(200))
    );
    assert!(first.response_body.as_ref().unwrap().contains("<iframe"));
    let fetched = kept.iter().find(|r| r.resource_type == "fetch").unwrap();
    assert_eq!(fetched.response_body.as_deref(), Some("{\"n\":1}"));
    assert_eq!(
        fetched.response_headers["content-type"],
        Value::str("application/json")
    );
    drop(page);

    let capture = Capture {
        resource_types: vec!["fetch".into()],
        methods: vec!["POST".into()],
        max_body: 10,
        ..all()
    };
    let mut page = desk
        .open_with(PageOptions {
            throttle: false,
            capture: Some(capture),
        })
        .await;
    page.goto(&site.url("/posting"), WaitMode::NetworkIdle, LIMIT)
        .await
        .unwrap();
    let kept = page.captured().await.unwrap();
    let told: Vec<_> = kept
        .iter()
        .map(|r| (&*r.method, r.request_body.as_deref(), r.status, r.too_large))
        .collect();
    assert_eq!(told, [("POST", Some("sent"), Some(200), true)]);
    drop(page);
    desk.close().await;
}

#[tokio::test]
async fn sessions_share_no_cookies_and_keep_them_when_their_browser_ends() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let other = Caller::user("v");
    let others = pool_of(&desk.service, &other).await;
    let cookies = async |page: &mut Box<dyn Page>| {
        page.goto(&site.url("/cookies"), WaitMode::Load, LIMIT)
            .await
            .unwrap();
        page.content().await.unwrap().contains("you are known")
    };
    let mut page = desk.open().await;
    page.goto(&site.url("/sign-in"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    assert!(cookies(&mut page).await);
    let mut foreign = desk
        .service
        .of(&other)
        .open(&others, PageOptions::default())
        .await
        .unwrap();
    assert!(
        !cookies(&mut foreign).await,
        "another user's session knows the cookie"
    );
    for (caller, choice) in [(&other, &desk.pool), (&desk.caller, &others)] {
        let said = desk
            .service
            .of(caller)
            .open(choice, PageOptions::default())
            .await
            .err()
            .unwrap();
        assert!(said.to_string().contains("No BrowserPool"), "{said}");
    }
    drop((page, foreign));
    // The browser ends by itself and puts its cookies away.
    let session = desk.service.sessions(&desk.caller).await.unwrap().remove(0);
    let lease = desk.service.fleet.lease(&session.id).await.unwrap();
    lease.end();
    drop(lease);
    let mut page = desk.open().await;
    assert!(cookies(&mut page).await, "the cookie is lost");
    drop(page);
    let profile = desk.folder.path().join(&session.id);
    assert!(profile.exists());
    desk.service
        .delete_session(&desk.caller, &session.id)
        .await
        .unwrap();
    assert!(!profile.exists());
    let said = desk
        .browsers()
        .open(&desk.pool, PageOptions::default())
        .await
        .err()
        .unwrap();
    assert!(said.to_string().contains("no browser session"), "{said}");
    desk.close().await;
}

#[tokio::test]
async fn elements_are_found_and_clicked_as_people_do() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut page = desk.open().await;
    page.goto(&site.url("/buttons"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    assert!(!page.shows("#hidden").await.unwrap());
    assert!(!page.shows("#done").await.unwrap());
    assert!(!page.click("#hidden", Duration::ZERO).await.unwrap());
    assert!(page.click("#hidden, #late", LIMIT).await.unwrap());
    assert!(
        page.shows("#done").await.unwrap(),
        "a real click is one that is trusted"
    );
    let said = page.shows("a[").await.unwrap_err().to_string();
    assert!(said.contains("not a valid selector"), "{said}");
    drop(page);
    desk.close().await;
}

#[tokio::test]
async fn windows_and_questions_of_a_page_hold_nothing_up() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut page = desk.open().await;
    page.goto(&site.url("/pushy"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    assert!(page.click("#more", LIMIT).await.unwrap());
    assert!(page.content().await.unwrap().contains("answered"));
    let session = desk.service.sessions(&desk.caller).await.unwrap().remove(0);
    assert_eq!(session.pages, Some(1));
    let lease = desk.service.fleet.lease(&session.id).await.unwrap();
    let pages = async || {
        let targets = lease
            .wire
            .call(None, "Target.getTargets", json!({}))
            .await
            .unwrap();
        let targets = targets["targetInfos"].as_array().unwrap().clone();
        targets
            .iter()
            // What the browser shows of itself is no window of the page's.
            .filter(|t| {
                t["type"] == "page" && t["url"].as_str().is_some_and(|u| u.starts_with("http"))
            })
            .count()
    };
    // Each look is an answer of the browser, which ends windows one after the other.
    within("the end of its windows", async {
        while pages().await > 1 {}
    })
    .await;
    assert_eq!(pages().await, 1, "the page itself stays");
    drop(page);
    within("the end of the page", async { while pages().await > 0 {} }).await;
    drop(lease);
    desk.close().await;
}

#[tokio::test]
async fn a_browser_that_dies_is_told_and_another_takes_its_place() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut page = desk.open().await;
    page.goto(&site.url("/"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    let session = desk.service.sessions(&desk.caller).await.unwrap().remove(0);
    let lease = desk.service.fleet.lease(&session.id).await.unwrap();
    let _ = lease.wire.call(None, "Browser.crash", json!({})).await;
    drop(lease);
    let said = page
        .goto(&site.url("/"), WaitMode::Load, LIMIT)
        .await
        .unwrap_err()
        .to_string();
    assert!(said.contains("the browser has ended"), "{said}");
    drop(page);
    let mut page = desk.open().await;
    page.goto(&site.url("/"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    drop(page);
    desk.close().await;
}

#[tokio::test]
async fn a_browser_without_pages_makes_way_and_ends_by_itself() {
    let Some(desk) = Desk::with(|settings| settings.most = 1).await else {
        return;
    };
    let other = Caller::user("v");
    let others = pool_of(&desk.service, &other).await;
    let page = desk.open().await;
    let browsers = desk.service.of(&other);
    let waiting = browsers.open(&others, PageOptions::default());
    let leaving = async {
        // It waits for the one that has a page; then that page is closed.
        within("somebody to wait", async {
            while desk.service.fleet.waiting() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(page);
    };
    let (opened, ()) = tokio::join!(waiting, leaving);
    drop(opened.unwrap());
    desk.close().await;

    let Some(desk) = Desk::with(|settings| settings.idle = Duration::from_millis(50)).await else {
        return;
    };
    let page = desk.open().await;
    let session = desk.service.sessions(&desk.caller).await.unwrap().remove(0);
    let browser = desk.service.fleet.browser(&session.id).unwrap();
    drop(page);
    within("its end", browser.gone()).await;
    drop(desk.open().await);
    desk.close().await;
}

#[tokio::test]
async fn a_program_that_is_no_browser_is_told() {
    let Some(_) = program() else { return };
    let Some(desk) = Desk::with(|settings| settings.path = "/bin/false".into()).await else {
        return;
    };
    let said = desk
        .browsers()
        .open(&desk.pool, PageOptions::default())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(said.contains("The browser could not be started"), "{said}");
    desk.close().await;
}

/// Runs a step once over a desk's browsers.
async fn step(desk: &Desk, identifier: &str, form: Json) -> Json {
    let mut steps = Steps::default();
    nodetool_orchestrator::register(&mut steps);
    let services = Services {
        browsers: desk.browsers(),
        ..Services::none()
    };
    let flow = FlowCx {
        mode: Mode::Production,
        env: Arc::default(),
        runtime: Arc::new(Runtime::default()),
        request: None,
        webhooks: None,
    };
    let cx = StepCx {
        node: context_with(services, None),
        flow: Arc::new(flow),
        reads: None,
        writes: Vec::new(),
    };
    let config = StepConfig {
        id: "n".into(),
        form: map(form),
        ..StepConfig::default()
    };
    let mut step = (steps.get(identifier).unwrap().make)(config);
    step.setup(&cx).await.unwrap();
    let Flow::Go(token) = step.run(Token::new("n", Map::new()), &cx).await.unwrap() else {
        panic!("the step chose another way");
    };
    step.cleanup(Some(&token), &cx).await;
    serde_json::to_value(Value::from(token.data)).unwrap()
}

#[tokio::test]
async fn the_steps_load_pages_and_listen_to_them() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let urls = format!("{}\nhttp://10.0.0.1/", site.url("/scripted"));
    let form = json!({"urls": urls, "session_name": desk.pool, "wait_mode": "networkidle", "respect_domain_throttle": true});
    let out = step(&desk, "playwright-web-page-loader", form).await;
    let loaded = &out["webpage_loader"];
    assert!(
        loaded[0]["response"]
            .as_str()
            .unwrap()
            .contains("made by a script"),
        "{out}"
    );
    assert_eq!(loaded[0].get("error"), None);
    assert_eq!(loaded[1]["response"], Json::Null);
    assert!(
        loaded[1]["error"].as_str().unwrap().contains("10.0.0.1"),
        "{out}"
    );

    let form = json!({"urls": site.url("/scripted"), "session_name": desk.pool, "wait_mode": "networkidle",
        "capture_resource_types": "xhr,fetch", "http_methods": "all", "status_codes": "2xx",
        "include_response_body": "true", "max_response_size": 1000, "return_timeout": 120_000, "url_pattern": "/data"});
    let out = step(&desk, "playwright-network-interceptor", form).await;
    let heard = &out["network_interceptor"][0];
    assert_eq!(heard["final_url"], site.url("/scripted"));
    assert_eq!(heard["dom_content"], Json::Null);
    let requests = heard["network_requests"].as_array().unwrap();
    assert_eq!(requests.len(), 1, "{out}");
    assert_eq!(requests[0]["request"]["url"], site.url("/data"));
    assert_eq!(requests[0]["response"]["body"], json!({"n": 1}));
    desk.close().await;
}

#[tokio::test]
async fn visits_keep_the_pauses_of_their_pool() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let pause = Duration::from_millis(700);
    let rule = map(json!({"domain": "127.0.0.1", "delay_seconds": 0.7}));
    let pool = desk.pool.strip_prefix(POOL).unwrap();
    desk.service
        .create_rule(&desk.caller, pool, &rule)
        .await
        .unwrap();
    let mut page = desk
        .open_with(PageOptions {
            throttle: true,
            capture: None,
        })
        .await;
    let before = std::time::Instant::now();
    for _ in 0..3 {
        page.goto(&site.url("/"), WaitMode::Load, LIMIT)
            .await
            .unwrap();
    }
    assert!(before.elapsed() >= pause * 2, "{:?}", before.elapsed());
    drop(page);
    desk.close().await;
}
