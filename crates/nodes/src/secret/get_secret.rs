//! `lib.secret.GetSecret`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process};

/// Looks up a stored secret by name.
/// secret, credential, key, token, password, setting
#[derive(Node)]
#[node(namespace = "lib.secret", uncached)]
pub(super) struct GetSecret {
    /// Name of the secret.
    name: String,
    /// Given when there is no such secret.
    #[prop(name = "default")]
    fallback: String,
}

/// The secret.
#[derive(Outputs)]
pub(super) struct Secret {
    #[slot(ty = "str?")]
    output: String,
}

impl Process for GetSecret {
    type Output = Secret;

    async fn process(self, cx: &NodeCx) -> Result<Secret, NodeError> {
        let found = if self.name.is_empty() {
            None
        } else {
            cx.services().secrets.get(&self.name).await?
        };
        Ok(Secret {
            output: found.unwrap_or(self.fallback),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::services::{Secrets, Services};
    use nodetool_sdk::testing::{case, context_with};
    use nodetool_sdk::{BoxFuture, Value};

    use super::*;

    struct One;

    impl Secrets for One {
        fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
            Box::pin(async move { Ok((key == "KEY").then(|| "hush".to_owned())) })
        }
    }

    #[tokio::test]
    async fn a_stored_secret_wins_over_the_default() {
        for (name, want) in [("KEY", "hush"), ("OTHER", "d"), ("", "d")] {
            let services = Services {
                secrets: Arc::new(One),
                ..Services::none()
            };
            let case = case::<GetSecret>().set("name", name).set("default", "d");
            let value = case.within(context_with(services, None)).value().await;
            assert_eq!(value.unwrap(), Value::from(want), "{name}");
        }
    }
}
