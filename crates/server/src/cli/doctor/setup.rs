//! Checks of the settings: what they allow, what they hold, and whether the addresses in them answer.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{Finding, Patient};
use crate::cli::client::Client;
use crate::config::{AuthProvider, Config, Environment, Mode};
use crate::listener::Tls;
use crate::services::{Role, UsersFile};
use crate::surfaces::{self, Families};

/// Time for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A token or key shorter than this can be guessed.
const SHORT: usize = 16;

/// Mode, authentication and address together.
pub(super) fn modes(patient: &Patient) -> Vec<Finding> {
    let Config {
        mode,
        auth_provider,
        environment,
        host,
        ..
    } = &patient.config;
    let (mode, provider) = (*mode, *auth_provider);
    let name = "mode";
    let mut findings = Vec::new();
    if let Err(e) = surfaces::guard(&patient.config, &Families::of(mode)) {
        findings.push(Finding::broken(
            name,
            e.to_string(),
            "nothing starts with these settings",
        ));
    }
    if let Err(e) = patient.config.storage() {
        findings.push(Finding::broken(
            "storage",
            format!("{e:#}"),
            "nothing starts with these settings",
        ));
    }
    if provider == AuthProvider::Supabase
        && (patient.config.supabase_url.is_empty() || patient.config.supabase_key.is_none())
    {
        findings.push(Finding::broken(
            name,
            "users of Supabase need its address and its key",
            "set SUPABASE_URL and SUPABASE_KEY",
        ));
    }
    let alone = host.parse::<IpAddr>().map_or_else(
        |_| host.eq_ignore_ascii_case("localhost"),
        |ip| ip.to_canonical().is_loopback(),
    );
    if !alone && !provider.enforced() && !patient.config.insecure_bind {
        findings.push(Finding::broken(
            name,
            format!(
                "anybody who reaches {host} may do everything: callers need not show who they are"
            ),
            "listen on 127.0.0.1, set AUTH_PROVIDER, or say --insecure-bind",
        ));
    }
    if *environment == Environment::Production && mode == Mode::Desktop {
        findings.push(Finding::doubtful(
            name,
            "a production server in desktop mode",
            "set NODETOOL_SERVER_MODE to private or public",
        ));
    }
    if findings.is_empty() {
        let told = format!("{mode:?}, authentication {provider:?}, listening on {host}");
        findings.push(Finding::fine(name, told.to_lowercase()));
    }
    findings
}

/// Tokens and keys, of which nothing but their length is looked at.
pub(super) fn keys(patient: &Patient) -> Vec<Finding> {
    let judge = |(name, key): (&'static str, Option<&crate::sensitive::Sensitive>)| {
        let Some(key) = key else {
            return Finding::fine(name, "is not set");
        };
        let key = key.expose();
        let mut kinds: Vec<char> = key.chars().collect();
        kinds.sort_unstable();
        kinds.dedup();
        if key.chars().count() < SHORT || kinds.len() < SHORT / 2 {
            let remedy = "take 32 random characters or more, e.g. from `openssl rand -hex 32`";
            return Finding::doubtful(name, "is set, but can be guessed", remedy);
        }
        Finding::fine(name, "is set")
    };
    patient.config.keys().into_iter().map(judge).collect()
}

/// The users file, where users are read from one.
pub(super) fn users(patient: &Patient) -> Vec<Finding> {
    if patient.config.auth_provider != AuthProvider::MultiUser {
        return Vec::new();
    }
    let name = "users";
    let Some(path) = patient.config.users_file() else {
        let remedy = "name one with USERS_FILE, or set HOME";
        return vec![Finding::broken(
            name,
            "there is no place for a users file",
            remedy,
        )];
    };
    let shown = path.display().to_string();
    vec![match UsersFile::new(path).list() {
        Ok(users) if users.iter().any(|user| user.role == Role::Admin) => {
            Finding::fine(name, format!("{} in {shown}", users.len()))
        }
        Ok(users) => Finding::doubtful(
            name,
            format!("{} in {shown}, none of them an administrator", users.len()),
            "nodetool users add NAME --role admin makes one",
        ),
        Err(e) => Finding::broken(
            name,
            e.to_string(),
            "correct the file; until then it lets nobody in",
        ),
    }]
}

/// Certificate and key, where there are any.
pub(super) fn tls(patient: &Patient) -> Vec<Finding> {
    let Config {
        tls_cert, tls_key, ..
    } = &patient.config;
    vec![match Tls::open(tls_cert, tls_key) {
        Ok(None) => return Vec::new(),
        Ok(Some(_)) => Finding::fine("tls", format!("{} and its key fit", tls_cert.display())),
        Err(e) => Finding::broken("tls", format!("{e:#}"), "correct --tls-cert and --tls-key"),
    }]
}

/// The address the server listens on, or is to listen on.
pub(super) async fn server(patient: &Patient) -> Vec<Finding> {
    let Config { host, port, .. } = &patient.config;
    let mut findings = Vec::new();
    let mut own_port = None;
    if let Some(address) = &patient.announced {
        let port = url::Url::parse(address).ok().and_then(|url| url.port());
        own_port = port;
        findings.push(match answers(address).await {
            Ok(()) => Finding::fine("server", format!("answers at {address}")),
            Err(why) => Finding::broken(
                "server",
                format!("has written down that it listens at {address}, but: {why}"),
                "look into its log; starting it again replaces the note",
            ),
        });
    }
    let name = "port";
    findings.push(match TcpListener::bind((host.as_str(), *port)).await {
        _ if own_port == Some(*port) => Finding::fine(name, format!("{port} is the server's")),
        Ok(_) => Finding::fine(name, format!("{port} is free")),
        Err(e) if e.kind() == ErrorKind::AddrInUse => Finding::broken(
            name,
            format!("{port} is used by another program"),
            "end that, or choose another port with --port",
        ),
        Err(e) => Finding::broken(
            name,
            format!("cannot listen on {host}, port {port}: {e}"),
            "choose another address with --host and --port",
        ),
    });
    findings
}

/// The address that clients are told.
pub(super) async fn api_url(patient: &Patient) -> Vec<Finding> {
    let url = &patient.config.api_url;
    if url.is_empty() {
        return Vec::new();
    }
    let name = "api_url";
    vec![match answers(url).await {
        Ok(()) => Finding::fine(name, format!("{url} answers")),
        Err(why) if patient.announced.is_none() => {
            Finding::doubtful(name, why, "start the server and look again")
        }
        Err(why) => Finding::broken(
            name,
            why,
            "correct api_url, or what stands between it and the server",
        ),
    }]
}

/// Whether a server of this kind answers.
async fn answers(url: &str) -> Result<(), String> {
    let ask = async {
        let client = Client::new(url, None, false)?;
        client.get(&["health"], &[]).await
    };
    match tokio::time::timeout(PATIENCE, ask).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(format!("{e:#}")),
        Err(_) => Err(format!(
            "{url} does not answer within {} s",
            PATIENCE.as_secs()
        )),
    }
}
