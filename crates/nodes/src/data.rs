//! `nodetool.data`: tables, read, reshaped, joined, filtered and written.
//!
//! A table is held as columns ([`frame`]); conditions are [`query`]. It must not know where files really lie.

use nodetool_sdk::Registry;

pub(crate) mod csv;
pub(crate) mod frame;
pub(crate) mod query;

mod aggregation;
mod cell;
mod key;
pub(crate) mod table;
pub(crate) mod work;

mod add_column;
mod aggregate;
mod append;
mod drop_duplicates;
mod drop_na;
mod extract_column;
mod fill_na;
mod filter;
mod filter_none;
mod find_row;
mod from_list;
mod import_csv;
mod join;
mod json_to_dataframe;
mod load_csv_assets;
mod load_csv_file;
mod load_csv_url;
mod merge;
mod pivot;
mod rename;
mod row_iterator;
mod save_csv_file;
mod save_dataframe;
mod schema;
mod select_column;
mod slice;
mod sort_by_column;
mod to_list;

pub(crate) fn register(r: &mut Registry) {
    r.add::<add_column::AddColumn>();
    r.add::<aggregate::Aggregate>();
    r.add::<append::Append>();
    r.add::<drop_duplicates::DropDuplicates>();
    r.add::<drop_na::DropNA>();
    r.add::<extract_column::ExtractColumn>();
    r.add::<fill_na::FillNA>();
    r.add::<filter::Filter>();
    r.add::<filter_none::FilterNone>();
    r.add::<find_row::FindRow>();
    r.add::<from_list::FromList>();
    r.add::<import_csv::ImportCSV>();
    r.add::<join::Join>();
    r.add::<json_to_dataframe::JSONToDataframe>();
    r.add::<load_csv_assets::LoadCSVAssets>();
    r.add::<load_csv_file::LoadCSVFile>();
    r.add::<load_csv_url::LoadCSVURL>();
    r.add::<merge::Merge>();
    r.add::<pivot::Pivot>();
    r.add::<rename::Rename>();
    r.add::<row_iterator::ForEachRow>();
    r.add::<row_iterator::RowIterator>();
    r.add::<save_csv_file::SaveCSVDataframeFile>();
    r.add::<save_dataframe::SaveDataframe>();
    r.add::<schema::Schema>();
    r.add::<select_column::SelectColumn>();
    r.add::<slice::Slice>();
    r.add::<sort_by_column::SortByColumn>();
    r.add::<to_list::ToList>();
}
