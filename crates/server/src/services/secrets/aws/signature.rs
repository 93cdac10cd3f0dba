//! Signature version 4 of Amazon's services, for requests without a query.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use ring::hmac;
use sha2::{Digest, Sha256};

use crate::sensitive::Sensitive;

/// Who signs.
#[derive(Clone, Debug)]
pub(super) struct Signer<'a> {
    pub(super) key_id: &'a str,
    pub(super) secret: &'a Sensitive,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// When, as the services write it.
pub(super) fn time_text(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

impl Signer<'_> {
    /// The value of `Authorization` for a POST to `/`. The headers are in the order of their names, which are in small
    /// letters; `host` and `x-amz-date` are among them.
    pub(super) fn authorize(
        &self,
        at: DateTime<Utc>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut request = "POST\n/\n\n".to_owned();
        for (name, value) in headers {
            request.push_str(&format!("{name}:{}\n", value.trim()));
        }
        request.push_str(&format!("\n{names}\n{}", hex(&Sha256::digest(body))));
        let day = at.format("%Y%m%d").to_string();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let signed = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            time_text(at),
            hex(&Sha256::digest(request.as_bytes()))
        );
        let first = format!("AWS4{}", self.secret.expose());
        let steps = [&*day, self.region, self.service, "aws4_request", &*signed];
        let signature = steps
            .iter()
            .fold(first.into_bytes(), |key, step| sign(&key, step));
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
            self.key_id,
            hex(&signature)
        )
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a text never fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_the_published_example() {
        let signer = Signer {
            key_id: "AKIDEXAMPLE",
            secret: &Sensitive::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            region: "us-east-1",
            service: "service",
        };
        let at = DateTime::from_timestamp(1_440_938_160, 0).unwrap();
        assert_eq!(time_text(at), "20150830T123600Z");
        let headers = [
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        assert_eq!(signer.authorize(at, &headers, b""), expected);
    }
}
