//! Names of blobs. A [`BlobKey`] cannot be made that names anything outside its bucket.

/// Longest file name a key may become; file systems take 255 bytes.
const MAX_NAME_BYTES: usize = 240;

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Nothing is left of it.
    #[error("Invalid key: key must not be empty")]
    Empty,
    /// It begins at the root.
    #[error("Invalid key: absolute paths are not allowed")]
    Absolute,
    /// It climbs.
    #[error("Invalid key: path traversal is not allowed")]
    Traversal,
    /// It holds control characters.
    #[error("Invalid key: control characters are not allowed")]
    Control,
    /// It is too long.
    #[error("Invalid key: expected at most 240 bytes, each `/` and `%` counting as three")]
    TooLong,
}

/// The name of a blob: parts joined by `/`, none of them empty, `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobKey(String);

impl BlobKey {
    /// Reads a key. `\` is `/`; empty parts and `.` are dropped.
    ///
    /// # Errors
    /// When it is empty, absolute, too long, climbs or holds control characters.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let text = text.replace('\\', "/");
        if text.chars().any(char::is_control) {
            return Err(BadKey::Control);
        }
        let parts: Vec<&str> = text
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        if parts.is_empty() {
            return Err(BadKey::Empty);
        }
        if text.starts_with('/') {
            return Err(BadKey::Absolute);
        }
        if parts.contains(&"..") {
            return Err(BadKey::Traversal);
        }
        let key = BlobKey(parts.join("/"));
        if key.file_name().len() > MAX_NAME_BYTES {
            return Err(BadKey::TooLong);
        }
        Ok(key)
    }

    /// The key below a first part of its own, which keeps the keys of one owner from those of another.
    ///
    /// # Errors
    /// When both together are too long.
    pub fn of_owner(&self, owner: &str) -> Result<Self, BadKey> {
        // The digest of an id is always one plain part.
        let mut part = crate::etag::sha256_hex(owner);
        part.truncate(32);
        let key = BlobKey(format!("{part}/{}", self.0));
        if key.file_name().len() > MAX_NAME_BYTES {
            return Err(BadKey::TooLong);
        }
        Ok(key)
    }

    /// The key as clients write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one file name it becomes: a flat folder has no folders to tidy up and no key that is a folder
    /// of another.
    pub(super) fn file_name(&self) -> String {
        self.0.replace('%', "%25").replace('/', "%2F")
    }

    /// The key a file name came from.
    pub(super) fn of_file_name(name: &str) -> Option<Self> {
        let key = BlobKey(name.replace("%2F", "/").replace("%25", "%"));
        let whole = BlobKey::parse(&key.0).is_ok_and(|parsed| parsed == key);
        (whole && key.file_name() == name).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_61_keys_that_leave_the_bucket_are_refused() {
        for (text, why) in [
            ("", BadKey::Empty),
            (".", BadKey::Empty),
            ("//", BadKey::Empty),
            ("/", BadKey::Empty),
            ("/etc/passwd", BadKey::Absolute),
            ("\\x", BadKey::Absolute),
            ("../x", BadKey::Traversal),
            ("a\\..\\b", BadKey::Traversal),
            ("a/..", BadKey::Traversal),
            ("a\0b", BadKey::Control),
        ] {
            assert_eq!(BlobKey::parse(text), Err(why), "{text}");
        }
        assert_eq!(
            BlobKey::parse(&"x".repeat(241)).unwrap_err(),
            BadKey::TooLong
        );
        assert_eq!(BlobKey::parse("a//./b\\c").unwrap().as_str(), "a/b/c");
    }

    proptest! {
        #[test]
        fn any_key_is_one_file_of_the_bucket(text in "[a./\\\\%F2..é]{0,40}") {
            let Ok(key) = BlobKey::parse(&text) else { return Ok(()) };
            for key in [key.clone(), key.of_owner("../u").unwrap()] {
                let name = key.file_name();
                let parts: Vec<Component<'_>> = Path::new(&name).components().collect();
                prop_assert!(matches!(parts.as_slice(), [Component::Normal(_)]), "{name}");
                prop_assert_eq!(BlobKey::of_file_name(&name), Some(key));
            }
        }
    }
}
