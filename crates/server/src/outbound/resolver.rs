//! Turns names into addresses that passed the check. The connection is made to exactly these, so what was checked is
//! what is reached.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use nodetool_sdk::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::OutboundError;
use super::allow::AllowList;

/// Answers with the addresses of a name; a port of 0 means the URL's.
type Ask = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Where addresses of names come from.
#[derive(Clone)]
pub(super) struct Lookup(pub(super) Arc<Ask>);

impl Lookup {
    /// The system's resolver.
    pub(super) fn system() -> Self {
        Lookup(Arc::new(|name| {
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        }))
    }
}

/// Resolves names and passes on only addresses that may be reached.
pub(super) struct CheckedResolver {
    allow: Arc<AllowList>,
    lookup: Lookup,
}

impl CheckedResolver {
    pub(super) fn new(allow: Arc<AllowList>, lookup: Lookup) -> Self {
        CheckedResolver { allow, lookup }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow, lookup) = (self.allow.clone(), self.lookup.clone());
        Box::pin(async move {
            let reachable = reachable(&allow, &lookup, name.as_str()).await?;
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a name that may be reached; at least one.
pub(super) async fn reachable(
    allow: &AllowList,
    lookup: &Lookup,
    host: &str,
) -> Result<Vec<SocketAddr>, OutboundError> {
    let unresolved = |why: String| OutboundError::Unresolved {
        host: host.to_owned(),
        why,
    };
    let found = (lookup.0)(host.to_owned()).await;
    let found = found.map_err(|e| unresolved(e.to_string()))?;
    let (mut reachable, mut refused) = (Vec::new(), None);
    for address in found {
        match allow.check(host, address.ip()) {
            Ok(()) => reachable.push(address),
            Err(why) => refused = Some((address.ip(), why)),
        }
    }
    match refused {
        _ if !reachable.is_empty() => Ok(reachable),
        Some((ip, why)) => Err(OutboundError::Refused {
            host: host.to_owned(),
            why: format!("the name stands for {ip}, {why}"),
        }),
        None => Err(unresolved("no address is known for it".into())),
    }
}
