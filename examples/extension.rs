//! The NodeTool server with routes of your own. Run it with
//! `cargo run -p nodetool-server --example extension -- serve`, then open `/acme/hello` on the server's address.

use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use nodetool_server::{Extension, ExtensionAuth, ExtensionUser};

async fn hello(user: axum::Extension<ExtensionUser>) -> String {
    format!("Hello, user {}!\n", user.0.id)
}

fn main() -> ExitCode {
    nodetool_server::main_with(vec![Extension {
        prefix: "/acme".into(),
        router: Router::new().route("/hello", get(hello)),
        auth: ExtensionAuth::User,
        public_ok: false,
    }])
}
