//! Which providers there are, what each needs, and who speaks for it.

use std::sync::LazyLock;

use crate::{Account, Provider, anthropic, demo, fake, fal, gemini, ollama, openai, replicate};

/// A provider as the server knows it before anybody has an account.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its id on the wire.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// The secret that holds its key, when it has one.
    pub key: Option<&'static str>,
    /// Whether nothing works without that key.
    pub needs_key: bool,
    /// Where it is, without a slash at its end; empty when only a setting can say.
    pub address: &'static str,
    /// The setting that says where it is, for providers that run where their user wants.
    pub address_setting: Option<&'static str>,
    /// What follows that setting's value to make the address, such as `/v1`.
    pub path: &'static str,
    /// A setting that is on or off, and the address instead while it is on.
    pub other_address: Option<(&'static str, &'static str)>,
    /// The setting that says how many tokens of context a server of one's own gives a model.
    pub context_setting: Option<&'static str>,
    /// Makes its client.
    pub make: fn(&Account) -> Provider,
}

impl Definition {
    /// The address when its setting says where the provider is; settings come with and without the path.
    pub fn address_at(&self, place: &str) -> String {
        let place = place.trim().trim_end_matches('/');
        match place.ends_with(self.path) {
            true => place.to_owned(),
            false => format!("{place}{}", self.path),
        }
    }
}

/// Every provider, in the order their lists are shown.
pub fn all() -> &'static [Definition] {
    static ALL: LazyLock<Vec<Definition>> = LazyLock::new(|| {
        let own_wires = [
            anthropic::DEFINITION,
            gemini::DEFINITION,
            ollama::DEFINITION,
            replicate::DEFINITION,
            fal::DEFINITION,
            fal::ROUTED_DEFINITION,
        ];
        let tests = [demo::DEFINITION, fake::DEFINITION];
        [openai::ROWS, &own_wires, &tests].concat()
    });
    &ALL
}

/// The provider of an id.
pub fn find(id: &str) -> Option<&'static Definition> {
    all().iter().find(|definition| definition.id == id)
}
