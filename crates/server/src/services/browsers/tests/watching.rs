//! Those who look at a browser and use it.

use tokio::time::timeout;

use super::*;

/// Somebody who looks.
struct Eyes {
    viewer: Viewer,
    /// What was told when they came.
    pages: Vec<String>,
    shown: String,
}

async fn session(desk: &Desk) -> String {
    desk.service
        .sessions(&desk.caller)
        .await
        .unwrap()
        .remove(0)
        .id
}

impl Eyes {
    async fn open(desk: &Desk) -> Eyes {
        let session = session(desk).await;
        let viewer = desk.service.watch(&desk.caller, &session).await.unwrap();
        let mut eyes = Eyes {
            viewer,
            pages: Vec::new(),
            shown: String::new(),
        };
        let Seen::Pages(pages) = eyes.next().await else {
            panic!("the pages are told first");
        };
        eyes.pages = pages;
        eyes.switched().await;
        eyes
    }

    async fn next(&mut self) -> Seen {
        let seen = timeout(LIMIT, self.viewer.next()).await;
        seen.expect("something is told")
            .expect("the browser is there")
    }

    /// What is told first of its kind.
    async fn until<T>(&mut self, mut wanted: impl FnMut(Seen) -> Option<T>) -> T {
        loop {
            let seen = self.next().await;
            if let Some(found) = wanted(seen) {
                return found;
            }
        }
    }

    async fn switched(&mut self) -> (String, String) {
        let (id, url) = self
            .until(|seen| match seen {
                Seen::Switched { id, url } => Some((id, url)),
                Seen::Error(why) => panic!("{why}"),
                _ => None,
            })
            .await;
        self.shown.clone_from(&id);
        (id, url)
    }

    async fn url(&mut self, expected: &str) {
        self.until(|seen| match seen {
            Seen::Url(url) => (url == expected).then_some(()),
            Seen::Error(why) => panic!("{why}"),
            _ => None,
        })
        .await;
    }

    async fn error(&mut self) -> String {
        self.until(|seen| match seen {
            Seen::Error(why) => Some(why),
            _ => None,
        })
        .await
    }

    /// Waits for a picture that has a colour at a place, roughly.
    async fn colour(&mut self, x: u32, y: u32, expected: [u8; 3]) -> Frame {
        self.until(|seen| match seen {
            Seen::Frame(frame) => {
                let picture = image::load_from_memory(&frame.jpeg).unwrap().to_rgb8();
                assert_eq!(picture.dimensions(), (frame.width, frame.height));
                let found = picture.get_pixel(x, y).0;
                let near = std::iter::zip(found, expected).all(|(a, b)| a.abs_diff(b) < 40);
                near.then_some(frame)
            }
            Seen::Error(why) => panic!("{why}"),
            _ => None,
        })
        .await
    }

    async fn goto(&mut self, url: &str) {
        self.viewer.act(Act::Travel(Journey::Goto(url.to_owned())));
        self.url(url).await;
    }

    fn mouse(&mut self, motion: Motion, x: f64, y: f64) {
        self.viewer.act(Act::Input(Input::Mouse { motion, x, y }));
    }

    fn click(&mut self, x: f64, y: f64) {
        self.mouse(Motion::Move, x, y);
        self.mouse(Motion::Down(Button::Left), x, y);
        self.mouse(Motion::Up(Button::Left), x, y);
    }

    fn press(&mut self, key: &str, code: &str) {
        for down in [true, false] {
            self.viewer.act(Act::Input(Input::Key(Key {
                down,
                key: key.into(),
                code: code.into(),
                ..Key::default()
            })));
        }
    }
}

#[tokio::test]
async fn a_page_is_shown_in_pictures_and_takes_clicks_keys_and_turns_of_the_wheel() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut eyes = Eyes::open(&desk).await;
    assert_eq!(eyes.pages, [eyes.shown.clone()]);
    let first = eyes.colour(600, 300, [255, 255, 255]).await;
    // The window may be drawn once before it has its size.
    assert!(first.width <= 1280 && first.height == 720, "{first:?}");

    let hands = site.url("/hands");
    eyes.goto(&hands).await;
    eyes.colour(100, 325, [255, 0, 0]).await;
    eyes.click(100.0, 325.0);
    eyes.colour(100, 325, [0, 255, 0]).await;
    eyes.click(100.0, 325.0);
    eyes.url(&format!("{hands}#twofold")).await;

    eyes.click(50.0, 25.0);
    eyes.press("a", "KeyA");
    eyes.url(&format!("{hands}#a")).await;
    eyes.press("@", "KeyQ");
    eyes.url(&format!("{hands}#a@")).await;
    eyes.press("Backspace", "Backspace");
    eyes.url(&format!("{hands}#a")).await;

    eyes.click(50.0, 125.0);
    eyes.url(&site.url("/")).await;
    eyes.viewer.act(Act::Travel(Journey::Back));
    eyes.url(&format!("{hands}#a")).await;
    eyes.viewer.act(Act::Travel(Journey::Forward));
    eyes.url(&site.url("/")).await;
    eyes.viewer.act(Act::Travel(Journey::Forward));
    assert!(eyes.error().await.contains("forward"));

    eyes.goto(&hands).await;
    eyes.colour(100, 325, [255, 0, 0]).await;
    eyes.viewer.act(Act::Input(Input::Wheel {
        x: 600.0,
        y: 400.0,
        dx: 0.0,
        dy: 200.0,
    }));
    eyes.url(&format!("{hands}#scrolled")).await;

    eyes.viewer
        .act(Act::Travel(Journey::Goto(site.url("/counted"))));
    eyes.url(&site.url("/counted#1")).await;
    eyes.viewer.act(Act::Travel(Journey::Refresh));
    eyes.url(&site.url("/counted#2")).await;
    drop(eyes);
    desk.close().await;
}

#[tokio::test]
async fn pages_are_opened_shown_and_closed_and_all_who_look_are_told() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut eyes = Eyes::open(&desk).await;
    let first = eyes.shown.clone();
    eyes.goto(&site.url("/hands")).await;
    let mut other = Eyes::open(&desk).await;
    assert_eq!(other.shown, first, "both see one page");

    eyes.viewer.act(Act::Open);
    let (second, url) = eyes.switched().await;
    assert_eq!(url, "about:blank");
    let added = |seen| match seen {
        Seen::Added(id) => Some(id),
        _ => None,
    };
    assert_eq!(other.until(added).await, second);
    eyes.viewer.act(Act::Switch(first.clone()));
    assert_eq!(eyes.switched().await, (first.clone(), site.url("/hands")));
    eyes.colour(100, 325, [255, 0, 0]).await;
    // A link that asks for a window gets a page.
    eyes.click(50.0, 225.0);
    let (third, url) = eyes.switched().await;
    assert_eq!(other.until(added).await, third);
    if url != site.url("/data") {
        eyes.url(&site.url("/data")).await;
    }

    let removed = |seen| match seen {
        Seen::Removed(id) => Some(id),
        _ => None,
    };
    eyes.viewer.act(Act::Close(second.clone()));
    assert_eq!(eyes.until(removed).await, second);
    assert_eq!(other.until(removed).await, second);
    eyes.viewer.act(Act::Close(third.clone()));
    assert_eq!(eyes.until(removed).await, third);
    assert_eq!(eyes.switched().await.0, first, "another is shown instead");
    for wrong in [Act::Switch(third.clone()), Act::Close(third)] {
        eyes.viewer.act(wrong);
        assert!(eyes.error().await.contains("page_id"));
    }
    drop(other);
    eyes.viewer.act(Act::Close(first.clone()));
    assert_eq!(eyes.until(removed).await, first);
    eyes.viewer.act(Act::Travel(Journey::Refresh));
    assert!(eyes.error().await.contains("No page is shown"));
    for _ in 0..16 {
        eyes.viewer.act(Act::Open);
        eyes.switched().await;
    }
    eyes.viewer.act(Act::Open);
    assert!(eyes.error().await.contains("close one first"));
    drop(eyes);
    desk.close().await;
}

#[tokio::test]
async fn those_who_look_reach_no_address_that_steps_may_not_reach() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let forbidden = Site::start(Ipv4Addr::new(127, 0, 0, 2)).await;
    let mut eyes = Eyes::open(&desk).await;
    let redirect = site.url(&format!("/redirect?to={}", forbidden.url("/")));
    for (url, part) in [
        ("file:///etc/passwd", "url: expected an address"),
        ("chrome://version", "url: expected an address"),
        ("javascript:alert(1)", "url: expected an address"),
        ("http://10.1.2.3/", "Requests to `10.1.2.3` are refused"),
        (&forbidden.url("/"), "Requests to `127.0.0.2` are refused"),
        (&redirect, "Requests to `127.0.0.2` are refused"),
    ] {
        eyes.viewer.act(Act::Travel(Journey::Goto(url.to_owned())));
        let said = eyes.error().await;
        assert!(said.contains(part), "{url}: {said}");
    }
    assert!(forbidden.seen().is_empty(), "{:?}", forbidden.seen());
    eyes.goto(&site.url("/")).await;
    drop(eyes);
    desk.close().await;
}

#[tokio::test]
async fn pages_of_steps_are_seen_and_steered_by_their_steps_only() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut page = desk.open().await;
    page.goto(&site.url("/hands"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    let mut eyes = Eyes::open(&desk).await;
    assert_eq!(eyes.pages, [eyes.shown.clone()]);
    let id = eyes.shown.clone();
    eyes.colour(100, 325, [255, 0, 0]).await;
    eyes.click(100.0, 325.0);
    eyes.colour(100, 325, [0, 255, 0]).await;
    for act in [Act::Close(id.clone()), Act::Travel(Journey::Refresh)] {
        eyes.viewer.act(act);
        assert!(eyes.error().await.contains("step"));
    }
    drop(page);
    let removed = eyes
        .until(|seen| match seen {
            Seen::Removed(id) => Some(id),
            _ => None,
        })
        .await;
    assert_eq!(removed, id);
    drop(eyes);
    desk.close().await;
}

#[tokio::test]
async fn nothing_is_drawn_when_nobody_looks_and_pages_and_cookies_stay() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let id = session(&desk).await;
    let launched = desk.service.launch(&desk.caller, &id).await.unwrap();
    assert_eq!(launched.pages, Some(0));
    let mut eyes = Eyes::open(&desk).await;
    eyes.goto(&site.url("/sign-in")).await;
    let shown = eyes.shown.clone();
    assert_eq!(desk.service.fleet.users(&id), Some(1));
    let drawn = eyes.viewer.drawn().unwrap();
    drop(eyes);
    assert_eq!(desk.service.fleet.users(&id), Some(0));
    let lease = desk.service.fleet.lease(&id).await.unwrap();
    let stop = lease
        .wire
        .call(Some(&drawn), "Page.stopScreencast", json!({}))
        .await;
    assert!(stop.unwrap_err().to_string().contains("Session"));
    drop(lease);
    let eyes = Eyes::open(&desk).await;
    assert_eq!(eyes.pages, [shown], "it is there for those who come back");
    drop(eyes);
    // Steps of the session are known where somebody signed in by hand.
    let mut page = desk.open().await;
    page.goto(&site.url("/cookies"), WaitMode::Load, LIMIT)
        .await
        .unwrap();
    assert!(page.content().await.unwrap().contains("you are known"));
    drop(page);
    desk.close().await;

    let Some(desk) = Desk::with(|settings| settings.idle = Duration::from_millis(50)).await else {
        return;
    };
    let eyes = Eyes::open(&desk).await;
    assert!(processes(desk.folder.path()) > 0);
    drop(eyes);
    while processes(desk.folder.path()) > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    desk.close().await;
}

#[tokio::test]
async fn whoever_is_slow_sees_the_last_picture_all_the_same() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let site = Site::start(Ipv4Addr::LOCALHOST).await;
    let mut slow = Eyes::open(&desk).await;
    slow.colour(600, 300, [255, 255, 255]).await;
    let mut quick = Eyes::open(&desk).await;
    quick
        .viewer
        .act(Act::Travel(Journey::Goto(site.url("/moving"))));
    quick.url(&site.url("/moving#done")).await;
    slow.colour(600, 300, [0, 255, 0]).await;
    drop((slow, quick));
    desk.close().await;
}

#[tokio::test]
async fn a_browser_is_watched_by_its_owner_and_few_at_a_time() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let id = session(&desk).await;
    let foreign = desk.service.watch(&Caller::user("v"), &id).await;
    assert!(matches!(foreign, Err(WatchError::NotFound(_))));
    let unknown = desk.service.watch(&desk.caller, "nope").await;
    assert!(matches!(unknown, Err(WatchError::NotFound(_))));
    assert_eq!(
        desk.service.fleet.users(&id),
        None,
        "no browser was started"
    );
    let mut viewers = Vec::new();
    for _ in 0..4 {
        viewers.push(Eyes::open(&desk).await);
    }
    let crowd = desk.service.watch(&desk.caller, &id).await;
    assert!(matches!(crowd, Err(WatchError::Crowded)));
    drop(viewers.pop());
    viewers.push(Eyes::open(&desk).await);
    desk.service
        .delete_session(&desk.caller, &id)
        .await
        .unwrap();
    for mut eyes in viewers {
        while timeout(LIMIT, eyes.viewer.next()).await.unwrap().is_some() {}
    }
    desk.close().await;
}
