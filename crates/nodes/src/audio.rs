//! `nodetool.audio`: speech made by models.

use nodetool_sdk::Registry;

mod text_to_speech;
mod wav;

pub(crate) fn register(r: &mut Registry) {
    r.add::<text_to_speech::TextToSpeech>();
}
