//! Headers without what proves who sent them: such values do not belong into the data of a workflow.

use nodetool_sdk::Map;

/// Names whose values are credentials.
const NAMES: [&str; 5] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
];
/// Parts of names whose values are credentials.
const PARTS: [&str; 5] = ["token", "secret", "password", "api-key", "apikey"];

/// The headers that are no credentials.
pub(super) fn without_credentials(headers: &Map) -> Map {
    let harmless = |name: &str| {
        let name = name.to_ascii_lowercase();
        !NAMES.contains(&name.as_str()) && !PARTS.iter().any(|part| name.contains(part))
    };
    headers
        .iter()
        .filter(|(name, _)| harmless(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::map;
    use super::*;
    use serde_json::json;

    #[test]
    fn only_headers_that_prove_nothing_are_left() {
        let headers = map(json!({
            "Authorization": "Bearer a", "cookie": "b", "X-API-Key": "c", "x-auth-token": "d",
            "content-type": "text/plain", "x-request-id": "7",
        }));
        let left: Vec<_> = without_credentials(&headers).into_keys().collect();
        assert_eq!(
            left,
            ["content-type".into(), "x-request-id".into()] as [std::sync::Arc<str>; 2]
        );
    }
}
