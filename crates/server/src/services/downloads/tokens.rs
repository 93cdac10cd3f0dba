//! Whose token the hub is asked with: the user's own where there is one, else the server's.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::AsyncReadExt;

use crate::sensitive::Sensitive;

/// Longest token in a file.
const LONGEST: u64 = 4096;

/// Finds the token a user has stored.
pub(crate) type UserToken =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Option<Sensitive>> + Send>> + Send + Sync>;

/// Where tokens come from, in this order.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    pub(crate) of_user: Option<UserToken>,
    pub(crate) of_server: Option<Sensitive>,
    /// Read each time: the hub's own tools write it.
    pub(crate) file: Option<PathBuf>,
}

impl Tokens {
    pub(super) async fn of(&self, user_id: &str) -> Option<Sensitive> {
        if let Some(find) = &self.of_user
            && let Some(token) = find(user_id.to_owned()).await
        {
            return Some(token);
        }
        if let Some(token) = &self.of_server
            && !token.expose().is_empty()
        {
            return Some(token.clone());
        }
        let file = tokio::fs::File::open(self.file.as_ref()?).await.ok()?;
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).await.ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| Sensitive::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_users_own_token_comes_before_the_servers_and_that_before_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "from-file\n").unwrap();
        let mut tokens = Tokens {
            file: Some(file),
            ..Tokens::default()
        };
        assert!(tokens.of("1").await.unwrap().is("from-file"));
        tokens.of_server = Some(Sensitive::new("from-env"));
        assert!(tokens.of("1").await.unwrap().is("from-env"));
        tokens.of_user = Some(Arc::new(|user| {
            Box::pin(async move { (user == "2").then(|| Sensitive::new("own")) })
        }));
        assert!(tokens.of("1").await.unwrap().is("from-env"));
        assert!(tokens.of("2").await.unwrap().is("own"));
    }
}
