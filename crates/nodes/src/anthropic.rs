//! `anthropic`: what is made for Claude.

use nodetool_sdk::Registry;

mod claude_agent;

pub(crate) fn register(r: &mut Registry) {
    r.add::<claude_agent::ClaudeAgent>();
}
