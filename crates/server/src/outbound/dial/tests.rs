use std::io;
use std::net::Ipv4Addr;

use nodetool_sdk::services::Services;
use nodetool_sdk::testing::{case_of, context_with};
use nodetool_sdk::{Map, Value};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;

const HOST: &str = "imap.gmail.com";

/// Both ends of a TLS connection: who accepts, and who believes its certificate.
fn tls(name: &str) -> (TlsAcceptor, ClientConfig) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), client)
}

/// A dialer whose names all stand for this machine, at one port.
struct Here {
    dialer: Dialer,
    port: u16,
}

impl Dial for Here {
    fn connect<'a>(
        &'a self,
        host: &'a str,
        _: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        self.dialer.connect(host, self.port)
    }
    fn secure<'a>(
        &'a self,
        connection: Box<dyn Connection>,
        host: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        self.dialer.secure(connection, host)
    }
}

fn here(allow: &[&str], port: u16, tls: ClientConfig) -> Here {
    let allow: Vec<String> = allow.iter().map(|a| (*a).to_owned()).collect();
    let allow = Arc::new(AllowList::parse(&allow).unwrap());
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let lookup = Lookup(Arc::new(move |_| {
        Box::pin(async move { io::Result::Ok(vec![local]) })
    }));
    Here {
        dialer: Dialer::new(allow, lookup, tls),
        port,
    }
}

/// A mailbox with one message, spoken to in IMAP over TLS.
async fn mailbox(stream: tokio_rustls::server::TlsStream<TcpStream>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"* OK ready\r\n").await?;
    let mail = "From: Ada <ada@example.com>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello there\r\n";
    loop {
        let mut said = String::new();
        // Text from outside comes as counted bytes, and the command goes on behind them.
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            let counted = line.strip_suffix('}').and_then(|l| l.rsplit_once('{'));
            said.push_str(counted.map_or(line, |(before, _)| before));
            let Some(count) = counted.and_then(|(_, n)| n.parse::<usize>().ok()) else {
                break;
            };
            stream.write_all(b"+ go on\r\n").await?;
            stream.flush().await?;
            stream.read_exact(&mut vec![0; count]).await?;
        }
        let (tag, command) = said.split_once(' ').unwrap_or_default();
        let answer = if command.starts_with("UID SEARCH") {
            "* SEARCH 7\r\n".to_owned()
        } else if command.starts_with("UID FETCH") {
            let length = mail.len();
            format!(
                "* 1 FETCH (X-GM-MSGID 17 X-GM-THRID 16 UID 7 BODY[]<0> {{{length}}}\r\n{mail})\r\n"
            )
        } else {
            String::new()
        };
        let answer = format!("{answer}{tag} OK done\r\n");
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
}

struct Keys;

impl nodetool_sdk::services::Secrets for Keys {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        Box::pin(async move { Ok(Some(format!("the {key}"))) })
    }
}

async fn searched(here: Here) -> Result<Vec<Map>, NodeError> {
    let services = Services {
        dial: Arc::new(here),
        secrets: Arc::new(Keys),
        ..Services::none()
    };
    let registry = crate::node_services::registry();
    let def = registry.get("lib.mail.GmailSearch").unwrap().clone();
    case_of(def)
        .within(context_with(services, None))
        .run()
        .await
}

/// A listener with one mailbox behind it.
async fn listening(acceptor: TlsAcceptor) -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not believe the certificate goes away.
        if let Ok(stream) = acceptor.accept(stream).await {
            let _ = mailbox(stream).await;
        }
    });
    (port, task)
}

#[tokio::test]
async fn mail_is_searched_over_an_encrypted_connection() {
    let (acceptor, client) = tls(HOST);
    let (port, _task) = listening(acceptor).await;
    let found = searched(here(&["127.0.0.1"], port, client)).await.unwrap();
    assert_eq!(found.len(), 1);
    let email = &found[0]["email"];
    assert_eq!(email.get("subject"), Some(&Value::from("Grüße")));
    assert_eq!(email.get("body"), Some(&Value::from("Hello there\r\n")));
    assert_eq!(found[0]["message_id"], Value::from("17"));
}

#[tokio::test]
async fn a_certificate_of_another_host_is_not_believed() {
    let (acceptor, client) = tls("mail.example.com");
    let (port, _task) = listening(acceptor).await;
    let refused = searched(here(&["127.0.0.1"], port, client)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("The request to `imap.gmail.com` failed"),
        "{refused}"
    );
}

#[tokio::test]
async fn private_addresses_are_refused_by_name_and_by_number() {
    let (_, client) = tls(HOST);
    let here = here(&[], 1, client);
    for host in ["mail.example.com", "127.0.0.1", "::1", "10.0.0.1"] {
        let Err(refused) = here.connect(host, 25).await else {
            panic!("{host} was reached")
        };
        let refused = refused.to_string();
        assert!(refused.contains("are refused"), "{host}: {refused}");
    }
}
