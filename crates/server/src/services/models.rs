//! Models of all providers, for each user with their own keys: which there are, and calls of them.
//!
//! It must not know any provider's wire; that is the business of `nodetool_providers`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nodetool_providers::{Account, Key, ListedModel, ModelKind, Patience, Provider};
use nodetool_sdk::models::{ModelError, ModelErrorKind, Models};

use super::{Caller, SecretsService, SettingsService};
use crate::outbound::{OutboundError, tls};
use crate::sensitive::Sensitive;

mod accounts;
mod calls;
mod choice;
mod clients;
mod ledger;
mod lists;
mod prices;

pub(crate) use accounts::Known;
pub(crate) use ledger::Ledger;

use calls::UserModels;
use choice::Choice;
use clients::Clients;
use lists::Lists;

/// The provider of the built-in demonstration.
const DEMONSTRATION: (&str, &str) = ("local", "echo");

/// What the operator says about models.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelSettings {
    /// Addresses by provider id. An id no provider has is a server that speaks OpenAI's protocol.
    pub(crate) addresses: BTreeMap<String, String>,
    /// Provider of requests that name none; empty for the built-in demonstration.
    pub(crate) default_provider: String,
    /// Model of requests that name none.
    pub(crate) default_model: String,
    /// Whether the provider for tests is there.
    pub(crate) fake: bool,
    /// Whether servers on this machine are looked for at their usual ports.
    pub(crate) discover: bool,
    /// The port of this server, which is no other server.
    pub(crate) own_port: u16,
}

/// Where keys come from.
#[derive(Clone)]
pub(crate) enum Keys {
    /// The secrets of each user.
    Stored(SecretsService),
    /// The environment of a server without a store, for everybody.
    Given(Arc<BTreeMap<String, Sensitive>>),
}

/// What the service is made of.
pub(crate) struct ModelParts {
    pub(crate) settings: ModelSettings,
    pub(crate) keys: Keys,
    /// Addresses people choose in the editor.
    pub(crate) chosen: Option<SettingsService>,
    pub(crate) ledger: Ledger,
}

struct Inner {
    settings: ModelSettings,
    keys: Keys,
    chosen: Option<SettingsService>,
    client: reqwest::Client,
    lists: Lists,
    clients: Clients,
    ledger: Ledger,
}

/// Models of all providers; clones share everything.
#[derive(Clone)]
pub(crate) struct ModelService(Arc<Inner>);

/// A provider with the models it has.
#[derive(Clone, Debug)]
pub(crate) struct ProviderModels {
    pub(crate) provider: String,
    pub(crate) models: Arc<[ListedModel]>,
}

impl ModelService {
    pub(crate) fn new(parts: ModelParts) -> Result<Self, OutboundError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config()?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .pool_idle_timeout(Duration::from_secs(60))
            .tcp_nodelay(true)
            .user_agent(concat!("NodeTool/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| OutboundError::Setup(e.to_string()))?;
        Ok(ModelService(Arc::new(Inner {
            settings: parts.settings,
            keys: parts.keys,
            chosen: parts.chosen,
            client,
            lists: Lists::default(),
            clients: Clients::default(),
            ledger: parts.ledger,
        })))
    }

    /// Models as a user may call them.
    pub(crate) fn of(&self, caller: &Caller) -> Arc<dyn Models> {
        Arc::new(UserModels::new(self.clone(), caller.user_id.as_str()))
    }

    /// The provider and model a request means (socket spec 10.6).
    pub(crate) async fn choose(
        &self,
        user_id: &str,
        provider: &str,
        model: &str,
    ) -> Result<Choice, ModelError> {
        if let Some(choice) = choice::plain(&self.0.settings, provider, model, |id| self.knows(id))
        {
            return choice;
        }
        let all = self.list_all(user_id).await;
        let found = all.iter().find(|p| p.models.iter().any(|m| m.id == model));
        choice::listed(&self.0.settings, found.map(|p| p.provider.as_str()), model)
    }

    /// The providers a user can call now, with what each can do.
    pub(crate) async fn providers(&self, user_id: &str) -> Vec<(String, Provider)> {
        let mut found = Vec::new();
        for known in self.known() {
            if let Ok(Some(account)) = self.account(user_id, &known).await {
                found.push((known.id.to_string(), self.client(&known, account)));
            }
        }
        found
    }

    /// The models of one provider; nothing when it does not answer.
    pub(crate) async fn list(&self, user_id: &str, provider: &str) -> Arc<[ListedModel]> {
        let Some(known) = self.find(provider) else {
            return Arc::new([]);
        };
        match self.account(user_id, &known).await {
            Ok(Some(account)) => {
                let lists = &self.0.lists;
                let provider = self.client(&known, account.clone());
                lists.get(user_id, &account, provider).await
            }
            Ok(None) | Err(_) => Arc::new([]),
        }
    }

    /// The models of every provider the user can call, all asked at once.
    pub(crate) async fn list_all(&self, user_id: &str) -> Vec<ProviderModels> {
        let known: Vec<Known> = self.known().collect();
        let lists = known.iter().map(|known| async move {
            ProviderModels {
                provider: known.id.to_string(),
                models: self.list(user_id, &known.id).await,
            }
        });
        futures_util::future::join_all(lists).await
    }

    /// What a user has at the provider a request means.
    async fn open(
        &self,
        user_id: &str,
        provider: &str,
        model: &str,
    ) -> Result<(Choice, Provider), ModelError> {
        let choice = self.choose(user_id, provider, model).await?;
        let known = self.find(&choice.provider).ok_or_else(|| {
            let message = format!("there is no provider `{}`", choice.provider);
            ModelError::new(ModelErrorKind::UnknownProvider, &choice.provider, message)
        })?;
        let account = self.account(user_id, &known).await?;
        let account = account.ok_or_else(|| known.missing())?;
        Ok((choice, self.client(&known, account)))
    }

    /// The client of an account, the same for all calls: clients remember what they have learnt of their provider.
    fn client(&self, known: &Known, account: Account) -> Provider {
        let clients = &self.0.clients;
        clients.get(account, |account| known.open(account))
    }

    fn account_at(&self, provider: &str, address: String, key: Option<&Sensitive>) -> Account {
        Account {
            provider: provider.to_owned(),
            key: key.map(|key| Key::new(key.expose())),
            address: address.trim_end_matches('/').to_owned(),
            context_length: None,
            client: self.0.client.clone(),
            patience: Patience::default(),
        }
    }
}

/// Models of one kind.
pub(crate) fn of_kind(models: &[ListedModel], kind: ModelKind) -> Vec<&ListedModel> {
    models.iter().filter(|model| model.kind == kind).collect()
}
