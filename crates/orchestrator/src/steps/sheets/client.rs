//! The calls of the Sheets and Drive APIs that steps need.

use nodetool_sdk::services::{HttpRequest, Services};
use nodetool_sdk::steps::Choice;
use nodetool_sdk::{NodeError, Value};
use url::Url;

use super::account::{AccessToken, Account, account, accounts, base_url};

const SHEETS: &str = "https://sheets.googleapis.com";
const DRIVE: &str = "https://www.googleapis.com";
/// Seconds of one call.
const TIMEOUT_S: f64 = 60.0;
/// Spreadsheets that are offered; those used last come first.
const MAX_OFFERED: u32 = 200;

/// One account's way to its sheets; keeps its token while that is fresh.
pub(in super::super) struct Sheets {
    account: Account,
    sheets: String,
    drive: String,
    token: Option<AccessToken>,
}

/// What is wrong with an answer.
enum Fault {
    /// The token is not accepted.
    Unauthorized(NodeError),
    Other(NodeError),
}

impl Sheets {
    /// The accounts a user may choose.
    pub(in super::super) async fn accounts(services: &Services) -> Result<Vec<Choice>, NodeError> {
        let accounts = accounts(services).await?.into_iter();
        Ok(accounts
            .map(|account| (account.id, account.label))
            .collect())
    }

    /// The way of one account.
    pub(in super::super) async fn of(services: &Services, id: &str) -> Result<Self, NodeError> {
        let account = account(services, id).await?;
        let base = base_url(services).await?;
        let server = |own: &str| base.clone().unwrap_or_else(|| own.to_owned());
        Ok(Sheets {
            account,
            sheets: server(SHEETS),
            drive: server(DRIVE),
            token: None,
        })
    }

    /// Whether it is the way of this account.
    pub(in super::super) fn is_of(&self, account: &str) -> bool {
        self.account.id == account
    }

    /// The spreadsheets of the account, those used last first.
    pub(in super::super) async fn spreadsheets(
        &mut self,
        services: &Services,
    ) -> Result<Vec<Choice>, NodeError> {
        let mut url = address(&self.drive, &["drive", "v3", "files"])?;
        url.query_pairs_mut()
            .append_pair(
                "q",
                "mimeType='application/vnd.google-apps.spreadsheet' and trashed=false",
            )
            .append_pair("fields", "files(id,name)")
            .append_pair("orderBy", "viewedByMeTime desc,name")
            .append_pair("pageSize", &MAX_OFFERED.to_string());
        let answer = self.call(services, "GET", url, None).await?;
        let files = answer.get("files").and_then(Value::as_list);
        let choice = |file: &Value| {
            let text = |key| Some(file.get(key)?.as_str()?.to_owned());
            Some((text("id")?, text("name")?))
        };
        Ok(files
            .unwrap_or_default()
            .iter()
            .filter_map(choice)
            .collect())
    }

    /// The sheets of a spreadsheet, in order.
    pub(in super::super) async fn sheets(
        &mut self,
        services: &Services,
        spreadsheet: &str,
    ) -> Result<Vec<Choice>, NodeError> {
        let mut url = address(&self.sheets, &["v4", "spreadsheets", spreadsheet])?;
        url.query_pairs_mut()
            .append_pair("fields", "sheets.properties.title");
        let answer = self.call(services, "GET", url, None).await?;
        let sheets = answer.get("sheets").and_then(Value::as_list);
        let title = |sheet: &Value| {
            let title = sheet.get("properties")?.get("title")?.as_str()?.to_owned();
            Some((title.clone(), title))
        };
        Ok(sheets
            .unwrap_or_default()
            .iter()
            .filter_map(title)
            .collect())
    }

    /// The cells of ranges, row by row.
    pub(in super::super) async fn values(
        &mut self,
        services: &Services,
        spreadsheet: &str,
        ranges: &[String],
    ) -> Result<Vec<Vec<Vec<Value>>>, NodeError> {
        let path = ["v4", "spreadsheets", spreadsheet, "values:batchGet"];
        let mut url = address(&self.sheets, &path)?;
        for range in ranges {
            url.query_pairs_mut().append_pair("ranges", range);
        }
        let answer = self.call(services, "GET", url, None).await?;
        let found = answer.get("valueRanges").and_then(Value::as_list);
        let rows = |range: &Value| {
            let rows = range
                .get("values")
                .and_then(Value::as_list)
                .unwrap_or_default();
            let cells = |row: &Value| row.as_list().unwrap_or_default().to_vec();
            rows.iter().map(cells).collect::<Vec<_>>()
        };
        let found: Vec<_> = found.unwrap_or_default().iter().map(rows).collect();
        if found.len() != ranges.len() {
            let (found, asked) = (found.len(), ranges.len());
            return Err(
                format!("Google Sheets gave {found} ranges, {asked} were asked for").into(),
            );
        }
        Ok(found)
    }

    /// Writes the cells of a range; those that are null stay as they are. Gives the range and how many were written.
    pub(in super::super) async fn update(
        &mut self,
        services: &Services,
        spreadsheet: &str,
        range: &str,
        cells: Vec<Value>,
    ) -> Result<(String, i64), NodeError> {
        let path = ["v4", "spreadsheets", spreadsheet, "values", range];
        let mut url = address(&self.sheets, &path)?;
        url.query_pairs_mut()
            .append_pair("valueInputOption", "USER_ENTERED");
        let body = Value::map([
            ("range", Value::from(range)),
            ("majorDimension", "ROWS".into()),
            ("values", Value::list([cells.into()])),
        ]);
        let answer = self.call(services, "PUT", url, Some(body)).await?;
        let written = answer.get("updatedRange").and_then(Value::as_str);
        let count = answer.get("updatedCells").and_then(Value::as_i64);
        Ok((
            written.unwrap_or(range).to_owned(),
            count.unwrap_or_default(),
        ))
    }

    async fn call(
        &mut self,
        services: &Services,
        method: &str,
        url: Url,
        body: Option<Value>,
    ) -> Result<Value, NodeError> {
        let body = body.map(|body| serde_json::to_vec(&body).unwrap_or_default());
        let mut refused: Option<String> = None;
        for again in [true, false] {
            let token = match self.token.take().filter(AccessToken::is_fresh) {
                Some(token) => token,
                None => self.account.token(services, refused.as_deref()).await?,
            };
            let bearer = format!("Bearer {}", token.text);
            self.token = Some(token);
            let mut headers = vec![("authorization".to_owned(), bearer)];
            if body.is_some() {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
            }
            let request = HttpRequest {
                method: method.to_owned(),
                url: url.to_string(),
                headers,
                body: body.clone().map(Into::into),
                timeout_s: Some(TIMEOUT_S),
            };
            match send(services, request).await {
                Ok(value) => return Ok(value),
                // A token may end before its time: once more with a new one.
                Err(Fault::Unauthorized(_)) if again => {
                    refused = self.token.take().map(|token| token.text);
                }
                Err(Fault::Unauthorized(e) | Fault::Other(e)) => return Err(e),
            }
        }
        Err("Google Sheets accepts no token of this account".into())
    }
}

async fn send(services: &Services, request: HttpRequest) -> Result<Value, Fault> {
    let other = |text: String| Fault::Other(text.into());
    let answer = services.http.send_once(request).await;
    let answer =
        answer.map_err(|e| other(format!("Google Sheets cannot be reached: {}", e.message)))?;
    let value = serde_json::from_slice::<Value>(&answer.body);
    if answer.status == 200 {
        return value.map_err(|_| other("Google Sheets gave an answer that is no JSON".to_owned()));
    }
    let said = value.ok();
    let said = said
        .as_ref()
        .and_then(|v| v.get("error")?.get("message")?.as_str());
    let said: String = said.unwrap_or_default().chars().take(300).collect();
    let text = format!(
        "Google Sheets answered with status {}: {said}",
        answer.status
    );
    match answer.status {
        401 => Err(Fault::Unauthorized(text.into())),
        _ => Err(other(text)),
    }
}

/// An address whose parts are escaped, whatever they hold.
fn address(server: &str, path: &[&str]) -> Result<Url, NodeError> {
    let wrong = || {
        NodeError::new(
            "GOOGLE_API_BASE_URL is no URL; expected one such as `https://sheets.example`",
        )
    };
    let mut url = Url::parse(server).map_err(|_| wrong())?;
    url.path_segments_mut()
        .map_err(|()| wrong())?
        .pop_if_empty()
        .extend(path);
    Ok(url)
}
