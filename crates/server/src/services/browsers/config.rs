//! How the browser of a session shows itself: size of its window, name, language, time zone.

use nodetool_sdk::{Map, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// Longest text of a setting.
const MAX_TEXT: usize = 500;
/// Sides of a window, in pixels.
const SIDES: std::ops::RangeInclusive<u32> = 100..=8192;

/// Size of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Viewport {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Default for Viewport {
    fn default() -> Self {
        Viewport {
            width: 1280,
            height: 720,
        }
    }
}

/// The settings of a session; what is not set is the browser's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SessionConfig {
    pub(crate) viewport: Viewport,
    pub(crate) user_agent: Option<String>,
    /// Such as `en-US`.
    pub(crate) locale: Option<String>,
    /// Such as `Europe/Berlin`.
    pub(crate) timezone: Option<String>,
}

impl SessionConfig {
    /// Reads what a client sends; says what is wrong with it.
    pub(super) fn read(given: &Value) -> Result<Self, String> {
        let Some(given) = given.as_map() else {
            return Err("Expected an object.".into());
        };
        let known = ["viewport", "user_agent", "locale", "timezone"];
        if let Some(other) = given.keys().find(|key| !known.contains(&&***key)) {
            let shown: String = other.chars().take(40).collect();
            return Err(format!(
                "`{shown}` is no setting; expected one of {}.",
                known.join(", ")
            ));
        }
        Ok(SessionConfig {
            viewport: viewport(given.get("viewport"))?,
            user_agent: text(given, "user_agent", |c| !c.is_control())?,
            locale: text(given, "locale", |c| {
                c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
            })?,
            timezone: zone(text(given, "timezone", |c| !c.is_control())?)?,
        })
    }

    /// What a page is told of it.
    pub(super) fn told(&self) -> Vec<(&'static str, Json)> {
        let Viewport { width, height } = self.viewport;
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let mut told = vec![("Emulation.setDeviceMetricsOverride", size)];
        if let Some(name) = &self.user_agent {
            let mut said = json!({"userAgent": name});
            if let Some(locale) = &self.locale {
                said["acceptLanguage"] = locale.as_str().into();
            }
            told.push(("Emulation.setUserAgentOverride", said));
        }
        if let Some(locale) = &self.locale {
            told.push(("Emulation.setLocaleOverride", json!({"locale": locale})));
        }
        if let Some(zone) = &self.timezone {
            told.push(("Emulation.setTimezoneOverride", json!({"timezoneId": zone})));
        }
        told
    }
}

fn viewport(given: Option<&Value>) -> Result<Viewport, String> {
    let Some(given) = given.filter(|v| !matches!(v, Value::Null)) else {
        return Ok(Viewport::default());
    };
    let side = |name: &str| match given.as_map().and_then(|map| map.get(name)) {
        Some(Value::Int(n)) => u32::try_from(*n).ok().filter(|n| SIDES.contains(n)),
        _ => None,
    };
    match (side("width"), side("height")) {
        (Some(width), Some(height)) => Ok(Viewport { width, height }),
        _ => Err(format!(
            "`viewport` has no width and height from {} to {}.",
            SIDES.start(),
            SIDES.end()
        )),
    }
}

fn text(given: &Map, key: &str, allowed: fn(char) -> bool) -> Result<Option<String>, String> {
    match given.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Str(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::Str(text)) if text.len() <= MAX_TEXT && text.chars().all(allowed) => {
            Ok(Some(text.to_string()))
        }
        Some(_) => Err(format!(
            "`{key}` is not a text of at most {MAX_TEXT} plain characters."
        )),
    }
}

fn zone(given: Option<String>) -> Result<Option<String>, String> {
    match given {
        Some(name) if name.parse::<chrono_tz::Tz>().is_err() => {
            Err("`timezone` is no time zone; expected one such as Europe/Berlin.".into())
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: Json) -> Result<SessionConfig, String> {
        SessionConfig::read(&serde_json::from_value(given).unwrap())
    }

    #[test]
    fn settings_that_are_not_given_are_the_browsers_own() {
        let config = read(json!({})).unwrap();
        assert_eq!(config, SessionConfig::default());
        assert_eq!(config.told().len(), 1);
        let config = read(
            json!({"viewport": {"width": 800, "height": 600}, "user_agent": "x", "locale": "de-DE",
            "timezone": "Europe/Berlin"}),
        )
        .unwrap();
        assert_eq!(config.told().len(), 4);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<SessionConfig>(&text).unwrap(),
            config
        );
    }

    #[test]
    fn wrong_settings_are_named() {
        for (given, named) in [
            (json!([]), "object"),
            (json!({"proxy": "x"}), "`proxy`"),
            (
                json!({"viewport": {"width": 1, "height": 600}}),
                "`viewport`",
            ),
            (json!({"viewport": 7}), "`viewport`"),
            (json!({"user_agent": "a\nb"}), "`user_agent`"),
            (json!({"locale": 5}), "`locale`"),
            (json!({"timezone": "Mars/Base"}), "`timezone`"),
        ] {
            let said = read(given).unwrap_err();
            assert!(said.contains(named), "{said}");
        }
    }
}
