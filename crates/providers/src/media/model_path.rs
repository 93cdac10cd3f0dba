//! Ids of models that become part of an address. It must not know any provider.

use nodetool_sdk::models::{ModelError, ModelErrorKind};

use crate::Account;

/// Most bytes of an id.
const LONGEST: usize = 200;

/// The id, when it is made of as many plain segments as the provider's ids: letters, digits, `.`, `_` and `-`.
pub(crate) fn check<'a>(
    account: &Account,
    id: &'a str,
    segments: std::ops::RangeInclusive<usize>,
    expected: &str,
) -> Result<&'a str, ModelError> {
    let plain = |segment: &str| {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !segment.is_empty() && !segment.starts_with('.') && segment.chars().all(letters)
    };
    let fits = id.len() <= LONGEST
        && segments.contains(&id.split('/').count())
        && id.split('/').all(plain);
    if fits {
        return Ok(id);
    }
    let shown: String = id.chars().take(80).collect();
    let message = format!(
        "`{shown}` is no model of {}: its models are called {expected}",
        account.provider
    );
    let mut error = account.error(ModelErrorKind::UnknownModel, message);
    error.param = Some("model".to_owned());
    Err(error)
}
