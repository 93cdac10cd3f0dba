use axum::body::Body;
use axum::routing::get;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

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
    mount(Router::new(), extensions, for_strangers, true)
        .fallback(|| async { ApiError::not_found("Not Found") })
}

async fn ask(server: &Router, path: &str, caller: Option<Caller>) -> (u16, String) {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
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
    let ada = || Some(Caller::user("ada"));
    assert_eq!(ask(&server, "/acme/who", None).await.0, 401);
    for path in ["/acme", "/acme/who"] {
        assert_eq!(ask(&server, path, ada()).await, (200, "ada".into()));
    }
    assert_eq!(ask(&server, "/acme/nope", ada()).await.0, 404);
    let nobody = ask(&server, "/open/door/who", None).await;
    assert_eq!(nobody, (200, "nobody".into()));
}

#[tokio::test]
async fn administration_is_for_administrators() {
    let server = server(vec![extension("/acme", ExtensionAuth::Admin)], false);
    assert_eq!(ask(&server, "/acme", Some(Caller::local())).await.0, 200);
    assert_eq!(
        ask(&server, "/acme", Some(Caller::user("ada"))).await.0,
        403
    );
    assert_eq!(ask(&server, "/acme", None).await.0, 401);
}

#[tokio::test]
async fn a_server_for_strangers_leaves_out_what_is_not_meant_for_them() {
    let mut meant = extension("/meant", ExtensionAuth::Public);
    meant.public_ok = true;
    let server = server(vec![meant, extension("/acme", ExtensionAuth::Public)], true);
    assert_eq!(ask(&server, "/meant", None).await.0, 200);
    assert_eq!(ask(&server, "/acme", None).await.0, 404);
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
