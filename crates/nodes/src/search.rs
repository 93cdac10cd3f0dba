//! `search`: what search engines find, asked through SerpAPI with the user's own key.

use nodetool_sdk::Registry;

mod duckduckgo;
mod found;
mod google;
mod google_extra;
mod serp_api;
#[cfg(test)]
mod testing;

pub(crate) fn register(r: &mut Registry) {
    google::register(r);
    google_extra::register(r);
    r.add::<duckduckgo::DuckDuckGoSearch>();
}
