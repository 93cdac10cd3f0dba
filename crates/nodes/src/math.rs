//! `lib.math`: arithmetic on numbers that stay integers where Python keeps them so.

use nodetool_sdk::Registry;

mod add;

pub(crate) fn register(r: &mut Registry) {
    r.add::<add::Add>();
}
