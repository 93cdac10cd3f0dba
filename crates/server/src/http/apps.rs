//! The page a workflow may carry as its app, told where the server is (HTTP spec 6.2, app injection).
//!
//! Such a page is code of whoever saved the workflow: it is served into a sandbox, apart from the server's origin.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Path;
use super::hygiene::Embeddable;
use super::{ApiError, AppState, Refusal};
use crate::listener::OverTls;
use crate::services::Caller;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_workflow_app))
}

/// Keeps the page from acting as the server's own.
const SANDBOX: &str = "sandbox allow-scripts allow-forms";

/// The app of a workflow as a page.
#[utoipa::path(get, path = "/api/workflows/{id}/app", operation_id = "get_workflow_app", tag = "workflows",
    params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html"), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_workflow_app(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    tls: Option<Extension<OverTls>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = app.workflows.get(&caller, &id).await?;
    let Some(html) = row.html_app.filter(|h| !h.is_empty()) else {
        return Err(ApiError::not_found(
            "No HTML app configured for this workflow",
        ));
    };
    let tls = tls.is_some_and(|Extension(OverTls(tls))| tls);
    let base = base_url(&app.api_url, tls, &headers);
    let page = inject(&html, &script(&base, &row.id));
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let headers = headers.map(|(k, v)| (k, HeaderValue::from_static(v)));
    Ok((Extension(Embeddable), headers, page).into_response())
}

/// The address clients reach the server at: the configured one, else the one this client used.
fn base_url(configured: &str, tls: bool, headers: &HeaderMap) -> String {
    if !configured.is_empty() {
        return configured.trim_end_matches('/').to_owned();
    }
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    match host.filter(|h| !h.is_empty() && h.chars().all(plain)) {
        Some(host) if tls => format!("https://{host}"),
        Some(host) => format!("http://{host}"),
        None => "http://localhost:7777".to_owned(),
    }
}

fn script(base: &str, id: &str) -> String {
    let sockets = match base.strip_prefix("https://") {
        Some(rest) => format!("wss://{rest}/ws"),
        None => format!("ws://{}/ws", base.trim_start_matches("http://")),
    };
    format!(
        "<script>window.NODETOOL_API_URL={};window.NODETOOL_WS_URL={};window.NODETOOL_WORKFLOW_ID={};</script>",
        literal(&format!("{base}/api")),
        literal(&sockets),
        literal(id)
    )
}

/// A text as a JavaScript literal that cannot end the script it stands in.
fn literal(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// Puts a script before the first `</head>`, else after `<body>`, else in front.
fn inject(html: &str, script: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let after_body = || {
        let is_end = |c: char| c == '>' || c.is_ascii_whitespace();
        let mut found = lower.match_indices("<body");
        let (at, _) = found.find(|(at, _)| lower[at + 5..].starts_with(is_end))?;
        Some(at + lower[at..].find('>')? + 1)
    };
    let at = lower.find("</head>").or_else(after_body).unwrap_or(0);
    format!("{}{script}{}", &html[..at], &html[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_finds_its_place_in_any_page() {
        for (html, wanted) in [
            ("<head></head><body></head>", "<head>S</head><body></head>"),
            ("<HEAD>ä</HEAD>", "<HEAD>äS</HEAD>"),
            ("<p><body class=\"a\">x", "<p><body class=\"a\">Sx"),
            ("<Body>x", "<Body>Sx"),
            ("<bodyguard>x", "S<bodyguard>x"),
            ("<body", "S<body"),
            ("plain", "Splain"),
            ("", "S"),
        ] {
            assert_eq!(inject(html, "S"), wanted);
        }
    }

    #[test]
    fn no_text_ends_the_script() {
        let script = script("https://a.b", "</script><script>alert(1)//\u{2028}\"");
        assert_eq!(script.matches('<').count(), 2, "{script}");
        assert!(script.contains("\"wss://a.b/ws\"") && script.contains("\"https://a.b/api\""));
        assert!(script.contains("\\u003c/script>") && script.contains("\\\""));
    }

    #[test]
    fn only_a_plain_host_is_believed() {
        let of = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            base_url("", false, &headers)
        };
        assert_eq!(of("x.test:81"), "http://x.test:81");
        assert_eq!(of("[::1]:81"), "http://[::1]:81");
        assert_eq!(of("x/y\"<"), "http://localhost:7777");
        let none = HeaderMap::new();
        assert_eq!(base_url("https://y/", false, &none), "https://y");
    }
}
