//! `nodetool.agents`: language models that answer, summarize, sort, extract, research and control other nodes.

use nodetool_sdk::Registry;

mod agent;
mod classifier;
mod control_agent;
pub(crate) mod control_tools;
mod create_thread;
mod extractor;
mod history;
mod likeness;
mod research_agent;
mod summarizer;
mod tool_files;

pub(crate) fn register(r: &mut Registry) {
    r.add::<agent::Agent>();
    r.add::<summarizer::Summarizer>();
    r.add::<research_agent::ResearchAgent>();
    r.add::<classifier::Classifier>();
    r.add::<extractor::Extractor>();
    control_agent::register(r);
    r.add::<create_thread::CreateThread>();
}
