//! `lib.uuid.FormatUUID`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, ValueType};

use super::{BADLY_FORMED, parse};

/// Which spelling.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.lib.uuid.UUIDFormat")]
pub(super) enum Spelling {
    Standard,
    Hex,
    Urn,
    Int,
    BytesHex,
}

/// Writes an identifier in another spelling.
/// uuid, format, convert, hex, urn, integer
#[derive(Node)]
#[node(namespace = "lib.uuid", tool)]
pub(super) struct FormatUUID {
    /// The identifier.
    uuid_string: String,
    /// Which spelling.
    format: Spelling,
}

impl Process for FormatUUID {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let id = parse(&self.uuid_string).ok_or_else(|| {
            let shown: String = self.uuid_string.chars().take(80).collect();
            NodeError::bad(
                "uuid_string",
                format!("{BADLY_FORMED} '{shown}' (expected 32 hexadecimal digits)"),
            )
        })?;
        Ok(match self.format {
            Spelling::Standard => id.to_string(),
            Spelling::Hex | Spelling::BytesHex => id.simple().to_string(),
            Spelling::Urn => id.urn().to_string(),
            Spelling::Int => id.as_u128().to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn each_spelling_reads_back() {
        let id = "6fa459ea-ee8a-3ca4-894e-db77e160355e";
        for (format, want) in [
            ("standard", id),
            ("hex", "6fa459eaee8a3ca4894edb77e160355e"),
            ("bytes_hex", "6fa459eaee8a3ca4894edb77e160355e"),
            ("urn", "urn:uuid:6fa459ea-ee8a-3ca4-894e-db77e160355e"),
            ("int", "148397667964594677437660345472754136414"),
        ] {
            let case = case::<FormatUUID>().set("uuid_string", id);
            let text = case.set("format", format).value().await.unwrap();
            assert_eq!(text, Value::from(want));
        }
        assert!(case::<FormatUUID>().value().await.is_err());
    }
}
