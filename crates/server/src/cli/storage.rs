//! Opens where files are kept: folders of this machine, or buckets that speak S3.

use std::time::Duration;

use anyhow::Context;
use nodetool_store::{Blobs, S3Settings};

use crate::config::{Config, Storage};
use crate::outbound::tls;
use crate::services::Buckets;

/// How long the service may take to connect, and to send the next bytes.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);

/// The buckets that the settings name. Whether remote ones can be used is asked later.
pub(super) fn open(config: &Config) -> anyhow::Result<Buckets> {
    let folder = config.assets();
    let (assets, temp) = match config.storage()? {
        Storage::Local => {
            let buckets = Buckets::local(&folder).with_context(|| {
                format!("cannot open the folder of assets {}", folder.display())
            })?;
            return Ok(Buckets {
                public: config.public_assets(),
                ..buckets
            });
        }
        Storage::S3 { assets, temp } => (assets, temp),
    };
    tracing::info!(
        bucket = %assets.bucket,
        endpoint = assets.endpoint.as_deref().unwrap_or("Amazon S3"),
        "assets are kept in a bucket"
    );
    // The operator names the address, so it may be one of this machine; nothing leads elsewhere from there.
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::config()?)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
        .context("cannot prepare connections to the buckets")?;
    let open = |settings: S3Settings, name: &str| {
        let bucket = settings.bucket.clone();
        Blobs::open_s3(
            settings,
            client.clone(),
            &folder.join(name).join("incoming"),
        )
        .with_context(|| format!("cannot open the bucket {bucket}"))
    };
    Ok(Buckets {
        files: open(*assets, "files")?,
        temp: match temp {
            Some(temp) => open(*temp, "temp")?,
            None => Blobs::open(&folder.join("temp"))
                .context("cannot open the folder of temporary files")?,
        },
        public: config.public_assets(),
    })
}
