//! `search.google`: what Google finds.

use nodetool_sdk::Registry;

mod finance;
mod images;
mod jobs;
mod lens;
mod maps;
mod news;
mod shopping;
mod web;

pub(super) fn register(r: &mut Registry) {
    r.add::<web::GoogleSearch>();
    r.add::<news::GoogleNews>();
    r.add::<images::GoogleImages>();
    r.add::<finance::GoogleFinance>();
    r.add::<jobs::GoogleJobs>();
    r.add::<lens::GoogleLens>();
    r.add::<maps::GoogleMaps>();
    r.add::<shopping::GoogleShopping>();
}
