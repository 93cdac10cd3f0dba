//! `nodetool.text`: joining, cutting, testing, searching and rendering of text.
//!
//! Characters are Unicode code points, and values become text as Python prints them.

use nodetool_sdk::{NodeError, Registry};

use crate::bounds::{self, MAX_TEXT};

pub use count_tokens::count_tokens;

mod affix;
mod automatic_speech_recognition;
mod chars;
mod chunk;
mod collect;
mod comparison;
mod concat;
mod contains;
mod count_tokens;
mod extract_json;
mod extract_regex;
mod filter_regex_string;
mod filter_string;
mod format_text;
mod has_length;
mod html_to_text;
mod index_of;
mod join;
mod length;
mod letter_case;
mod load_text_assets;
mod load_text_folder;
mod markdown_writer;
mod pad_text;
mod parse_json;
mod placeholders;
mod prompt;
mod regex_match;
mod regex_replace;
mod regex_split;
mod remove_punctuation;
mod replace;
mod save_text;
mod save_text_file;
#[cfg(test)]
pub(crate) mod shelf;
mod slices;
mod slugify;
mod split;
mod strip_accents;
mod surround_with;
mod template;
mod to_string;
mod truncate_text;
mod whitespace;

pub(crate) fn register(r: &mut Registry) {
    r.add::<concat::Concat>();
    r.add::<join::Join>();
    r.add::<collect::Collect>();
    r.add::<format_text::FormatText>();
    r.add::<template::Template>();
    r.add::<prompt::Prompt>();
    r.add::<to_string::ToString>();
    r.add::<replace::Replace>();
    r.add::<split::Split>();
    r.add::<chunk::Chunk>();
    r.add::<slices::Extract>();
    r.add::<slices::Slice>();
    r.add::<comparison::Compare>();
    r.add::<comparison::Equals>();
    r.add::<contains::Contains>();
    r.add::<affix::StartsWith>();
    r.add::<affix::EndsWith>();
    r.add::<surround_with::SurroundWith>();
    r.add::<has_length::HasLength>();
    r.add::<length::Length>();
    r.add::<index_of::IndexOf>();
    r.add::<letter_case::ToUppercase>();
    r.add::<letter_case::ToLowercase>();
    r.add::<letter_case::ToTitlecase>();
    r.add::<letter_case::CapitalizeText>();
    r.add::<whitespace::TrimWhitespace>();
    r.add::<whitespace::CollapseWhitespace>();
    r.add::<whitespace::IsEmpty>();
    r.add::<truncate_text::TruncateText>();
    r.add::<pad_text::PadText>();
    r.add::<remove_punctuation::RemovePunctuation>();
    r.add::<strip_accents::StripAccents>();
    r.add::<slugify::Slugify>();
    r.add::<extract_regex::ExtractRegex>();
    r.add::<extract_regex::FindAllRegex>();
    r.add::<regex_match::RegexMatch>();
    r.add::<regex_match::RegexValidate>();
    r.add::<regex_replace::RegexReplace>();
    r.add::<regex_split::RegexSplit>();
    r.add::<parse_json::ParseJSON>();
    r.add::<extract_json::ExtractJSON>();
    r.add::<html_to_text::HtmlToText>();
    r.add::<count_tokens::CountTokens>();
    r.add::<filter_string::FilterString>();
    r.add::<filter_regex_string::FilterRegexString>();
    r.add::<save_text::SaveText>();
    r.add::<save_text_file::SaveTextFile>();
    r.add::<load_text_folder::LoadTextFolder>();
    r.add::<load_text_assets::LoadTextAssets>();
    r.add::<automatic_speech_recognition::AutomaticSpeechRecognition>();
}

/// Works on a text: at once when it is short, else on a thread for blocking work.
async fn on<T: Send + 'static>(
    text: String,
    f: impl FnOnce(&str) -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    bounds::work(text.len(), move || f(&text)).await
}

/// Refuses a result that would become too long; the property is what makes it so.
fn fits(property: &str, bytes: usize) -> Result<(), NodeError> {
    if bytes > MAX_TEXT {
        return Err(NodeError::bad(
            property,
            format!("the result would have {bytes} bytes (expected at most {MAX_TEXT})"),
        ));
    }
    Ok(())
}
