//! `lib.uuid`: universally unique identifiers.

use ::uuid::Uuid;
use nodetool_sdk::Registry;

mod format_uuid;
mod generate;
mod parse_uuid;

/// Reads an identifier as leniently as Python: with or without hyphens, braces, `urn:uuid:`.
fn parse(text: &str) -> Option<Uuid> {
    if text.len() > 256 {
        return None;
    }
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let digits = bare.trim_matches(['{', '}']).replace('-', "");
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(Uuid::from_u128)
}

/// What is wrong with text that is no identifier.
const BADLY_FORMED: &str = "badly formed hexadecimal UUID string";

pub(crate) fn register(r: &mut Registry) {
    r.add::<generate::GenerateUUID4>();
    r.add::<generate::GenerateUUID1>();
    r.add::<generate::GenerateUUID3>();
    r.add::<generate::GenerateUUID5>();
    r.add::<parse_uuid::ParseUUID>();
    r.add::<format_uuid::FormatUUID>();
    r.add::<parse_uuid::IsValidUUID>();
}
