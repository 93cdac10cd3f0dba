//! `lib.validate.Email`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

/// Tells whether text is an email address.
/// validate, email, address, check
///
/// Blanks around it do not count.
#[derive(Node)]
#[node(namespace = "lib.validate")]
pub(super) struct Email {
    /// The text.
    value: String,
}

impl Process for Email {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(is_email(self.value.trim()))
    }
}

/// Whether this is `local@domain.tld`, without blanks around.
pub(super) fn is_email(text: &str) -> bool {
    let local_char = |b: u8| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b);
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let Some((_, last)) = domain.rsplit_once('.') else {
        return false;
    };
    !local.is_empty()
        && local.bytes().all(local_char)
        && domain.split('.').all(is_label)
        && last.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// One part of a domain name.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_a_local_part_and_a_dotted_domain() {
        for (text, want) in [
            ("u+tag@sub.example.co.uk", true),
            ("a@b.c", true),
            ("a@b", false),
            ("a@b.1c", false),
            ("a@@b.co", false),
            ("a b@c.de", false),
            ("ä@c.de", false),
            ("a@c..de", false),
            ("a@-c.de", false),
            ("@b.co", false),
            ("", false),
        ] {
            assert_eq!(is_email(text), want, "{text}");
        }
    }
}
