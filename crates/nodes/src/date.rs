//! `lib.date`: calendar arithmetic on date and datetime records.
//!
//! Each record carries its own offset, so nothing here but `Today` looks at the zone of the machine.

use nodetool_sdk::Registry;

mod add_time_delta;
mod boundary_time;
mod clock;
mod conversion;
mod date_difference;
mod date_range;
mod format;
mod format_date_time;
mod get_quarter;
mod get_weekday;
mod is_date_in_range;
mod parsing;
pub(crate) mod record;
mod relative_time;

pub(crate) fn register(r: &mut Registry) {
    r.add::<clock::Today>();
    r.add::<clock::Now>();
    r.add::<parsing::ParseDate>();
    r.add::<parsing::ParseDateTime>();
    r.add::<add_time_delta::AddTimeDelta>();
    r.add::<date_difference::DateDifference>();
    r.add::<format_date_time::FormatDateTime>();
    r.add::<get_weekday::GetWeekday>();
    r.add::<date_range::DateRange>();
    r.add::<is_date_in_range::IsDateInRange>();
    r.add::<get_quarter::GetQuarter>();
    r.add::<conversion::DateToDatetime>();
    r.add::<conversion::DatetimeToDate>();
    r.add::<relative_time::RelativeTime>();
    r.add::<boundary_time::BoundaryTime>();
}
