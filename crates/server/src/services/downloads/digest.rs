//! Digests of contents, taken while they are written. It knows nothing of files.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::names::ContentId;

/// A digest on its way.
pub(super) enum Hash {
    Sha256(Box<Sha256>),
    /// Git takes the length in first.
    Git(Box<Sha1>),
}

impl Hash {
    /// The digest that contents of a size are known by.
    pub(super) fn new(id: &ContentId, size: u64) -> Self {
        match id {
            ContentId::Sha256(_) => Hash::Sha256(Box::default()),
            ContentId::Git(_) => {
                let mut hash = Box::<Sha1>::default();
                hash.update(format!("blob {size}\0"));
                Hash::Git(hash)
            }
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hash::Sha256(hash) => hash.update(bytes),
            Hash::Git(hash) => hash.update(bytes),
        }
    }

    /// The digest as text.
    pub(super) fn finish(self) -> String {
        match self {
            Hash::Sha256(hash) => hex(&hash.finalize()),
            Hash::Git(hash) => hex(&hash.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_git_and_of_the_hub() {
        let git = ContentId::git("ce013625030ba8dba906f756967f9e9ca394464a").unwrap();
        let mut hash = Hash::new(&git, 6);
        hash.update(b"hello");
        hash.update(b"\n");
        assert_eq!(hash.finish(), git.as_str());
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let id = ContentId::sha256(empty).unwrap();
        assert_eq!(Hash::new(&id, 0).finish(), empty);
    }
}
