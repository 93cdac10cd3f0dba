//! `nodetool.generators`: language models that make lists, tables, objects, charts and drawings.

use nodetool_sdk::Registry;

mod chart_columns;
mod chart_generator;
mod data_generator;
mod list_generator;
mod list_items;
mod structured_output_generator;
mod svg_generator;
mod table_rows;

pub(crate) fn register(r: &mut Registry) {
    r.add::<list_generator::ListGenerator>();
    r.add::<data_generator::DataGenerator>();
    r.add::<structured_output_generator::StructuredOutputGenerator>();
    r.add::<chart_generator::ChartGenerator>();
    r.add::<svg_generator::SVGGenerator>();
}

/// A prompt with the material it is about.
fn prompted(prompt: &str, material: &str) -> String {
    match (prompt.trim(), material.trim()) {
        ("", material) => material.to_owned(),
        (prompt, "") => prompt.to_owned(),
        (prompt, material) => format!("{prompt}\n\n<input>\n{material}\n</input>"),
    }
}
