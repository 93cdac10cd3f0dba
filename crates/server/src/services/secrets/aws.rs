//! The master key from AWS Secrets Manager: one signed request.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use reqwest::{Url, redirect};
use serde::Deserialize;

use super::key_file::MAX_KEY;
use crate::outbound::tls;
use crate::sensitive::Sensitive;
use signature::{Signer, time_text};

mod signature;

const CONNECT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(20);
/// Most that is read of an answer.
const MOST: usize = 128 << 10;
const SERVICE: &str = "secretsmanager";
const TARGET: &str = "secretsmanager.GetSecretValue";
const KIND: &str = "application/x-amz-json-1.1";

/// A secret of AWS Secrets Manager, and who reads it.
#[derive(Clone, Debug)]
pub(crate) struct AwsSecret {
    /// Its name or ARN.
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) key_id: Option<String>,
    pub(crate) secret_key: Option<Sensitive>,
    pub(crate) session_token: Option<Sensitive>,
    /// Address of another service that speaks the same.
    pub(crate) endpoint: Option<String>,
}

/// Why the key cannot be had from AWS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AwsError {
    #[error(
        "AWS_SECRETS_MASTER_KEY_NAME names a secret, but AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY do not say who reads it"
    )]
    NoCredentials,
    #[error("'{0}' is no region of AWS")]
    Region(String),
    #[error("'{0}' is no http or https address of AWS Secrets Manager")]
    Endpoint(String),
    #[error("AWS Secrets Manager cannot be asked: {0}")]
    Failed(String),
    #[error("AWS Secrets Manager answered {status} ({kind}) when asked for the secret '{name}'")]
    Refused {
        status: u16,
        kind: String,
        name: String,
    },
    #[error("the secret '{0}' of AWS holds no text of 1 to {MAX_KEY} bytes")]
    Content(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    secret_string: Option<String>,
    /// Base64 of bytes.
    secret_binary: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: Option<String>,
}

impl AwsSecret {
    fn url(&self) -> Result<Url, AwsError> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if self.region.is_empty() || self.region.len() > 64 || !self.region.bytes().all(plain) {
            return Err(AwsError::Region(self.region.chars().take(64).collect()));
        }
        let own = format!("https://{SERVICE}.{}.amazonaws.com/", self.region);
        let text = self.endpoint.as_deref().unwrap_or(&own);
        let url = Url::parse(text).ok();
        let usable = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = usable.ok_or_else(|| AwsError::Endpoint(text.chars().take(200).collect()))?;
        // The signature is that of the root.
        url.join("/")
            .map_err(|_| AwsError::Endpoint(text.chars().take(200).collect()))
    }

    /// Asks for the key.
    pub(super) async fn fetch(&self) -> Result<Sensitive, AwsError> {
        let (Some(key_id), Some(secret)) = (&self.key_id, &self.secret_key) else {
            return Err(AwsError::NoCredentials);
        };
        let url = self.url()?;
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let body = serde_json::json!({ "SecretId": self.name }).to_string();
        let at = Utc::now();
        let date = time_text(at);
        let mut headers = vec![
            ("content-type", KIND),
            ("host", &host),
            ("x-amz-date", &date),
        ];
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        headers.push(("x-amz-target", TARGET));
        let signer = Signer {
            key_id,
            secret,
            region: &self.region,
            service: SERVICE,
        };
        let authorization = signer.authorize(at, &headers, body.as_bytes());
        let failed = |e: reqwest::Error| AwsError::Failed(e.without_url().to_string());
        let tls = tls::config().map_err(|e| AwsError::Failed(e.to_string()))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .build()
            .map_err(failed)?;
        let mut request = client.post(url).header("authorization", authorization);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, *value);
        }
        let mut response = request.body(body).send().await.map_err(failed)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > MOST {
                return Err(AwsError::Content(self.name.clone()));
            }
            bytes.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            let told = serde_json::from_slice::<Refusal>(&bytes).ok();
            let kind = told.and_then(|told| told.kind).unwrap_or_default();
            return Err(AwsError::Refused {
                status: status.as_u16(),
                kind: kind.chars().take(100).collect(),
                name: self.name.clone(),
            });
        }
        self.read(&bytes)
            .ok_or_else(|| AwsError::Content(self.name.clone()))
    }

    fn read(&self, bytes: &[u8]) -> Option<Sensitive> {
        let answer: Answer = serde_json::from_slice(bytes).ok()?;
        let binary = |text: String| String::from_utf8(STANDARD.decode(text).ok()?).ok();
        let text = answer
            .secret_string
            .or_else(|| answer.secret_binary.and_then(binary))?;
        (1..=MAX_KEY)
            .contains(&text.len())
            .then(|| Sensitive::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(region: &str, endpoint: Option<&str>) -> AwsSecret {
        AwsSecret {
            name: "n".into(),
            region: region.into(),
            key_id: None,
            secret_key: None,
            session_token: None,
            endpoint: endpoint.map(str::to_owned),
        }
    }

    #[test]
    fn the_address_is_that_of_the_region_or_the_one_named() {
        let url = |region, endpoint| secret(region, endpoint).url().map(String::from).ok();
        let own = "https://secretsmanager.eu-west-1.amazonaws.com/";
        assert_eq!(url("eu-west-1", None).as_deref(), Some(own));
        let local = url("eu-west-1", Some("http://localhost:4566/x"));
        assert_eq!(local.as_deref(), Some("http://localhost:4566/"));
        assert_eq!(url("evil.example/", None), None);
        assert_eq!(url("eu-west-1", Some("file:///x")), None);
    }

    #[tokio::test]
    async fn without_credentials_it_says_which_are_missing() {
        let told = secret("us-east-1", None).fetch().await.unwrap_err();
        assert!(told.to_string().contains("AWS_ACCESS_KEY_ID"), "{told}");
    }

    #[test]
    fn a_key_is_text_or_binary() {
        let read = |answer: &str| {
            let key = secret("r", None).read(answer.as_bytes());
            key.map(|key| key.expose().to_owned())
        };
        assert_eq!(read(r#"{"SecretString":"k"}"#).as_deref(), Some("k"));
        assert_eq!(read(r#"{"SecretBinary":"aw=="}"#).as_deref(), Some("k"));
        assert_eq!(read(r#"{"SecretBinary":"?"}"#), None);
        assert_eq!(read(r#"{"SecretString":""}"#), None);
        assert_eq!(read("{}"), None);
    }
}
