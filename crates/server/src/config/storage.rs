//! Where stored files are kept, out of the settings (HTTP spec 6.7, "Backend choice").

use std::path::PathBuf;

use anyhow::bail;
use nodetool_store::S3Settings;

use super::{Config, Environment};
use crate::sensitive::Sensitive;

/// Bucket for assets where none is named.
const DEFAULT_BUCKET: &str = "images";
/// Region where none is named.
const DEFAULT_REGION: &str = "us-east-1";

/// What may touch foreign storage; only the environment says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StorageKeys {
    pub(crate) s3_access_key_id: Option<Sensitive>,
    pub(crate) s3_secret_access_key: Option<Sensitive>,
    /// Whether the address and key of a Supabase project are both set.
    pub(crate) supabase: bool,
}

/// Where files are kept.
pub(crate) enum Storage {
    /// In folders of this machine.
    Local,
    /// In buckets that speak S3.
    S3 {
        assets: Box<S3Settings>,
        /// None: temporary files stay on this machine.
        temp: Option<Box<S3Settings>>,
    },
}

fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn is_path(bucket: &str) -> bool {
    bucket.starts_with(['/', '.'])
}

fn check_bucket(variable: &str, name: &str) -> anyhow::Result<()> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if (3..=63).contains(&name.len()) && name.bytes().all(good) {
        return Ok(());
    }
    bail!("{variable}: {name:?} is no name of a bucket, expected 3 to 63 letters, digits, - and .")
}

impl Config {
    /// The folder of assets.
    pub(crate) fn assets(&self) -> PathBuf {
        if !self.asset_folder.as_os_str().is_empty() {
            return self.asset_folder.clone();
        }
        match filled(&self.asset_bucket).filter(|bucket| is_path(bucket)) {
            Some(path) => path.into(),
            None => self.data_dir.join("assets"),
        }
    }

    /// Where files are kept; refuses settings that do not say it wholly.
    pub(crate) fn storage(&self) -> anyhow::Result<Storage> {
        let set = |key: &Option<Sensitive>| key.clone().filter(|key| !key.expose().is_empty());
        let keys = &self.storage_keys;
        let (id, secret) = (set(&keys.s3_access_key_id), set(&keys.s3_secret_access_key));
        let bucket = filled(&self.asset_bucket).filter(|bucket| !is_path(bucket));
        let has_folder = !self.asset_folder.as_os_str().is_empty();
        if keys.supabase && id.is_none() && !has_folder {
            bail!(
                "Supabase storage is not supported, and SUPABASE_URL with SUPABASE_KEY asks for it: set S3_ACCESS_KEY_ID \
                 and what goes with it to keep assets in a bucket that speaks S3, or ASSET_FOLDER to keep them on this machine"
            );
        }
        let production = self.environment == Environment::Production;
        // Production means S3 as soon as anything but a folder is named.
        let meant = production
            && !has_folder
            && (bucket.is_some() || secret.is_some() || filled(&self.s3_endpoint_url).is_some());
        let (id, secret) = match (id, secret) {
            (Some(id), Some(secret)) => (id, secret),
            (None, None) if !meant => return Ok(Storage::Local),
            (None, Some(_)) if !meant => return Ok(Storage::Local),
            (None, _) => {
                bail!("S3_ACCESS_KEY_ID is not set, but assets are to be kept in a bucket")
            }
            (Some(_), None) => bail!("S3_ACCESS_KEY_ID is set, but S3_SECRET_ACCESS_KEY is not"),
        };
        let endpoint = filled(&self.s3_endpoint_url).map(|url| url.trim_end_matches('/'));
        if let Some(url) = endpoint
            && !url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https"))
        {
            bail!("S3_ENDPOINT_URL is no address, expected one like https://s3.example.org");
        }
        let of = |bucket: &str| {
            Box::new(S3Settings {
                bucket: bucket.to_owned(),
                endpoint: endpoint.map(str::to_owned),
                region: filled(&self.s3_region).unwrap_or(DEFAULT_REGION).to_owned(),
                access_key_id: id.expose().to_owned(),
                secret_access_key: secret.expose().to_owned(),
            })
        };
        let bucket = bucket.unwrap_or(DEFAULT_BUCKET);
        check_bucket("ASSET_BUCKET", bucket)?;
        let temp = filled(&self.asset_temp_bucket);
        match temp {
            Some(temp) => check_bucket("ASSET_TEMP_BUCKET", temp)?,
            None if production => {
                bail!(
                    "ASSET_TEMP_BUCKET is not set: in production temporary files need a bucket of their own"
                )
            }
            None => {}
        }
        if temp == Some(bucket) {
            bail!(
                "ASSET_TEMP_BUCKET and ASSET_BUCKET are both {bucket}: what is temporary is deleted after a day, so it \
                 needs a bucket of its own"
            );
        }
        Ok(Storage::S3 {
            assets: of(bucket),
            temp: temp.map(of),
        })
    }

    /// Where everybody finds assets, for the addresses that clients are told; without a slash at its end.
    pub(crate) fn public_assets(&self) -> Option<String> {
        let domain = filled(&self.asset_domain)?.trim_end_matches('/');
        let production = self.environment == Environment::Production;
        let whole = || {
            if domain.starts_with("http://") || domain.starts_with("https://") {
                domain.to_owned()
            } else {
                format!("https://{domain}")
            }
        };
        production.then(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Overrides;
    use super::*;

    fn config(change: impl FnOnce(&mut Config)) -> Config {
        let over = Overrides {
            data_dir: Some("/data".into()),
            ..Overrides::default()
        };
        let mut config = Config::load(over).unwrap();
        change(&mut config);
        config
    }

    fn with_keys(config: &mut Config) {
        config.storage_keys.s3_access_key_id = Some(Sensitive::new("id"));
        config.storage_keys.s3_secret_access_key = Some(Sensitive::new("secret"));
    }

    fn refusal(config: &Config) -> String {
        config.storage().err().expect("a refusal").to_string()
    }

    #[test]
    fn without_keys_assets_are_kept_in_a_folder() {
        let folder = |change: fn(&mut Config)| {
            let config = config(change);
            assert!(matches!(config.storage().unwrap(), Storage::Local));
            config.assets()
        };
        assert_eq!(folder(|_| {}), PathBuf::from("/data/assets"));
        assert_eq!(
            folder(|c| c.asset_folder = "/f".into()),
            PathBuf::from("/f")
        );
        assert_eq!(
            folder(|c| c.asset_bucket = "./b".into()),
            PathBuf::from("./b")
        );
        assert_eq!(
            folder(|c| c.environment = Environment::Production),
            PathBuf::from("/data/assets")
        );
    }

    #[test]
    fn keys_choose_a_bucket_and_everything_has_to_be_said() {
        let good = config(|c| {
            with_keys(c);
            c.asset_bucket = "assets".into();
            c.s3_endpoint_url = "http://localhost:9000/".into();
        });
        let Storage::S3 { assets, temp } = good.storage().unwrap() else {
            panic!("a bucket");
        };
        assert_eq!(assets.endpoint.as_deref(), Some("http://localhost:9000"));
        assert_eq!(
            (assets.bucket.as_str(), assets.region.as_str()),
            ("assets", "us-east-1")
        );
        assert!(temp.is_none());
        let told = |change: &dyn Fn(&mut Config)| {
            refusal(&config(|c| {
                with_keys(c);
                change(c);
            }))
        };
        let told_of = |variable: &str, change: &dyn Fn(&mut Config)| {
            let told = told(change);
            assert!(told.contains(variable) && !told.contains('\n'), "{told}");
        };
        told_of("S3_SECRET_ACCESS_KEY", &|c| {
            c.storage_keys.s3_secret_access_key = None
        });
        told_of("S3_ENDPOINT_URL", &|c| c.s3_endpoint_url = "here".into());
        told_of("ASSET_BUCKET", &|c| c.asset_bucket = "a b".into());
        told_of("a bucket of its own", &|c| {
            c.asset_temp_bucket = "images".into()
        });
        told_of("ASSET_TEMP_BUCKET", &|c| {
            c.environment = Environment::Production
        });
        let production = config(|c| {
            c.environment = Environment::Production;
            c.asset_bucket = "assets".into();
        });
        assert!(refusal(&production).contains("S3_ACCESS_KEY_ID"));
    }

    #[test]
    fn supabase_storage_is_refused_unless_files_go_elsewhere() {
        let supabase = config(|c| c.storage_keys.supabase = true);
        assert!(refusal(&supabase).starts_with("Supabase storage is not supported"));
        for elsewhere in [with_keys, |c: &mut Config| c.asset_folder = "/f".into()] {
            let config = config(|c| {
                c.storage_keys.supabase = true;
                elsewhere(c);
            });
            assert!(config.storage().is_ok());
        }
    }

    #[test]
    fn addresses_of_assets_lead_to_the_domain_in_production_alone() {
        let domain = |text: &str, environment| {
            config(|c| {
                c.asset_domain = text.into();
                c.environment = environment;
            })
            .public_assets()
        };
        let production = Environment::Production;
        let cdn = Some("https://cdn.example.org".to_owned());
        assert_eq!(domain("cdn.example.org/", production), cdn);
        assert_eq!(domain("https://cdn.example.org", production), cdn);
        assert_eq!(domain("cdn.example.org", Environment::Development), None);
        assert_eq!(domain("", production), None);
    }
}
