//! Searches of the web through a provider the user has an account with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_sdk::services::HttpRequest;
use nodetool_sdk::{Map, Value};
use url::Url;

use super::Desk;
use super::arguments::{Arguments, cut};

/// Results of one search.
const MOST_RESULTS: usize = 50;
/// Characters of an extract.
const MOST_EXTRACT: usize = 1_000;

/// Addresses of the providers.
#[derive(Clone, Debug)]
pub(crate) struct SearchPlaces {
    pub(crate) serpapi: String,
    pub(crate) dataforseo: String,
    pub(crate) apify: String,
}

impl Default for SearchPlaces {
    fn default() -> Self {
        SearchPlaces {
            serpapi: "https://serpapi.com".into(),
            dataforseo: "https://api.dataforseo.com".into(),
            apify: "https://api.apify.com".into(),
        }
    }
}

/// An account with a provider.
enum Account {
    SerpApi { key: String },
    DataForSeo { login: String, password: String },
    Apify { key: String },
}

impl Desk {
    pub(super) async fn web_search(&self, arguments: &Arguments) -> Result<Value, String> {
        let Some(query) = arguments.given("query") else {
            return Err("query: expected a text".into());
        };
        let query = cut(query, 1_000).0;
        let count = arguments.count("num_results", 10, MOST_RESULTS).max(1);
        let account = self.search_account().await?;
        let request = request(&self.house.search, &account, query, count)?;
        let response = self
            .house
            .http
            .send(request)
            .await
            .map_err(|e| e.to_string())?;
        let body: Value = serde_json::from_slice(&response.body).map_err(|_| {
            format!(
                "the search answered with status {} and no JSON",
                response.status
            )
        })?;
        if !(200..300).contains(&response.status) {
            let why = body.get("error").and_then(told).unwrap_or_default();
            let why = cut(&why, 300).0.to_owned();
            return Err(format!(
                "the search failed with status {}: {why}",
                response.status
            ));
        }
        let mut results = results(&account, &body)?;
        results.truncate(count);
        Ok(Value::map([
            ("query", Value::from(query)),
            ("results", results.into()),
        ]))
    }

    /// The account of the chosen provider, or of the first that has one.
    async fn search_account(&self) -> Result<Account, String> {
        let chosen = self.house.settings.value("SERP_PROVIDER").await;
        let chosen = chosen.map_err(|e| e.to_string())?.unwrap_or_default();
        let wanted = |name: &str| chosen.is_empty() || chosen == name;
        if wanted("serpapi")
            && let Some(key) = self.secret("SERPAPI_API_KEY").await?
        {
            return Ok(Account::SerpApi { key });
        }
        if wanted("dataforseo")
            && let Some(login) = self.secret("DATA_FOR_SEO_LOGIN").await?
            && let Some(password) = self.secret("DATA_FOR_SEO_PASSWORD").await?
        {
            return Ok(Account::DataForSeo { login, password });
        }
        if wanted("apify")
            && let Some(key) = self.secret("APIFY_API_KEY").await?
        {
            return Ok(Account::Apify { key });
        }
        let needed = match chosen.as_str() {
            "serpapi" => "SERPAPI_API_KEY",
            "dataforseo" => "DATA_FOR_SEO_LOGIN and DATA_FOR_SEO_PASSWORD",
            "apify" => "APIFY_API_KEY",
            _ => "SERPAPI_API_KEY, APIFY_API_KEY, or DATA_FOR_SEO_LOGIN and DATA_FOR_SEO_PASSWORD",
        };
        Err(format!(
            "searching the web needs {needed}, which is not configured"
        ))
    }
}

fn told(value: &Value) -> Option<String> {
    let message = value.get("message").unwrap_or(value);
    message.as_str().map(str::to_owned)
}

fn request(
    places: &SearchPlaces,
    account: &Account,
    query: &str,
    count: usize,
) -> Result<HttpRequest, String> {
    let address = |base: &str, path: &str| {
        Url::parse(&format!("{}{path}", base.trim_end_matches('/')))
            .map_err(|_| "the address of the search is none".to_owned())
    };
    let post = |url: Url, authorization: String, body: Value| HttpRequest {
        method: "POST".into(),
        url: url.into(),
        headers: vec![
            ("authorization".into(), authorization),
            ("content-type".into(), "application/json".into()),
        ],
        body: Some(serde_json::to_vec(&body).unwrap_or_default().into()),
        timeout_s: Some(120.0),
    };
    Ok(match account {
        Account::SerpApi { key } => {
            let mut url = address(&places.serpapi, "/search.json")?;
            url.query_pairs_mut()
                .append_pair("engine", "google")
                .append_pair("q", query)
                .append_pair("num", &count.to_string())
                .append_pair("api_key", key);
            HttpRequest {
                method: "GET".into(),
                url: url.into(),
                headers: vec![("accept".into(), "application/json".into())],
                body: None,
                timeout_s: Some(60.0),
            }
        }
        Account::DataForSeo { login, password } => {
            let path = "/v3/serp/google/organic/live/advanced";
            let basic = STANDARD.encode(format!("{login}:{password}"));
            let task = Value::map([
                ("keyword", Value::from(query)),
                ("language_code", "en".into()),
                // The United States, as the provider numbers places.
                ("location_code", 2840i64.into()),
                ("depth", count.into()),
            ]);
            let url = address(&places.dataforseo, path)?;
            post(url, format!("Basic {basic}"), Value::list([task]))
        }
        Account::Apify { key } => {
            let path = "/v2/acts/apify~google-search-scraper/run-sync-get-dataset-items";
            let input = Value::map([
                ("queries", Value::from(query)),
                ("maxPagesPerQuery", 1i64.into()),
                ("resultsPerPage", count.into()),
            ]);
            post(
                address(&places.apify, path)?,
                format!("Bearer {key}"),
                input,
            )
        }
    })
}

/// Title, address and extract of each page.
fn results(account: &Account, body: &Value) -> Result<Vec<Value>, String> {
    let empty = &[][..];
    let list = |value: Option<&Value>, key: &str| -> Vec<Value> {
        let list = value.and_then(|v| v.get(key)).and_then(Value::as_list);
        list.unwrap_or(empty).to_vec()
    };
    let first = |list: Vec<Value>| list.into_iter().next();
    let (found, link, extract) = match account {
        Account::SerpApi { .. } => (list(Some(body), "organic_results"), "link", "snippet"),
        Account::DataForSeo { .. } => {
            let task = first(list(Some(body), "tasks"));
            let code = task
                .as_ref()
                .and_then(|t| t.get("status_code"))
                .and_then(Value::as_i64);
            if code.is_some_and(|code| code >= 40_000) {
                let message = task.as_ref().and_then(|t| t.get("status_message"));
                let why = message.and_then(Value::as_str).unwrap_or_default();
                return Err(format!("the search failed: {}", cut(why, 300).0));
            }
            let result = first(list(task.as_ref(), "result"));
            let items = list(result.as_ref(), "items").into_iter();
            let organic = items.filter(|item| item.type_tag() == Some("organic"));
            (organic.collect(), "url", "description")
        }
        Account::Apify { .. } => {
            let page = body.as_list().unwrap_or(empty).first();
            (list(page, "organicResults"), "url", "description")
        }
    };
    let one = |item: &Value| -> Option<Value> {
        let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut out = Map::new();
        out.insert("title".into(), cut(text("title"), 300).0.into());
        out.insert("url".into(), text(link).into());
        out.insert("snippet".into(), cut(text(extract), MOST_EXTRACT).0.into());
        (!text(link).is_empty()).then(|| out.into())
    };
    Ok(found.iter().filter_map(one).collect())
}
