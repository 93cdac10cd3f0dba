//! `lib.uuid.ParseUUID` and `lib.uuid.IsValidUUID`.

use ::uuid::{Uuid, Variant};
use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::{BADLY_FORMED, parse};

/// Takes an identifier apart.
/// uuid, parse, version, variant, identifier, check
///
/// Text that is no identifier gives `is_valid` false and says why.
#[derive(Node)]
#[node(namespace = "lib.uuid", tool)]
pub(super) struct ParseUUID {
    /// The identifier.
    uuid_string: String,
}

/// The parts.
#[derive(Outputs)]
pub(super) struct Parts {
    #[slot(ty = "dict")]
    output: Map,
}

impl Process for ParseUUID {
    type Output = Parts;

    async fn process(self, _: &NodeCx) -> Result<Parts, NodeError> {
        let pairs = match parse(&self.uuid_string) {
            Some(id) => parts(&id),
            None => vec![("is_valid", false.into()), ("error", BADLY_FORMED.into())],
        };
        Ok(Parts {
            output: pairs.into_iter().map(|(k, v)| (k.into(), v)).collect(),
        })
    }
}

fn parts(id: &Uuid) -> Vec<(&'static str, Value)> {
    let (variant, versioned) = match id.get_variant() {
        Variant::NCS => ("reserved for NCS compatibility", false),
        Variant::RFC4122 => ("specified in RFC 4122", true),
        Variant::Microsoft => ("reserved for Microsoft compatibility", false),
        _ => ("reserved for future definition", false),
    };
    let version = versioned.then(|| id.get_version_num() as i64);
    vec![
        ("uuid", id.to_string().into()),
        ("version", version.into()),
        ("variant", variant.into()),
        ("hex", id.simple().to_string().into()),
        // Text, because no number on the wire holds 128 bits.
        ("int", id.as_u128().to_string().into()),
        ("urn", id.urn().to_string().into()),
        ("is_valid", true.into()),
    ]
}

/// Tells whether text is an identifier.
/// uuid, valid, check, test, identifier
#[derive(Node)]
#[node(namespace = "lib.uuid", tool)]
pub(super) struct IsValidUUID {
    /// The text.
    uuid_string: String,
}

impl Process for IsValidUUID {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(parse(&self.uuid_string).is_some())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn text_that_is_no_identifier_is_an_answer_not_an_error() {
        let parts = case::<ParseUUID>().set("uuid_string", "x").value().await;
        let parts = parts.unwrap();
        assert_eq!(parts.get("is_valid"), Some(&false.into()));
        assert!(
            parts
                .get("error")
                .unwrap()
                .as_str()
                .unwrap()
                .contains("badly formed")
        );
    }

    #[tokio::test]
    async fn every_spelling_is_the_same_identifier() {
        for text in [
            "6fa459ea-ee8a-3ca4-894e-db77e160355e",
            "{6FA459EAEE8A3CA4894EDB77E160355E}",
            "urn:uuid:6fa459ea-ee8a-3ca4-894e-db77e160355e",
        ] {
            let parts = case::<ParseUUID>().set("uuid_string", text).value().await;
            let parts = parts.unwrap();
            assert_eq!(parts.get("version"), Some(&3i64.into()), "{text}");
            assert_eq!(
                parts.get("int").and_then(Value::as_str),
                Some("148397667964594677437660345472754136414")
            );
        }
        for text in ["", "6fa459ea", "+fa459ea-ee8a-3ca4-894e-db77e160355e", "ä"] {
            let valid = case::<IsValidUUID>().set("uuid_string", text).value().await;
            assert_eq!(valid.unwrap(), Value::from(false), "{text}");
        }
    }
}
