use axum::body::Body;
use axum::http::HeaderValue;
use axum::routing::get;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

/// A server whose users name themselves in a header.
#[derive(Clone)]
struct Names;

impl FromRequestParts<Names> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Names) -> Result<Self, ApiError> {
        let name = parts.headers.get("x-name").and_then(|n| n.to_str().ok());
        name.map(|n| Caller::user(n))
            .ok_or_else(|| ApiError::new(StatusCode::UNAUTHORIZED, "who are you?"))
    }
}

fn extension(prefix: &str, auth: ExtensionAuth) -> Extension {
    let who = |user: Option<axum::Extension<ExtensionUser>>| async move {
        user.map_or_else(|| "nobody".to_owned(), |u| u.0.id)
    };
    Extension {
        prefix: prefix.into(),
        router: Router::new().route("/", get(who)).route("/who", get(who)),
        auth,
        public_ok: false,
    }
}

fn server(extensions: Vec<Extension>, for_strangers: bool) -> Router {
    first_parts(&extensions).unwrap();
    mount(Router::new(), &Names, extensions, for_strangers)
        .fallback(|| async { ApiError::not_found("Not Found") })
        .with_state(Names)
}

async fn ask(server: &Router, path: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    for (name, value) in headers {
        if *name == "peer" {
            let peer: SocketAddr = value.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
        } else {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().append(*name, value);
        }
    }
    let response = server.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn users_are_known_to_the_routes_that_want_them() {
    let server = server(
        vec![
            extension("/acme", ExtensionAuth::User),
            extension("/open/door", ExtensionAuth::Public),
        ],
        false,
    );
    let refused = (401, r#"{"detail":"who are you?"}"#.to_owned());
    assert_eq!(ask(&server, "/acme/who", &[]).await, refused);
    let named = [("x-name", "ada")];
    for path in ["/acme", "/acme/who"] {
        assert_eq!(ask(&server, path, &named).await, (200, "ada".into()));
    }
    assert_eq!(ask(&server, "/acme/nope", &named).await.0, 404);
    assert_eq!(
        ask(&server, "/open/door/who", &[]).await,
        (200, "nobody".into())
    );
}

#[tokio::test]
async fn administrators_call_from_this_machine() {
    let server = server(vec![extension("/acme", ExtensionAuth::Admin)], false);
    let named = ("x-name", "ada");
    let here = ("peer", "127.0.0.1:5");
    for more in [
        &[named, here][..],
        &[named, ("peer", "[::1]:5")],
        &[named, ("peer", "[::ffff:127.0.0.1]:5")],
        &[named, here, ("origin", "http://localhost:3000")],
        &[named, here, ("origin", "http://127.0.0.1")],
    ] {
        assert_eq!(
            ask(&server, "/acme", more).await,
            (200, "ada".into()),
            "{more:?}"
        );
    }
    for more in [
        &[named][..],
        &[here],
        &[named, ("peer", "10.0.0.7:5")],
        &[named, here, ("origin", "http://evil.example")],
        &[named, here, ("origin", "http://localhost.evil.example")],
        &[named, here, ("origin", "null")],
    ] {
        assert_eq!(ask(&server, "/acme", more).await.0, 401, "{more:?}");
    }
}

#[tokio::test]
async fn a_server_for_strangers_leaves_out_what_is_not_meant_for_them() {
    let mut meant = extension("/meant", ExtensionAuth::Public);
    meant.public_ok = true;
    let server = server(vec![meant, extension("/acme", ExtensionAuth::Public)], true);
    assert_eq!(ask(&server, "/meant", &[]).await.0, 200);
    assert_eq!(ask(&server, "/acme", &[]).await.0, 404);
}

#[test]
fn prefixes_that_cannot_be_are_named_in_one_sentence() {
    let refusal = |prefixes: &[&str]| {
        let extensions: Vec<_> = prefixes
            .iter()
            .map(|p| extension(p, ExtensionAuth::User))
            .collect();
        first_parts(&extensions).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&["/api"]),
        "the extension prefix '/api' is taken: paths below /api belong to the server"
    );
    assert_eq!(
        refusal(&["/acme", "/ws/mine"]),
        "the extension prefix '/ws/mine' is taken: paths below /ws belong to the server"
    );
    assert_eq!(
        refusal(&["/acme", "/other", "/acme"]),
        "the extension prefixes '/acme' and '/acme' overlap: each extension needs paths of its own"
    );
    assert!(refusal(&["/acme/a", "/acme"]).contains("overlap"));
    for prefix in [
        "", "/", "acme", "/acme/", "/a//b", "/{x}", "/a b", "/../api", "/é",
    ] {
        let text = refusal(&[prefix]);
        assert!(
            text.starts_with(&format!("the extension prefix '{prefix}' is no plain path")),
            "{text}"
        );
    }
    let apart = [
        extension("/acme", ExtensionAuth::User),
        extension("/acme-2", ExtensionAuth::User),
    ];
    assert_eq!(first_parts(&apart).unwrap(), ["acme", "acme-2"]);
}
