//! `lib.json`: reading, writing, checking and taking apart JSON.

use nodetool_sdk::Registry;

pub(crate) mod document;
mod filter_json;
mod get_json_path;
mod json_template;
mod load_json_assets;
mod parse;
pub(crate) mod path;
mod schema;
mod stringify_json;
mod validate_json;

pub(crate) fn register(r: &mut Registry) {
    r.add::<stringify_json::StringifyJSON>();
    r.add::<parse::ParseDict>();
    r.add::<parse::ParseList>();
    r.add::<get_json_path::GetJSONPathStr>();
    r.add::<get_json_path::GetJSONPathInt>();
    r.add::<get_json_path::GetJSONPathFloat>();
    r.add::<get_json_path::GetJSONPathBool>();
    r.add::<get_json_path::GetJSONPathList>();
    r.add::<get_json_path::GetJSONPathDict>();
    r.add::<validate_json::ValidateJSON>();
    r.add::<filter_json::FilterJSON>();
    r.add::<json_template::JSONTemplate>();
    r.add::<load_json_assets::LoadJSONAssets>();
}
