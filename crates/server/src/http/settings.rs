//! Settings people choose in the editor (HTTP spec 6.12).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use nodetool_protocol::{Map, Value};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody};
use super::gate::not_admin;
use super::{ApiError, AppState, Refusal, json};
use crate::sensitive::Sensitive;
use crate::services::{BUILT_IN, Caller, ChangeSettings, Kind, RefusedSetting, SettingsError};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_settings, update_settings))
}

impl From<SettingsError> for ApiError {
    fn from(e: SettingsError) -> Self {
        match e {
            SettingsError::Production => ApiError::new(
                StatusCode::FORBIDDEN,
                "Settings cannot be read or changed over HTTP in production",
            ),
            SettingsError::Refused(faults) => {
                let error = |fault: &RefusedSetting| {
                    let place = if fault.secret { "secrets" } else { "settings" };
                    let msg = format!("'{}' {}", fault.key, fault.reason);
                    FieldError::at("value_error", &["body", place, &fault.key], msg)
                };
                ApiError::invalid(faults.iter().map(error).collect())
            }
            SettingsError::Secrets(e) => e.into(),
            SettingsError::Store(e) => e.into(),
        }
    }
}

/// A registered setting or secret.
#[derive(Serialize, ToSchema)]
struct SettingBody {
    package_name: &'static str,
    env_var: &'static str,
    group: &'static str,
    description: &'static str,
    #[serde(rename = "enum")]
    choices: Option<&'static [&'static str]>,
    value: Option<String>,
    is_secret: bool,
}

#[derive(Serialize, ToSchema)]
struct SettingList {
    settings: Vec<SettingBody>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct UpdateSettings {
    /// New values by name; null goes back to the default.
    settings: serde_json::Map<String, serde_json::Value>,
    /// New values by name; null and values made only of `*` leave a secret as it is.
    secrets: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, ToSchema)]
struct SettingsChanged {
    message: &'static str,
}

/// Every registered setting with its value, and every registered secret with `****` if there is a value for it.
#[utoipa::path(get, path = "/api/settings", tag = "settings",
    responses((status = 200, body = SettingList), (status = 403, body = Refusal)))]
async fn get_settings(State(app): State<AppState>, caller: Caller) -> Result<Response, ApiError> {
    let settings = app.settings.list(&caller).await?;
    let shown = settings.into_iter().map(|(setting, value)| SettingBody {
        package_name: BUILT_IN,
        env_var: setting.key,
        group: setting.group,
        description: setting.description,
        choices: match setting.kind {
            Kind::OneOf(words) => Some(words),
            _ => None,
        },
        // Addresses in settings are the operator's business; that a secret is set is the caller's own.
        value: value.filter(|_| caller.admin || matches!(setting.kind, Kind::Secret)),
        is_secret: matches!(setting.kind, Kind::Secret),
    });
    Ok(json(&SettingList {
        settings: shown.collect(),
    }))
}

/// Stores registered settings and secrets, all or none.
#[utoipa::path(put, path = "/api/settings", tag = "settings", request_body = UpdateSettings,
    responses((status = 200, body = SettingsChanged), (status = 400, body = Refusal), (status = 403, body = Refusal),
        (status = 413, body = Refusal), (status = 409, body = Refusal),
        (status = 422, body = Refusal), (status = 503, body = Refusal)))]
async fn update_settings(
    State(app): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let change = read_change(body)?;
    // Settings are everybody's; secrets are the caller's own.
    if !caller.admin && !change.settings.is_empty() {
        return Err(not_admin(app.door.accounts.enforced()));
    }
    app.settings.change(&caller, change).await?;
    Ok(json(&SettingsChanged {
        message: "Settings updated successfully",
    }))
}

fn read_change(body: JsonBody) -> Result<ChangeSettings, ApiError> {
    let mut f = Fields::new(body.object()?);
    let mut read = |place: &'static str| {
        if f.is_absent(place) {
            f.refuse([FieldError::at(
                "missing",
                &["body", place],
                "Field required",
            )]);
        }
        let (values, faults) = texts(place, f.object(place).unwrap_or_default());
        f.refuse(faults);
        values
    };
    let change = ChangeSettings {
        settings: read("settings"),
        secrets: read("secrets")
            .into_iter()
            .map(|(key, value)| (key, value.map(Sensitive::new)))
            .collect(),
    };
    f.finish()?;
    Ok(change)
}

type Texts = Vec<(String, Option<String>)>;

/// The values of an object as texts.
fn texts(place: &str, map: Map) -> (Texts, Vec<FieldError>) {
    let (mut values, mut faults) = (Vec::new(), Vec::new());
    for (key, value) in map {
        let text = match value {
            Value::Null => None,
            Value::Str(text) => Some(text.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Int(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            _ => {
                let key: String = key.chars().take(80).collect();
                let msg = "Input should be a string, a number, a boolean or null";
                faults.push(FieldError::at("string_type", &["body", place, &key], msg));
                continue;
            }
        };
        values.push((key.to_string(), text));
    }
    (values, faults)
}
