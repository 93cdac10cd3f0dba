//! JSON web tokens signed with one key of this server: HS256 and nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use serde::{Deserialize, Serialize};

/// The only head a token may have.
const HEAD: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// Longest token that is looked at.
const LONGEST: usize = 1024;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Requests.
    Access,
    /// Another pair of tokens.
    Refresh,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Access => "access",
            Kind::Refresh => "refresh",
        }
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) token_type: String,
    /// Seconds since 1970.
    pub(super) exp: i64,
    pub(super) iat: i64,
    pub(super) jti: String,
    pub(super) user_id: String,
}

/// The key of a server.
pub(super) struct SigningKey(hmac::Key);

/// Whether a text looks like a token made here, whoever has signed it.
pub(super) fn has_form(token: &str) -> bool {
    token.len() <= LONGEST && claims(token).is_some()
}

fn claims(token: &str) -> Option<Claims> {
    let (signed, _) = token.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let claims = BASE64
        .decode(claims)
        .ok()
        .filter(|_| head == BASE64.encode(HEAD))?;
    serde_json::from_slice(&claims).ok()
}

impl SigningKey {
    pub(super) fn new(secret: &[u8]) -> Self {
        SigningKey(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(super) fn sign(&self, claims: &Claims) -> String {
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        let signed = format!("{}.{}", BASE64.encode(HEAD), BASE64.encode(claims));
        let tag = hmac::sign(&self.0, signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(tag))
    }

    /// What a token of this kind says that holds now and was signed here.
    pub(super) fn read(&self, token: &str, kind: Kind, now: i64) -> Option<Claims> {
        if !has_form(token) {
            return None;
        }
        let (signed, tag) = token.rsplit_once('.')?;
        hmac::verify(&self.0, signed.as_bytes(), &BASE64.decode(tag).ok()?).ok()?;
        let claims = claims(token)?;
        (claims.token_type == kind.as_str() && claims.exp > now).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_here_and_holds_is_read() {
        let key = SigningKey::new(b"k");
        let claims = Claims {
            token_type: "access".into(),
            exp: 100,
            iat: 1,
            jti: "j".into(),
            user_id: "2".into(),
        };
        let token = key.sign(&claims);
        assert_eq!(key.read(&token, Kind::Access, 99), Some(claims.clone()));
        assert_eq!(key.read(&token, Kind::Access, 100), None);
        assert_eq!(key.read(&token, Kind::Refresh, 99), None);
        assert_eq!(SigningKey::new(b"l").read(&token, Kind::Access, 99), None);
        let none = format!(
            "{}.{}.",
            BASE64.encode(r#"{"alg":"none"}"#),
            token.split('.').nth(1).unwrap()
        );
        assert_eq!(key.read(&none, Kind::Access, 99), None);
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character has bits that mean nothing; they have to be zero.
            assert_eq!(key.read(&changed, Kind::Access, 99), None, "{at}");
        }
    }
}
