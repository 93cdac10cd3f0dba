//! A server that speaks the shapes of Google's API over one small spreadsheet, for the tests of its steps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use nodetool_sdk::BoxFuture;
use nodetool_sdk::NodeError;
use nodetool_sdk::accounts::{AccountToken, ConnectedAccount};
use nodetool_sdk::services::{HttpRequest, HttpResponse, Secrets, Services};
use nodetool_sdk::steps::StepCx;
use serde_json::{Value as Json, json};
use url::Url;

use super::super::testing::{Net, answer, context_of};

/// A key nothing but these tests knows.
const KEY: &str = "\
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCDLdpSn1apoAIxlhixubJzULZoJKRSr/MsICplOY+Dxxcw6YQR\
Ag7/RTV0OUvwfP1E9qSUYRF6T35pijIUJOQItmuELroaRx3Pg9q31WmSlw0FqP4IoXWyc3In4rqEv3AjTNTIxnS0vBvgALCFbTOq\
AlKf+cxbKbbZvwPIIQZUshQir45Ny5k3UKUg+741GdDAGhEWauDs3Egfv0tmdua9y8+GZqTpUGzkC9GPyMn5xmCI4CQsqHY0HrCk\
R3KMchK6vTU1ztwuy63gQKlGKxHh6SSPxdN7MLSVBOQ7WYkxJjqvYPVgnt/9C3zsn8p+9eAe/Cve3S6ePEG25kRBBESpAgMBAAEC\
ggEABtUdEX+eHnConJeSSrN+4XW7QnpiGrJyaoJ0YthYKsd0ZEZNbCtcx5v9uEOBupFwCacFFHtn0ySP04Rwrk7rl66UtApRBCxf\
F59pBXk2qf13HqvaK23pePV9ZSlwiJiGCTinvptjmcRQeV7f0ttIvRqo3g8/PyJRlU7XLhXWRBP9VDp16l4j4P7aMHvNJnCik9ls\
mhFl8hXAtw6SVwzbbdIvtwRsRuzqT2YJS9+YwVA3WulW02Q3FOYlL2arSJ5/VIU8s3VfTntQb1RPlTwcwnNONMGW7FGX0lwesFbZ\
Ly+2i3snsAqABDJdHyWl8AkM5dBVn2EUxjV3jNR/ggc3dwKBgQC5L+6jGZ0Gs2lO5MBxIM3Q0m50z5NjJQ/nF9GA5ib2HSUQlJN/\
Gc2FSf9FuxgFO7tAbusJbd8ggxsXK2pn0XKl38Q5PFHLJJyc4887PxgT1iUxRdBCGQTqGhZMoO/bOTBSNeWiT8o1gOKeEMKRpBH1\
F4xo1KAXrq3x0nu81GXhUwKBgQC1VwoauhVuGCdx4jyafrH+UTC7jQA2nDXp83iKvsT5KexqLvlWFQS+QVcAwcMO2HG+yLjKJPdF\
ojkHMDPy5cMYLuNxl3Z8CHMrVihj0x/kZHsxMZnL4zN3sBI/0rHcnRw2wZNiuavAS077eBlJrY5QlZMgnpDsioSLCsXsl6ZWkwKB\
gQCNXogAPpde/CtSLNK0CeTUmy/zQFs1fp+LPOWUTx5DF7Cp3aJTjvET5Y9YPiFyLU0fPQ10H0oMWcmegGg0ZPHuqsnzH5cZSxO7\
uTUD94B79ChkWvVG4C6eP9fyG5G/ewLmX3qz09F70q4tGIJQCD4lKhroFBk6uwDS8GnBlytHPQKBgBqNUBFxxcmFB+GI+s60VmOi\
h7wufSWB4fMLj07hd/3zwYYasq+EDFm/P3oA5Qq7bow837HZj8tGYYtH55NdSR+1XeA4CUVIB3UE/I0BUN4kSFV/qcFM1zBjO4jU\
1O40ovjxhx8hiKBzZnEzuKAtJXVvMUfJb/byoU2qmih2XAi5AoGAVJyJqmfI5A+b8vekU8rZiLkcRF0vqMozQz2Hg9pXAPa08HGd\
gXnMnqNNXHa2ABCgz8yOt+2ljbvsgVROPYsymIKvbXpXYvMpl6iQPI3p8VYzGS7j8pAatekb3j6HfsEb0F+uP0YE81ShuiTaCW+x\
SnIP8q3Iq3ITQZo21MJNRQQ=\
";

/// The key file's key, as Google writes it.
pub(super) fn private_key() -> String {
    format!(
        "-----BEGIN {0}-----\n{KEY}\n-----END {0}-----\n",
        "PRIVATE KEY"
    )
}

type Rows = Arc<Mutex<Vec<Vec<String>>>>;

/// The server with its secrets; clones are the same one.
#[derive(Clone, Default)]
pub(in super::super) struct Google {
    secrets: HashMap<String, String>,
    rows: Rows,
    bodies: Arc<Mutex<Vec<(String, String)>>>,
    connected: Arc<Mutex<Vec<String>>>,
}

impl Google {
    /// The token it gives and accepts.
    pub(super) const TOKEN: &'static str = "fresh";

    /// With an account and a sheet of people.
    pub(in super::super) fn with_people() -> Self {
        let google = Google::default().secret("GOOGLE_OAUTH_TOKEN", Self::TOKEN);
        let row = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect();
        *google.rows.lock().unwrap() = vec![
            row(&["name", "city", "", "done"]),
            row(&["Ann", "Bern"]),
            row(&["Bob", "Rome", "x", "no"]),
        ];
        google
    }

    /// With a secret.
    pub(in super::super) fn secret(mut self, key: &str, value: &str) -> Self {
        self.secrets.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With a connected account that gives these tokens, each once the one before is refused; without any, it is gone.
    pub(in super::super) fn connected(self, tokens: &[&str]) -> Self {
        *self.connected.lock().unwrap() = tokens.iter().map(|t| (*t).to_owned()).collect();
        self
    }

    /// The cells of the sheet.
    pub(in super::super) fn rows(&self) -> Vec<Vec<String>> {
        self.rows.lock().unwrap().clone()
    }

    /// Bodies that came to addresses with this part.
    pub(super) fn bodies(&self, part: &str) -> Vec<String> {
        let all = self.bodies.lock().unwrap();
        let mine = all.iter().filter(|(url, _)| url.contains(part));
        mine.map(|(_, body)| body.clone()).collect()
    }

    /// Services that reach it and nothing else.
    pub(in super::super) fn services(&self) -> Services {
        let (rows, bodies) = (self.rows.clone(), self.bodies.clone());
        let net = Net::new(move |request| {
            let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default());
            let entry = (request.url.clone(), body.into_owned());
            bodies.lock().unwrap().push(entry);
            Ok(serve(request, &rows))
        });
        let mut secrets = self.secrets.clone();
        secrets
            .entry("GOOGLE_API_BASE_URL".to_owned())
            .or_insert_with(|| "http://google.test/".to_owned());
        Services {
            http: net,
            secrets: Arc::new(Kept(secrets, self.connected.clone())),
            ..Services::none()
        }
    }

    /// A step's context that reaches it.
    pub(in super::super) fn cx(&self) -> StepCx {
        context_of(self.services(), None)
    }
}

/// Secrets by key, and the tokens that the one connected account gives in turn.
struct Kept(HashMap<String, String>, Arc<Mutex<Vec<String>>>);

impl Secrets for Kept {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        Box::pin(async move { Ok(self.0.get(key).cloned()) })
    }

    fn accounts<'a>(
        &'a self,
        site: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ConnectedAccount>, NodeError>> {
        let there = site == "google" && !self.1.lock().unwrap().is_empty();
        let account = ConnectedAccount {
            id: "c1".to_owned(),
            label: "ada@a.example".to_owned(),
        };
        Box::pin(async move { Ok(there.then_some(account).into_iter().collect()) })
    }

    fn account_token<'a>(
        &'a self,
        _: &'a str,
        id: &'a str,
        refused: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<AccountToken>, NodeError>> {
        let tokens = self.1.lock().unwrap();
        let text = tokens.iter().find(|token| refused != Some(token.as_str()));
        let text = text.filter(|_| id == "c1").cloned();
        let token = text.map(|text| AccountToken { text, until: None });
        Box::pin(async move { Ok(token) })
    }
}

fn serve(request: &HttpRequest, rows: &Rows) -> HttpResponse {
    let url = Url::parse(&request.url).unwrap();
    let ok = |body: Json| answer(200, &body.to_string());
    let refuse = |status: u16, text: &str| {
        answer(
            status,
            &json!({"error": {"code": status, "message": text}}).to_string(),
        )
    };
    if url.host_str() != Some("google.test") {
        return refuse(404, "there is no such server");
    }
    let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default());
    if url.path() == "/token" {
        return match body.contains("revoked") {
            true => answer(400, r#"{"error": "invalid_grant"}"#),
            false => ok(json!({"access_token": Google::TOKEN, "expires_in": 3599})),
        };
    }
    let bearer = format!("Bearer {}", Google::TOKEN);
    if !request
        .headers
        .contains(&("authorization".to_owned(), bearer))
    {
        return refuse(401, "Request had invalid authentication credentials.");
    }
    let path: Vec<String> = url
        .path_segments()
        .unwrap()
        .map(|part| {
            let query = format!("v={}", part.replace('+', "%2B"));
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.next().unwrap().1.into_owned()
        })
        .collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let mut rows = rows.lock().unwrap();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["drive", "v3", "files"]) => ok(json!({"files": [{"id": "s1", "name": "People"}]})),
        ("GET", ["v4", "spreadsheets", "s1"]) => {
            ok(json!({"sheets": [{"properties": {"title": "Sheet 1"}}]}))
        }
        ("GET", ["v4", "spreadsheets", "s1", "values:batchGet"]) => {
            let ranges: Vec<Json> = url
                .query_pairs()
                .filter(|(name, _)| name == "ranges")
                .map(|(_, range)| read_range(&range, &rows))
                .collect();
            ok(json!({ "spreadsheetId": "s1", "valueRanges": ranges }))
        }
        ("PUT", ["v4", "spreadsheets", "s1", "values", range]) => {
            let sent: Json = serde_json::from_str(&body).unwrap();
            let last = range.rsplit(':').next().unwrap();
            let number = last.trim_start_matches(char::is_alphabetic);
            let number: usize = number.parse().unwrap();
            if rows.len() < number {
                rows.resize_with(number, Vec::new);
            }
            let row = &mut rows[number - 1];
            let mut count = 0;
            for (at, cell) in sent["values"][0].as_array().unwrap().iter().enumerate() {
                if row.len() <= at {
                    row.push(String::new());
                }
                if !cell.is_null() {
                    row[at] = cell
                        .as_str()
                        .map_or_else(|| cell.to_string(), str::to_owned);
                    count += 1;
                }
            }
            ok(json!({"spreadsheetId": "s1", "updatedRange": range, "updatedCells": count}))
        }
        _ => refuse(404, "Requested entity was not found."),
    }
}

/// `'Sheet 1'!3:3` or `'Sheet 1'` for all of it; a range without cells has no `values`, as with the real one.
fn read_range(range: &str, rows: &[Vec<String>]) -> Json {
    let (sheet, cells) = range.rsplit_once('!').unwrap_or((range, "1:1000"));
    assert_eq!(sheet, "'Sheet 1'");
    let (from, to) = cells.split_once(':').unwrap();
    let (first, last): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
    let found: Vec<_> = rows.iter().take(last).skip(first - 1).collect();
    match found.is_empty() {
        true => json!({ "range": range, "majorDimension": "ROWS" }),
        false => json!({ "range": range, "majorDimension": "ROWS", "values": found }),
    }
}
