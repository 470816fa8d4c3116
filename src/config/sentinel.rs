//! `probe.sentinel`: a host that is there whenever the network is.

use std::fmt;
use std::net::Ipv6Addr;

use crate::model::CameraUrl;

/// A TCP port on a host, asked only to see whether anything answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentinel {
    /// Name or address, an IPv6 address without its brackets; a link-local one with its interface.
    pub host: String,
    /// Default 80.
    pub port: u16,
}

impl Sentinel {
    /// Reads `host`, `host:port` or `[IPv6]:port`; an IPv6 address alone needs no brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.contains(['/', '?', '#', '@']) {
            return None;
        }
        let is_bare = text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
        // Host and port are those of an address of a camera, with the same checks and the default port of HTTP.
        let address = if is_bare { format!("http://[{text}]") } else { format!("http://{text}") };
        let (url, _) = CameraUrl::parse(&address).ok()?;
        Some(Self { host: url.host().to_owned(), port: url.port() })
    }
}

/// `host:port`, an IPv6 address in brackets.
impl fmt::Display for Sentinel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_a_port() {
        for (text, shown) in [
            ("192.0.2.1", "192.0.2.1:80"),
            ("192.0.2.1:443", "192.0.2.1:443"),
            ("Router.lan", "router.lan:80"),
            ("router:53", "router:53"),
            ("2001:db8::1", "[2001:db8::1]:80"),
            ("[2001:db8::1]", "[2001:db8::1]:80"),
            ("[2001:db8::1]:53", "[2001:db8::1]:53"),
            ("fe80::1%eth0", "[fe80::1%eth0]:80"),
            ("[fe80::1%eth0]:53", "[fe80::1%eth0]:53"),
        ] {
            assert_eq!(Sentinel::parse(text).map(|sentinel| sentinel.to_string()).as_deref(), Some(shown), "{text}");
        }
        for text in ["", ":80", "router:", "router:0", "router:99999", "http://router", "router/", "a b", "u@router"] {
            assert_eq!(Sentinel::parse(text), None, "{text}");
        }
    }
}
