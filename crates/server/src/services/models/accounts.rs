//! Which providers there are on this server, and what a user has at each: a key and an address.

use std::borrow::Cow;
use std::time::Duration;

use nodetool_providers::{Account, Definition, FAKE, Provider, all, find};
use nodetool_sdk::models::{ModelError, ModelErrorKind};

use super::{Keys, ModelService, ModelSettings};
use crate::sensitive::Sensitive;

/// How long a server on this machine may take to take a connection.
const KNOCK: Duration = Duration::from_millis(200);

/// A provider of this server.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: Cow<'static, str>,
    /// Nothing for a server of the operator's own.
    definition: Option<&'static Definition>,
}

impl Known {
    /// The secret that holds the key.
    fn key(&self) -> Option<Cow<'static, str>> {
        match self.definition {
            Some(definition) => definition.key.map(Cow::Borrowed),
            None => Some(Cow::Owned(own_key(&self.id))),
        }
    }

    fn needs_key(&self) -> bool {
        self.definition
            .is_some_and(|definition| definition.needs_key)
    }

    /// What it can do for an account.
    pub(super) fn open(&self, account: &Account) -> Provider {
        match self.definition {
            Some(definition) => (definition.make)(account),
            None => nodetool_providers::compatible(account),
        }
    }

    /// Why a user has no account there.
    pub(super) fn missing(&self) -> ModelError {
        let key = self.key().filter(|_| self.needs_key());
        let (kind, message) = match (key, self.definition.and_then(|d| d.address_setting)) {
            (Some(key), _) => {
                let message = format!("{key} is not configured");
                let key = key.into_owned();
                (ModelErrorKind::MissingKey { key }, message)
            }
            (None, Some(setting)) => {
                let message = format!(
                    "{setting} is not configured, and nothing was found at its usual place"
                );
                let key = setting.to_owned();
                (ModelErrorKind::MissingKey { key }, message)
            }
            (None, None) => {
                let message = format!("the provider `{}` is not set up", self.id);
                (ModelErrorKind::UnknownProvider, message)
            }
        };
        ModelError::new(kind, self.id.clone(), message)
    }
}

/// The secret with the key of a provider of the operator's own.
fn own_key(id: &str) -> String {
    let id = id.to_ascii_uppercase();
    let id = id.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{id}_API_KEY")
}

impl ModelSettings {
    /// The secrets with the keys of the operator's own providers.
    pub(crate) fn own_keys(&self) -> impl Iterator<Item = String> {
        let own = self.addresses.keys().filter(|id| find(id).is_none());
        own.map(|id| own_key(id))
    }
}

impl ModelService {
    /// Every provider of this server, in the order lists show them.
    pub(super) fn known(&self) -> impl Iterator<Item = Known> {
        let settings = &self.0.settings;
        let built_in = all().iter().filter(|d| settings.fake || d.id != FAKE);
        let built_in = built_in.map(|definition| Known {
            id: Cow::Borrowed(definition.id),
            definition: Some(definition),
        });
        let own = settings.addresses.keys().filter(|id| find(id).is_none());
        built_in.chain(own.map(|id| Known {
            id: Cow::Owned(id.clone()),
            definition: None,
        }))
    }

    pub(super) fn find(&self, id: &str) -> Option<Known> {
        self.known().find(|known| known.id == id)
    }

    /// Whether there is such a provider on this server.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.find(id).is_some()
    }

    /// What a user has at a provider; `None` without the key it needs, or when nobody says where it is.
    pub(super) async fn account(
        &self,
        user_id: &str,
        known: &Known,
    ) -> Result<Option<Account>, ModelError> {
        let key = match known.key() {
            Some(name) => self.key(user_id, &known.id, &name).await?,
            None => None,
        };
        if key.is_none() && known.needs_key() {
            return Ok(None);
        }
        let Some(address) = self.address(known).await? else {
            return Ok(None);
        };
        let mut account = self.account_at(&known.id, address, key.as_ref());
        if let Some(definition) = known.definition
            && let Some(setting) = definition.context_setting
        {
            let length = self.chosen(definition, setting).await?;
            account.context_length = length.and_then(|length| length.parse().ok());
        }
        Ok(Some(account))
    }

    async fn key(
        &self,
        user_id: &str,
        provider: &str,
        name: &str,
    ) -> Result<Option<Sensitive>, ModelError> {
        match &self.0.keys {
            Keys::Given(given) => Ok(given.get(name).cloned()),
            Keys::Stored(secrets) => secrets.get_for_nodes(user_id, name).await.map_err(|e| {
                tracing::error!(secret.key = %name, error = %e, "a key of a provider cannot be read");
                let message = format!("the secret {name} cannot be read");
                ModelError::new(ModelErrorKind::Internal, provider, message)
            }),
        }
    }

    async fn address(&self, known: &Known) -> Result<Option<String>, ModelError> {
        if let Some(address) = self.0.settings.addresses.get(&*known.id) {
            return Ok(Some(address.clone()));
        }
        let Some(definition) = known.definition else {
            return Ok(None);
        };
        if let Some((switch, address)) = definition.other_address
            && self.chosen(definition, switch).await?.as_deref() == Some("true")
        {
            return Ok(Some(address.to_owned()));
        }
        let Some(setting) = definition.address_setting else {
            return Ok(Some(definition.address.to_owned()));
        };
        if let Some(place) = self.chosen(definition, setting).await? {
            return Ok(Some(definition.address_at(&place)));
        }
        if !self.0.settings.discover || definition.address.is_empty() {
            return Ok(None);
        }
        let found = is_there(definition.address, self.0.settings.own_port).await;
        Ok(found.then(|| definition.address.to_owned()))
    }
}

impl ModelService {
    /// What people have chosen in the editor.
    async fn chosen(
        &self,
        definition: &Definition,
        setting: &str,
    ) -> Result<Option<String>, ModelError> {
        let Some(settings) = &self.0.chosen else {
            return Ok(None);
        };
        let chosen = settings.value(setting).await.map_err(|e| {
            tracing::error!(setting.key = %setting, error = %e, "a setting cannot be read");
            let message = format!("the setting {setting} cannot be read");
            ModelError::new(ModelErrorKind::Internal, definition.id, message)
        })?;
        Ok(chosen.filter(|value| !value.is_empty()))
    }
}

/// Whether somebody takes connections at an address of this machine.
async fn is_there(address: &str, own_port: u16) -> bool {
    let Ok(url) = url::Url::parse(address) else {
        return false;
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return false;
    };
    if port == own_port {
        return false;
    }
    let knock = tokio::net::TcpStream::connect((host, port));
    matches!(tokio::time::timeout(KNOCK, knock).await, Ok(Ok(_)))
}
