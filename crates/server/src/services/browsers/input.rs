//! What the hands of somebody who looks at a page do, as its browser is told. Pure: times come from outside.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::keys::number;

/// Between two clicks that count as one twofold click.
const TWOFOLD: Duration = Duration::from_millis(500);
/// How far apart those may be, in pixels.
const NEAR: f64 = 5.0;
/// Clicks that are counted together.
const CLICKS: u32 = 3;

/// A button of a mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Button {
    Left,
    Middle,
    Right,
    Back,
    Forward,
}

impl Button {
    fn word(self) -> &'static str {
        match self {
            Button::Left => "left",
            Button::Middle => "middle",
            Button::Right => "right",
            Button::Back => "back",
            Button::Forward => "forward",
        }
    }

    /// Its place among those that are held.
    fn bit(self) -> u32 {
        match self {
            Button::Left => 1,
            Button::Right => 2,
            Button::Middle => 4,
            Button::Back => 8,
            Button::Forward => 16,
        }
    }
}

/// What a mouse does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Motion {
    Move,
    Down(Button),
    Up(Button),
}

/// A key that goes down or up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) down: bool,
    /// What it stands for: a character, or a name such as `Enter`.
    pub(crate) key: String,
    /// Its place on the keyboard, such as `KeyA`.
    pub(crate) code: String,
    pub(crate) ctrl: bool,
    pub(crate) alt: bool,
    pub(crate) shift: bool,
    pub(crate) meta: bool,
    pub(crate) repeat: bool,
}

/// What hands do. Places are in pixels of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    Mouse { motion: Motion, x: f64, y: f64 },
    Wheel { x: f64, y: f64, dx: f64, dy: f64 },
    Key(Key),
}

impl Input {
    /// Whether only the newest of several counts.
    pub(super) fn is_move(&self) -> bool {
        let motion = Motion::Move;
        matches!(self, Input::Mouse { motion: m, .. } if *m == motion)
    }
}

struct Click {
    button: Button,
    at: (f64, f64),
    time: Instant,
    count: u32,
}

/// What hands hold.
#[derive(Default)]
pub(super) struct Hands {
    buttons: u32,
    modifiers: u32,
    last: Option<Click>,
}

impl Hands {
    /// The method and its parameters. `scale` is how many pixels of the page one of the picture is.
    pub(super) fn tell(
        &mut self,
        input: Input,
        scale: (f64, f64),
        now: Instant,
    ) -> (&'static str, Json) {
        const MOUSE: &str = "Input.dispatchMouseEvent";
        match input {
            Input::Mouse { motion, x, y } => {
                let (x, y) = (x * scale.0, y * scale.1);
                let (kind, button, count) = match motion {
                    Motion::Move => ("mouseMoved", self.held(), 0),
                    Motion::Down(button) => {
                        self.buttons |= button.bit();
                        ("mousePressed", button.word(), self.click(button, x, y, now))
                    }
                    Motion::Up(button) => {
                        self.buttons &= !button.bit();
                        let last = self.last.as_ref().filter(|last| last.button == button);
                        let count = last.map_or(1, |last| last.count);
                        ("mouseReleased", button.word(), count)
                    }
                };
                let event = json!({"type": kind, "x": x, "y": y, "button": button, "buttons": self.buttons,
                    "clickCount": count, "modifiers": self.modifiers});
                (MOUSE, event)
            }
            Input::Wheel { x, y, dx, dy } => {
                let event = json!({"type": "mouseWheel", "x": x * scale.0, "y": y * scale.1, "deltaX": dx,
                    "deltaY": dy, "buttons": self.buttons, "modifiers": self.modifiers});
                (MOUSE, event)
            }
            Input::Key(key) => ("Input.dispatchKeyEvent", self.key(&key)),
        }
    }

    fn held(&self) -> &'static str {
        let all = [Button::Left, Button::Right, Button::Middle];
        let held = all
            .into_iter()
            .find(|button| self.buttons & button.bit() > 0);
        held.map_or("none", Button::word)
    }

    fn click(&mut self, button: Button, x: f64, y: f64, now: Instant) -> u32 {
        let again = self.last.as_ref().filter(|last| {
            let (dx, dy) = ((last.at.0 - x).abs(), (last.at.1 - y).abs());
            let near = dx <= NEAR && dy <= NEAR;
            last.button == button && near && now.duration_since(last.time) <= TWOFOLD
        });
        let count = again.map_or(1, |last| last.count % CLICKS + 1);
        self.last = Some(Click {
            button,
            at: (x, y),
            time: now,
            count,
        });
        count
    }

    fn key(&mut self, key: &Key) -> Json {
        let flag = |on: bool, bit: u32| if on { bit } else { 0 };
        let held = flag(key.alt, 1) | flag(key.ctrl, 2) | flag(key.meta, 4) | flag(key.shift, 8);
        self.modifiers = held;
        let text = typed(key);
        // Characters that a third level of the keyboard has come with both of these held.
        let modifiers = match text {
            Some(_) if key.ctrl && key.alt => held & 8,
            _ => held,
        };
        let kind = match (key.down, &text) {
            (true, Some(_)) => "keyDown",
            (true, None) => "rawKeyDown",
            (false, _) => "keyUp",
        };
        let mut event = json!({"type": kind, "key": key.key, "code": key.code, "modifiers": modifiers,
            "windowsVirtualKeyCode": number(&key.code), "autoRepeat": key.down && key.repeat});
        if key.code.starts_with("Numpad") {
            event["isKeypad"] = true.into();
        }
        if let Some(text) = text.filter(|_| key.down) {
            event["text"] = text.into();
        }
        event
    }
}

/// What a key writes.
fn typed(key: &Key) -> Option<&str> {
    let plain = key.ctrl == key.alt;
    if key.meta || !(plain || (key.alt && !key.key.is_ascii())) {
        return None;
    }
    match &*key.key {
        "Enter" if plain => Some("\r"),
        one if one.chars().count() == 1 => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(key: &str, code: &str) -> Key {
        Key {
            down: true,
            key: key.into(),
            code: code.into(),
            ..Key::default()
        }
    }

    #[test]
    fn a_key_writes_its_character_unless_it_is_a_command() {
        let mut hands = Hands::default();
        let mut told = |key: Key| hands.tell(Input::Key(key), (1.0, 1.0), Instant::now()).1;
        let event = told(down("a", "KeyA"));
        assert_eq!(
            (
                &event["type"],
                &event["text"],
                &event["windowsVirtualKeyCode"]
            ),
            (&json!("keyDown"), &json!("a"), &json!(65))
        );
        let event = told(down("Enter", "Enter"));
        assert_eq!(event["text"], "\r");
        let event = told(down("ArrowUp", "ArrowUp"));
        assert_eq!(
            (&event["type"], event.get("text")),
            (&json!("rawKeyDown"), None)
        );
        let event = told(Key {
            ctrl: true,
            ..down("a", "KeyA")
        });
        assert_eq!((&event["modifiers"], event.get("text")), (&json!(2), None));
        let event = told(Key {
            ctrl: true,
            alt: true,
            ..down("@", "KeyQ")
        });
        assert_eq!(
            (&event["modifiers"], &event["text"]),
            (&json!(0), &json!("@"))
        );
        let event = told(Key {
            down: false,
            ..down("a", "KeyA")
        });
        assert_eq!((&event["type"], event.get("text")), (&json!("keyUp"), None));
    }

    #[test]
    fn clicks_that_follow_each_other_at_one_place_are_counted() {
        let mut hands = Hands::default();
        let begin = Instant::now();
        let mut press = |x: f64, after: u64| {
            let now = begin + Duration::from_millis(after);
            let mouse = |motion| Input::Mouse { motion, x, y: 1.0 };
            let pressed = hands.tell(mouse(Motion::Down(Button::Left)), (1.0, 1.0), now);
            let dragged = hands.tell(mouse(Motion::Move), (1.0, 1.0), now).1;
            assert_eq!(
                (&dragged["button"], &dragged["buttons"]),
                (&json!("left"), &json!(1))
            );
            let released = hands.tell(mouse(Motion::Up(Button::Left)), (1.0, 1.0), now);
            assert_eq!(pressed.1["clickCount"], released.1["clickCount"]);
            assert_eq!(released.1["buttons"], 0);
            pressed.1["clickCount"].clone()
        };
        let counted = [
            press(1.0, 0),
            press(2.0, 100),
            press(2.0, 200),
            press(2.0, 300),
        ];
        assert_eq!(counted, [json!(1), json!(2), json!(3), json!(1)]);
        assert_eq!(press(40.0, 400), 1);
        assert_eq!(press(40.0, 1400), 1);
    }

    #[test]
    fn places_are_told_in_pixels_of_the_page() {
        let mut hands = Hands::default();
        let wheel = Input::Wheel {
            x: 10.0,
            y: 20.0,
            dx: 0.0,
            dy: 100.0,
        };
        let (method, event) = hands.tell(wheel, (2.0, 3.0), Instant::now());
        assert_eq!(method, "Input.dispatchMouseEvent");
        assert_eq!(
            (&event["x"], &event["y"], &event["deltaY"]),
            (&json!(20.0), &json!(60.0), &json!(100.0))
        );
    }
}
