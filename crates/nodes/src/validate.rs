//! `lib.validate`: what kind of text this is.

use nodetool_sdk::Registry;

mod email;
mod ip;
mod sanitize;
mod string;
mod url;

pub(crate) fn register(r: &mut Registry) {
    r.add::<email::Email>();
    r.add::<url::Url>();
    r.add::<ip::Ip>();
    r.add::<string::StringKind>();
    r.add::<sanitize::Sanitize>();
}
