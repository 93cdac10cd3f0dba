//! `search.google_extra`: what Google finds about journeys, patents, films and words that are being typed.

use nodetool_sdk::Registry;

mod autocomplete;
mod day;
mod events;
mod flights;
mod hotels;
mod patents;
mod videos;

pub(super) fn register(r: &mut Registry) {
    r.add::<autocomplete::GoogleAutocomplete>();
    r.add::<events::GoogleEvents>();
    r.add::<flights::GoogleFlights>();
    r.add::<hotels::GoogleHotels>();
    r.add::<patents::GooglePatents>();
    r.add::<videos::GoogleVideos>();
}
