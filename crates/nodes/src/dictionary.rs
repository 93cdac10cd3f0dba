//! `nodetool.dictionary`: making, changing, reading, writing and filtering dictionaries.

use nodetool_sdk::{Outputs, Registry, Value};

mod arg_max;
mod filter;
mod filter_dict_by_number;
mod filter_dict_by_query;
mod filter_dict_by_range;
mod filter_dict_by_value;
mod filter_dict_regex;
mod get_value;
mod key;
mod load_csv_file;
mod make_dictionary;
mod merge;
mod parse_json;
mod reduce_dictionaries;
mod remove;
mod save_csv_file;
mod save_json;
mod stored_file;
mod to_json;
mod to_yaml;
mod yaml_text;
mod zip;

/// A dictionary that passed a filter, as it came.
#[derive(Outputs)]
struct Kept {
    #[slot(ty = "dict")]
    output: Value,
}

impl Kept {
    fn new(output: Value) -> Self {
        Kept { output }
    }
}

pub(crate) fn register(r: &mut Registry) {
    r.add::<get_value::GetValue>();
    r.add::<make_dictionary::MakeDictionary>();
    r.add::<to_json::ToJSON>();
    r.add::<save_json::SaveJSON>();
    r.add::<parse_json::ParseJSON>();
    r.add::<merge::Combine>();
    r.add::<merge::Update>();
    r.add::<remove::Remove>();
    r.add::<filter::Filter>();
    r.add::<zip::Zip>();
    r.add::<reduce_dictionaries::ReduceDictionaries>();
    r.add::<arg_max::ArgMax>();
    r.add::<load_csv_file::LoadCSVFile>();
    r.add::<save_csv_file::SaveCSVFile>();
    r.add::<to_yaml::ToYAML>();
    r.add::<filter_dict_by_value::FilterDictByValue>();
    r.add::<filter_dict_by_range::FilterDictByRange>();
    r.add::<filter_dict_by_number::FilterDictByNumber>();
    r.add::<filter_dict_regex::FilterDictRegex>();
    r.add::<filter_dict_by_query::FilterDictByQuery>();
}
