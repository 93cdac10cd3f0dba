//! `lib.beautifulsoup`: the older names of the `lib.html` nodes, with the handles graphs of that time have.

use nodetool_sdk::{NodeDef, Registry};

use crate::html;

mod extract_links;
mod extract_media;

pub(crate) fn register(r: &mut Registry) {
    for def in html::shared() {
        r.add_def(renamed(def));
    }
    r.add::<extract_links::ExtractLinks>();
    r.add::<extract_media::ExtractImages>();
    r.add::<extract_media::ExtractVideos>();
    r.add::<extract_media::ExtractAudio>();
}

fn renamed(mut def: NodeDef) -> NodeDef {
    let namespace = "lib.beautifulsoup";
    def.metadata.node_type = format!("{namespace}.{}", def.class_name());
    def.metadata.namespace = namespace.into();
    def
}
