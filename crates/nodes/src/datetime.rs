//! `lib.datetime`: moments as ISO text, epoch milliseconds or records, by the clock of the machine's time zone.

use nodetool_sdk::Registry;

mod add;
mod diff;
mod format;
mod moment;
mod now;
mod start_end;
mod unit;

pub(crate) fn register(r: &mut Registry) {
    r.add::<now::Now>();
    r.add::<format::Format>();
    r.add::<add::Add>();
    r.add::<diff::Diff>();
    r.add::<start_end::StartEnd>();
}
