//! Signed tokens (JWT) and the keys their signatures are checked with: RS256 and ES256, nothing else. The kind of key says
//! how a signature is checked; what the token says of itself only has to agree. It must not know where keys come from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// How far clocks may be apart, in seconds.
pub(super) const LEEWAY: f64 = 30.0;
/// Keys of one set.
const MOST_KEYS: usize = 64;
/// Bytes of a coordinate of the curve.
const COORDINATE: usize = 32;
/// Longest id a row may belong to.
const LONGEST_ID: usize = 128;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    /// By something only whoever made it can check.
    Other,
}

impl Algorithm {
    fn of(name: &str) -> Self {
        match name {
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            _ => Algorithm::Other,
        }
    }
}

/// A token taken apart; nothing of it is believed yet.
pub(super) struct Token<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    claims: Claims,
    signed: &'t str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that have to be understood; none is.
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Audience::One(one) => one == wanted,
            Audience::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

impl<'t> Token<'t> {
    /// Takes a token apart; nothing when it is not a JWT.
    pub(super) fn parse(token: &'t str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        if header.crit.is_some() {
            return None;
        }
        Some(Token {
            algorithm: Algorithm::of(&header.alg),
            key_id: header.kid,
            claims: serde_json::from_slice(&decode(claims)?).ok()?,
            signed,
            signature: decode(signature)?,
        })
    }

    /// When the token ends, in seconds since 1970.
    pub(super) fn ends(&self) -> Option<f64> {
        self.claims.exp
    }

    /// The user, if the token is signed by one of the keys, for this audience, by this issuer, and holds now.
    pub(super) fn verify(
        &self,
        keys: &[&PublicKey],
        issuer: &str,
        audience: &str,
        now: f64,
    ) -> Option<&str> {
        let signed = |key: &&PublicKey| key.has_signed(self.signed.as_bytes(), &self.signature);
        if !keys.iter().any(signed) {
            return None;
        }
        let Claims {
            iss,
            sub,
            aud,
            exp,
            nbf,
        } = &self.claims;
        let holds =
            exp.is_some_and(|exp| now < exp + LEEWAY) && nbf.is_none_or(|nbf| now >= nbf - LEEWAY);
        let fits = iss.as_deref() == Some(issuer) && aud.as_ref().is_some_and(|a| a.has(audience));
        sub.as_deref().filter(|id| holds && fits && is_id(id))
    }
}

/// Whether rows may belong to a user with this id.
pub(super) fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && !text.contains(char::is_control)
}

/// A key that can check signatures and not make any.
pub(super) enum PublicKey {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
}

impl PublicKey {
    fn algorithm(&self) -> Algorithm {
        match self {
            PublicKey::Rsa { .. } => Algorithm::Rs256,
            PublicKey::P256(_) => Algorithm::Es256,
        }
    }

    fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        let checked = match self {
            PublicKey::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, text, signature)
            }
            PublicKey::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(text, signature)
            }
        };
        checked.is_ok()
    }
}

/// The keys of a project, by their ids.
#[derive(Default)]
pub(super) struct KeySet(Vec<(String, PublicKey)>);

#[derive(Deserialize)]
struct Listed {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set of keys. Those of other kinds, or for other purposes, are left out.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let listed: Listed = serde_json::from_slice(bytes).ok()?;
        let keys = listed.keys.into_iter().take(MOST_KEYS);
        let read = |key| {
            let jwk: Jwk = serde_json::from_value(key).ok()?;
            Some((jwk.kid.clone(), jwk.key()?))
        };
        Some(KeySet(keys.filter_map(read).collect()))
    }

    /// The keys with an id that make this kind of signature.
    pub(super) fn find(&self, id: &str, algorithm: Algorithm) -> Vec<&PublicKey> {
        let fits = |(kid, key): &&(String, PublicKey)| kid == id && key.algorithm() == algorithm;
        self.0.iter().filter(fits).map(|(_, key)| key).collect()
    }
}

impl Jwk {
    fn key(&self) -> Option<PublicKey> {
        if self.purpose.as_deref().is_some_and(|p| p != "sig") {
            return None;
        }
        let ops = self.key_ops.as_ref();
        if ops.is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return None;
        }
        let decode = |part: &Option<String>| URL_SAFE_NO_PAD.decode(part.as_ref()?).ok();
        let key = match self.kty.as_str() {
            "RSA" => {
                let number = |part| {
                    let bytes = decode(part)?;
                    let start = bytes.iter().position(|b| *b != 0)?;
                    Some(bytes[start..].to_vec())
                };
                PublicKey::Rsa {
                    n: number(&self.n)?,
                    e: number(&self.e)?,
                }
            }
            "EC" if self.crv.as_deref() == Some("P-256") => {
                let (x, y) = (decode(&self.x)?, decode(&self.y)?);
                if x.len() != COORDINATE || y.len() != COORDINATE {
                    return None;
                }
                PublicKey::P256([&[4][..], &x, &y].concat())
            }
            _ => return None,
        };
        let named = self.alg.as_deref().map(Algorithm::of);
        named
            .is_none_or(|named| named == key.algorithm())
            .then_some(key)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    /// Somebody who signs tokens.
    pub(in super::super) struct Signer {
        pair: EcdsaKeyPair,
        pub(in super::super) id: String,
    }

    impl Signer {
        pub(in super::super) fn new(id: &str) -> Self {
            let chance = SystemRandom::new();
            let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let document = EcdsaKeyPair::generate_pkcs8(kind, &chance).unwrap();
            Signer {
                pair: EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &chance).unwrap(),
                id: id.into(),
            }
        }

        pub(in super::super) fn jwk(&self) -> Value {
            let point = self.pair.public_key().as_ref();
            json!({
                "kty": "EC", "crv": "P-256", "kid": self.id, "alg": "ES256", "use": "sig",
                "key_ops": ["verify"], "ext": true,
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
            })
        }

        pub(in super::super) fn sign(&self, claims: &Value) -> String {
            self.sign_under(
                &json!({ "alg": "ES256", "kid": self.id, "typ": "JWT" }),
                claims,
            )
        }

        pub(in super::super) fn sign_under(&self, header: &Value, claims: &Value) -> String {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(header), part(claims));
            let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
            let signature = URL_SAFE_NO_PAD.encode(signature.unwrap().as_ref());
            format!("{signed}.{signature}")
        }
    }

    const ISSUER: &str = "https://p.example/auth/v1";
    const NOW: f64 = 1_000_000.0;

    fn claims() -> Value {
        json!({ "iss": ISSUER, "sub": "u", "aud": "authenticated", "exp": NOW + 10.0 })
    }

    fn set(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn check(keys: &KeySet, token: &str) -> Option<String> {
        let token = Token::parse(token)?;
        let keys = keys.find(token.key_id.as_deref()?, token.algorithm);
        let user = token.verify(&keys, ISSUER, "authenticated", NOW);
        user.map(str::to_owned)
    }

    #[test]
    fn only_what_the_key_has_signed_says_who_it_is() {
        let (signer, other) = (Signer::new("k"), Signer::new("k"));
        let keys = set(&[signer.jwk()]);
        let token = signer.sign(&claims());
        assert_eq!(check(&keys, &token).as_deref(), Some("u"));
        assert_eq!(check(&keys, &other.sign(&claims())), None);
        let both = set(&[other.jwk(), signer.jwk()]);
        assert_eq!(
            check(&both, &token).as_deref(),
            Some("u"),
            "while keys change"
        );
        // Another content under the same signature.
        let mut forged = claims();
        forged["sub"] = "admin".into();
        let body = URL_SAFE_NO_PAD.encode(forged.to_string());
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(
            check(&keys, &format!("{}.{body}.{}", parts[0], parts[2])),
            None
        );
        for broken in [
            "",
            ".",
            "..",
            "a.b.c",
            &token[..token.len() - 4],
            &format!("{token}="),
            &format!("{token}.x"),
            &format!("{}.{}.", parts[0], parts[1]),
        ] {
            assert_eq!(check(&keys, broken), None, "{broken}");
        }
    }

    #[test]
    fn a_token_cannot_choose_how_it_is_checked() {
        let signer = Signer::new("k");
        let keys = set(&[signer.jwk()]);
        for header in [
            json!({ "alg": "none", "kid": "k" }),
            json!({ "alg": "HS256", "kid": "k" }),
            json!({ "alg": "RS256", "kid": "k" }),
            json!({ "alg": "es256", "kid": "k" }),
            json!({ "alg": "ES256", "kid": "other" }),
            json!({ "alg": "ES256" }),
            json!({ "alg": "ES256", "kid": "k", "crit": ["b64"], "b64": false }),
            json!({ "kid": "k" }),
        ] {
            let token = signer.sign_under(&header, &claims());
            assert_eq!(check(&keys, &token), None, "{header}");
        }
    }

    #[test]
    fn every_claim_has_to_fit() {
        let signer = Signer::new("k");
        let keys = set(&[signer.jwk()]);
        let with = |key: &str, value: Value| {
            let mut claims = claims();
            claims[key] = value;
            check(&keys, &signer.sign(&claims))
        };
        for (key, good) in [
            ("aud", json!(["other", "authenticated"])),
            ("exp", json!(NOW - 29.0)),
            ("nbf", json!(NOW + 29.0)),
            ("sub", json!("x".repeat(128))),
            ("role", json!("authenticated")),
        ] {
            assert!(with(key, good.clone()).is_some(), "{key} {good}");
        }
        for (key, bad) in [
            ("iss", json!("https://p.example/auth/v1/")),
            ("iss", Value::Null),
            ("aud", json!("anon")),
            ("aud", json!([])),
            ("aud", Value::Null),
            ("exp", json!(NOW - 31.0)),
            ("exp", Value::Null),
            ("exp", json!("9999999999")),
            ("nbf", json!(NOW + 31.0)),
            ("sub", json!("")),
            ("sub", json!("a\nb")),
            ("sub", json!("x".repeat(129))),
            ("sub", json!(1)),
            ("sub", Value::Null),
        ] {
            assert_eq!(with(key, bad.clone()), None, "{key} {bad}");
        }
    }

    #[test]
    fn keys_for_something_else_are_left_out() {
        let signer = Signer::new("k");
        let token = signer.sign(&claims());
        let with = |key: &str, value: Value| {
            let mut jwk = signer.jwk();
            jwk[key] = value;
            check(&set(&[json!(1), jwk]), &token)
        };
        for (key, bad) in [
            ("use", json!("enc")),
            ("key_ops", json!(["sign"])),
            ("alg", json!("RS256")),
            ("crv", json!("P-384")),
            ("kty", json!("oct")),
            ("x", json!("AA")),
            ("y", Value::Null),
            ("kid", Value::Null),
        ] {
            assert_eq!(with(key, bad.clone()), None, "{key} {bad}");
        }
        assert!(with("alg", Value::Null).is_some());
        for broken in ["", "[]", "{}", "{\"keys\": 1}", "<html>"] {
            assert!(KeySet::parse(broken.as_bytes()).is_none(), "{broken}");
        }
    }

    /// The example of RFC 7515, appendix A.2.
    #[test]
    fn signatures_of_rsa_keys_are_checked() {
        let keys = set(&[json!({
            "kty": "RSA", "kid": "r", "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        })]);
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let token = Token::parse(token).unwrap();
        assert_eq!(token.ends(), Some(1_300_819_380.0));
        let keys = keys.find("r", token.algorithm);
        let signed = token.signed.as_bytes();
        assert!(keys[0].has_signed(signed, &token.signature));
        assert!(!keys[0].has_signed(&signed[1..], &token.signature));
        // Signed well, but by somebody else for somebody else.
        assert_eq!(token.verify(&keys, "joe", "authenticated", 0.0), None);
    }
}
