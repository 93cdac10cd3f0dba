//! `lib.uuid.GenerateUUID1`, `3`, `4` and `5`.

use std::sync::OnceLock;

use ::uuid::{Builder, Uuid};
use md5::{Digest, Md5};
use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::{BADLY_FORMED, parse};
use crate::bounds;

/// Makes a random identifier.
/// uuid, random, unique, identifier, id, v4
#[derive(Node)]
#[node(namespace = "lib.uuid", tool, uncached)]
pub(super) struct GenerateUUID4 {}

impl Process for GenerateUUID4 {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        Ok(Uuid::new_v4().to_string())
    }
}

/// Makes an identifier from the clock.
/// uuid, time, clock, unique, identifier, v1
///
/// The part for the machine is a random number, not a hardware address.
#[derive(Node)]
#[node(namespace = "lib.uuid", tool, uncached)]
pub(super) struct GenerateUUID1 {}

impl Process for GenerateUUID1 {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        static NODE: OnceLock<[u8; 6]> = OnceLock::new();
        let node = NODE.get_or_init(|| {
            let [mut first, b, c, d, e, f, ..] = *Uuid::new_v4().as_bytes();
            // RFC 4122: a random node id has the multicast bit set.
            first |= 1;
            [first, b, c, d, e, f]
        });
        Ok(Uuid::now_v1(node).to_string())
    }
}

/// Makes the same identifier from the same name each time, by MD5.
/// uuid, name, namespace, md5, deterministic, v3
#[derive(Node)]
#[node(namespace = "lib.uuid", tool)]
pub(super) struct GenerateUUID3 {
    /// dns, url, oid, x500, or an identifier.
    #[prop(default = "dns")]
    namespace: String,
    /// The name.
    name: String,
}

impl Process for GenerateUUID3 {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let space = namespace(&self.namespace)?;
        let name = self.name;
        let size = name.len();
        let id = move || Ok(by_md5(&space, &name).to_string());
        bounds::work(size, id).await
    }
}

/// Makes the same identifier from the same name each time, by SHA-1.
/// uuid, name, namespace, sha1, deterministic, v5
#[derive(Node)]
#[node(namespace = "lib.uuid", tool)]
pub(super) struct GenerateUUID5 {
    /// dns, url, oid, x500, or an identifier.
    #[prop(default = "dns")]
    namespace: String,
    /// The name.
    name: String,
}

impl Process for GenerateUUID5 {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let space = namespace(&self.namespace)?;
        let name = self.name;
        let size = name.len();
        let id = move || Ok(Uuid::new_v5(&space, name.as_bytes()).to_string());
        bounds::work(size, id).await
    }
}

/// Done here, because the crate for identifiers would bring a second version of the digest crates.
fn by_md5(space: &Uuid, name: &str) -> Uuid {
    let digest = Md5::new()
        .chain_update(space.as_bytes())
        .chain_update(name)
        .finalize();
    Builder::from_md5_bytes(digest.into()).into_uuid()
}

fn namespace(text: &str) -> Result<Uuid, NodeError> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "dns" => Uuid::NAMESPACE_DNS,
        "url" => Uuid::NAMESPACE_URL,
        "oid" => Uuid::NAMESPACE_OID,
        "x500" => Uuid::NAMESPACE_X500,
        _ => parse(text).ok_or_else(|| {
            let shown: String = text.chars().take(80).collect();
            NodeError::bad(
                "namespace",
                format!("{BADLY_FORMED} '{shown}' (expected dns, url, oid, x500 or a UUID)"),
            )
        })?,
    })
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Node, Value, testing::case};

    use super::*;

    async fn named<N: Node>(namespace: &str) -> Result<Value, NodeError> {
        let case = case::<N>().set("namespace", namespace);
        case.set("name", "python.org").value().await
    }

    #[tokio::test]
    async fn names_give_the_identifiers_the_standard_gives() {
        let v3 = named::<GenerateUUID3>("dns").await.unwrap();
        assert_eq!(v3, Value::from("6fa459ea-ee8a-3ca4-894e-db77e160355e"));
        let v5 = named::<GenerateUUID5>("DNS").await.unwrap();
        assert_eq!(v5, Value::from("886313e1-3b8a-5372-9b90-0c9aee199e5d"));
        let space = "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}";
        assert_eq!(named::<GenerateUUID5>(space).await.unwrap(), v5);
        let e = named::<GenerateUUID5>("nowhere").await.unwrap_err();
        assert!(e.to_string().contains("`namespace`"), "{e}");
    }

    #[tokio::test]
    async fn generated_identifiers_differ_and_say_their_version() {
        for _ in 0..3 {
            let a = case::<GenerateUUID4>().value().await.unwrap();
            let b = case::<GenerateUUID4>().value().await.unwrap();
            assert_ne!(a, b);
            assert_eq!(parse(a.as_str().unwrap()).unwrap().get_version_num(), 4);
            let c = case::<GenerateUUID1>().value().await.unwrap();
            let d = case::<GenerateUUID1>().value().await.unwrap();
            assert_ne!(c, d);
            assert_eq!(parse(c.as_str().unwrap()).unwrap().get_version_num(), 1);
        }
    }
}
