//! `lib.validate.IP`.

use std::net::{Ipv4Addr, Ipv6Addr};

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process};

/// Tells whether text is an IP address, and of which version.
/// validate, ip, ipv4, ipv6, address, network
#[derive(Node)]
#[node(namespace = "lib.validate", name = "IP", title = "IP")]
pub(super) struct Ip {
    /// The text.
    value: String,
}

/// Which kind of address.
#[derive(Outputs)]
pub(super) struct Kind {
    is_ip: bool,
    is_ipv4: bool,
    is_ipv6: bool,
}

impl Process for Ip {
    type Output = Kind;

    async fn process(self, _: &NodeCx) -> Result<Kind, NodeError> {
        let is_ipv4 = self.value.parse::<Ipv4Addr>().is_ok();
        let is_ipv6 = self.value.parse::<Ipv6Addr>().is_ok();
        Ok(Kind {
            is_ip: is_ipv4 || is_ipv6,
            is_ipv4,
            is_ipv6,
        })
    }
}
