//! The step types, one file each, and what several of them share.

mod batch_cosine_similarity;
mod browser;
mod cosine_similarity;
mod counter;
mod credential_headers;
mod cross_encoder;
mod data_transformer;
mod delay_unit;
mod dynamic_delay;
mod embedding;
mod file_writer;
mod for_each;
mod google_sheets_get_row;
mod google_sheets_query;
mod google_sheets_query_provider;
mod google_sheets_update_row;
mod html_to_markdown;
mod http_request;
mod http_response;
mod if_condition;
mod linkedin_connect;
mod linkedin_profile_parser;
mod linkedin_profile_scorer;
mod network_interceptor;
mod page;
mod queue_reader;
mod queue_writer;
mod sheets;
mod static_delay;
mod string_iterator;
#[cfg(test)]
mod testing;
mod web_page_loader;
mod webhook_producer;

use nodetool_sdk::steps::Steps;

use crate::define;

/// Secret with the address of a server that speaks Google's APIs in Google's place.
pub const GOOGLE_API_BASE_URL: &str = sheets::BASE_URL;

/// Names of the secrets that steps read.
pub const SECRETS: [&str; 4] = [
    sheets::SERVICE_ACCOUNT,
    sheets::OAUTH,
    sheets::BASE_URL,
    embedding::MODEL,
];

/// Adds them in the order they are listed in.
#[rustfmt::skip]
pub(crate) fn register(types: &mut Steps) {
    // Producers.
    types.add(define::<counter::Counter>());
    types.add(define::<string_iterator::StringIterator>());
    types.add(define::<queue_reader::QueueReader>());
    types.add(define::<webhook_producer::WebhookProducer>());
    types.add(define::<google_sheets_query_provider::GetRecordByQueryProvider>());
    // What an iteration waits for.
    types.add(define::<data_transformer::DataTransformer>());
    types.add(define::<html_to_markdown::HtmlToMarkdown>());
    types.add(define::<static_delay::StaticDelay>());
    types.add(define::<dynamic_delay::DynamicDelay>());
    types.add(define::<http_request::HttpRequest>());
    types.add(define::<http_response::HttpResponse>());
    types.add(define::<file_writer::FileWriter>());
    types.add(define::<linkedin_profile_parser::LinkedinProfileParser>());
    types.add(define::<linkedin_profile_scorer::LinkedinProfileScorer>());
    // Ways and loops.
    types.add(define::<if_condition::IfCondition>());
    types.add(define::<for_each::ForEach>());
    // Ends of paths.
    types.add(define::<queue_writer::QueueWriter>());
    // What needs something outside.
    types.add(define::<google_sheets_get_row::GetRow>());
    types.add(define::<google_sheets_update_row::UpdateRow>());
    types.add(define::<google_sheets_query::GetRecordByQuery>());
    types.add(define::<web_page_loader::WebPageLoader>());
    types.add(define::<network_interceptor::NetworkInterceptor>());
    types.add(define::<linkedin_connect::SendConnectionRequest>());
    types.add(define::<cosine_similarity::CosineSimilarity>());
    types.add(define::<batch_cosine_similarity::BatchCosineSimilarity>());
    types.add(define::<cross_encoder::CrossEncoder>());

    types.alias("queue-reader", "queue-reader-dummy");
    types.alias("queue-writer", "queue-node-writer");
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::steps::{FieldKind, Pool};

    use super::*;

    fn steps() -> Steps {
        let mut steps = Steps::default();
        register(&mut steps);
        steps
    }

    #[test]
    fn there_are_26_types_and_two_have_another_name() {
        let steps = steps();
        let names: Vec<&str> = steps.iter().map(|def| &*def.identifier).collect();
        assert_eq!(names.len(), 26);
        assert_eq!((names[0], names[25]), ("counter", "cross-encoder"));
        for (alias, name) in [
            ("queue-reader", "queue-reader-dummy"),
            ("queue-writer", "queue-node-writer"),
            ("orchestrator.queue-reader", "queue-reader-dummy"),
        ] {
            assert_eq!(&*steps.get(alias).unwrap().identifier, name);
        }
    }

    #[test]
    fn types_without_a_label_have_no_description_and_all_others_have_one() {
        for def in steps().iter() {
            let (label, description) = (&def.label, &def.description);
            assert_eq!(label.is_some(), description.is_some(), "{}", def.identifier);
        }
    }

    #[test]
    fn only_the_queue_and_response_types_are_bound_to_a_kind_of_workflow() {
        for def in steps().iter() {
            let expected: &[&str] = match &*def.identifier {
                "queue-reader-dummy" | "queue-node-writer" => &["production"],
                "http-response" => &["api"],
                _ => &["production", "api"],
            };
            assert_eq!(def.supports, expected, "{}", def.identifier);
            let sheets = def.identifier.starts_with("google-sheets");
            assert_eq!(def.pool == Pool::Thread, sheets, "{}", def.identifier);
        }
    }

    #[test]
    fn forms_hold_together() {
        for def in steps().iter() {
            let Some(form) = &def.form else { continue };
            let mut seen: Vec<&str> = Vec::new();
            for field in &form.fields {
                let place = format!("{}.{}", def.identifier, field.name);
                assert!(
                    field.parents.iter().all(|parent| seen.contains(parent)),
                    "{place}"
                );
                assert!(!seen.contains(&field.name), "{place}");
                assert!(
                    field.help.is_some_and(|help| help.ends_with('.')),
                    "{place}"
                );
                if let (FieldKind::Choice(choices), Some(initial)) = (&field.kind, &field.initial) {
                    let offered = choices
                        .iter()
                        .any(|(value, _)| Some(*value) == initial.as_str());
                    assert!(offered, "{place}");
                }
                seen.push(field.name);
            }
        }
    }
}
