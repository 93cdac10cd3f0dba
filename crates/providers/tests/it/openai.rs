//! The OpenAI family at the wire.

mod broken;
mod chat;
mod dialects;
mod lists;
mod pictures;
mod responses;
mod sounds;
mod stub;
mod vectors;
