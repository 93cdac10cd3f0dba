//! `nodetool.input.DocumentFileInput`.

use nodetool_sdk::{DocumentRef, Node, NodeCx, NodeError, Outputs, Process, Value, ValueType};

/// Takes the path of a document from the run, and gives the document too.
/// input, parameter, document, file, path, local
///
/// The file is neither looked for nor opened here.
#[derive(Node)]
#[node(namespace = "nodetool.input", role = Input, basic("name", "value"))]
pub(super) struct DocumentFileInput {
    /// Name of the run's parameter.
    #[expect(dead_code, reason = "read by the engine")]
    name: String,
    /// Used when the run gives nothing.
    #[prop(extra = r#"{"type": "file_path"}"#)]
    value: String,
    /// What the parameter is for.
    #[expect(dead_code, reason = "read by people")]
    description: String,
}

/// The document and where it lies.
#[derive(Outputs)]
pub(super) struct Located {
    document: DocumentRef,
    path: String,
}

impl Process for DocumentFileInput {
    type Output = Located;

    async fn process(self, _: &NodeCx) -> Result<Located, NodeError> {
        let mut document = DocumentRef::default().into_value();
        if !self.value.is_empty()
            && let Value::Map(map) = &mut document
        {
            std::sync::Arc::make_mut(map).insert("uri".into(), file_uri(&self.value).into());
        }
        Ok(Located {
            document: DocumentRef(document),
            path: self.value,
        })
    }
}

/// A path as a `file://` URI; what is a URI already stays as it is.
fn file_uri(path: &str) -> String {
    if path.contains("://") || path.starts_with("data:") {
        return path.to_owned();
    }
    let mut uri = String::with_capacity(path.len() + 7);
    uri.push_str("file://");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~:@!$&'()*+,;=".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn the_document_refers_to_the_path() {
        for (value, uri) in [
            ("/data/a b#1.pdf", "file:///data/a%20b%231.pdf"),
            ("https://x.org/a.pdf", "https://x.org/a.pdf"),
            ("", ""),
        ] {
            let given = case::<DocumentFileInput>().set("value", value).run().await;
            let given = &given.unwrap()[0];
            assert_eq!(given["document"].get("uri").unwrap().as_str(), Some(uri));
            assert_eq!(given["path"].as_str(), Some(value));
        }
    }
}
