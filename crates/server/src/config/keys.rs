//! Where the master key for secrets comes from: read from the environment only, never from a settings file.

use std::path::Path;

use crate::sensitive::Sensitive;
use crate::services::{AwsSecret, KeyFiles, KeyPlaces};

/// What the environment says about the master key.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Keys {
    /// Master key that secrets are encrypted with
    #[arg(long, hide = true, env = "SECRETS_MASTER_KEY", hide_env_values = true)]
    secrets_master_key: Option<Sensitive>,
    /// Secret of AWS Secrets Manager that holds the master key
    #[arg(long, hide = true, env = "AWS_SECRETS_MASTER_KEY_NAME")]
    secrets_aws_name: Option<String>,
    /// Region of that secret
    #[arg(long, hide = true, env = "AWS_REGION")]
    secrets_aws_region: Option<String>,
    /// Who reads it
    #[arg(long, hide = true, env = "AWS_ACCESS_KEY_ID")]
    secrets_aws_key_id: Option<String>,
    /// The key of whoever reads it
    #[arg(
        long,
        hide = true,
        env = "AWS_SECRET_ACCESS_KEY",
        hide_env_values = true
    )]
    secrets_aws_secret_key: Option<Sensitive>,
    /// The session of whoever reads it
    #[arg(long, hide = true, env = "AWS_SESSION_TOKEN", hide_env_values = true)]
    secrets_aws_session_token: Option<Sensitive>,
    /// Address of AWS Secrets Manager
    #[arg(long, hide = true, env = "AWS_ENDPOINT_URL_SECRETS_MANAGER")]
    secrets_aws_endpoint: Option<String>,
    /// Address of every service of AWS
    #[arg(long, hide = true, env = "AWS_ENDPOINT_URL")]
    secrets_aws_any_endpoint: Option<String>,
}

const DEFAULT_REGION: &str = "us-east-1";

fn text(given: Option<&String>) -> Option<String> {
    given.filter(|text| !text.is_empty()).cloned()
}

fn sensitive(given: Option<&Sensitive>) -> Option<Sensitive> {
    given.filter(|text| !text.expose().is_empty()).cloned()
}

impl Keys {
    /// The master key, when it is given itself.
    pub(crate) fn master(&self) -> Option<&Sensitive> {
        let key = self.secrets_master_key.as_ref();
        key.filter(|key| !key.expose().is_empty())
    }

    /// Whether a master key, or where to get it, is given: what is not made up by this machine.
    pub(crate) fn names_a_key(&self) -> bool {
        sensitive(self.secrets_master_key.as_ref()).is_some()
            || text(self.secrets_aws_name.as_ref()).is_some()
    }

    /// Where to look for the master key; a key file is in the folder of settings.
    pub(crate) fn places(&self, settings: Option<&Path>) -> KeyPlaces {
        let endpoint = text(self.secrets_aws_endpoint.as_ref())
            .or_else(|| text(self.secrets_aws_any_endpoint.as_ref()));
        let region = text(self.secrets_aws_region.as_ref());
        let aws = text(self.secrets_aws_name.as_ref()).map(|name| AwsSecret {
            name,
            region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            key_id: text(self.secrets_aws_key_id.as_ref()),
            secret_key: sensitive(self.secrets_aws_secret_key.as_ref()),
            session_token: sensitive(self.secrets_aws_session_token.as_ref()),
            endpoint,
        });
        KeyPlaces {
            given: sensitive(self.secrets_master_key.as_ref()),
            aws,
            files: settings.map(|folder| KeyFiles::new(folder.to_owned())),
        }
    }
}
