//! Whether a cable is out: the interface that leads to a device has no carrier.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use super::route::{Route, parse_v4, parse_v6, route_to};

/// What the kernel says of interfaces and routes. Reading it takes microseconds and waits for nobody.
#[derive(Clone, Debug)]
pub struct Links {
    tables: PathBuf,
    interfaces: PathBuf,
}

impl Default for Links {
    fn default() -> Self {
        Self { tables: PathBuf::from("/proc/net"), interfaces: PathBuf::from("/sys/class/net") }
    }
}

impl Links {
    /// The interface without a carrier that is in the way to a host; `None` when there is none, or nobody knows.
    ///
    /// A name may stand for any address, and to ask for it needs the network: there, no interface at all may have a
    /// carrier. To this machine itself no link is needed.
    pub fn dead_on_the_way(&self, host: &str) -> Option<String> {
        if let Some((_, interface)) = host.split_once('%') {
            return self.is_dead(interface).then(|| interface.to_owned());
        }
        match host.parse() {
            Ok(address) if is_own(address) => None,
            Ok(address) => {
                let routes = self.routes();
                let interface = route_to(&routes, address)?.interface()?;
                self.is_dead(interface).then(|| interface.to_owned())
            }
            Err(_) if is_localhost(host) => None,
            Err(_) => self.all_dead(),
        }
    }

    /// True when the interface is there and has no carrier. The loopback has one, as has what tells nothing of it.
    pub fn is_dead(&self, interface: &str) -> bool {
        if interface == "lo" || interface.contains('/') {
            return false;
        }
        let folder = self.interfaces.join(interface);
        // A bridge without ports (Docker's, while no container runs) has no cable that could be out.
        if fs::read_dir(folder.join("brif")).is_ok_and(|mut ports| ports.next().is_none()) {
            return false;
        }
        let said = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        // An interface that was switched off does not tell its carrier.
        said("carrier").trim() == "0" || matches!(said("operstate").trim(), "down" | "lowerlayerdown")
    }

    /// One of the interfaces that have routes, if none of them has a carrier; that of the default route before others.
    fn all_dead(&self) -> Option<String> {
        let mut routes = self.routes();
        routes.sort_by_key(|route| !route.is_default());
        let mut interfaces = routes.iter().filter_map(Route::interface);
        let first = interfaces.next().filter(|first| self.is_dead(first))?;
        interfaces.all(|interface| self.is_dead(interface)).then(|| first.to_owned())
    }

    fn routes(&self) -> Vec<Route> {
        let table = |name: &str| fs::read_to_string(self.tables.join(name)).unwrap_or_default();
        [parse_v4(&table("route")), parse_v6(&table("ipv6_route"))].concat()
    }
}

fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// An address of this machine. The kernel takes it as the source of packets to it; a UDP socket asks without sending.
fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = || {
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(SocketAddr::new(address, 9))?;
        socket.local_addr()
    };
    address.is_loopback() || source().is_ok_and(|source| source.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An interface of a made-up machine: name, `carrier`, `operstate`; `None`: it cannot be read.
    type Interface = (&'static str, Option<&'static str>, Option<&'static str>);

    fn machine(routes: &str, interfaces: &[Interface]) -> (tempfile::TempDir, Links) {
        let directory = tempfile::tempdir().unwrap();
        let links = Links { tables: directory.path().join("proc"), interfaces: directory.path().join("sys") };
        fs::create_dir(&links.tables).unwrap();
        fs::write(links.tables.join("ipv6_route"), routes).unwrap();
        for (name, carrier, operstate) in interfaces {
            let folder = links.interfaces.join(name);
            fs::create_dir_all(&folder).unwrap();
            for (file, said) in [("carrier", carrier), ("operstate", operstate)] {
                if let Some(said) = said {
                    fs::write(folder.join(file), format!("{said}\n")).unwrap();
                }
            }
        }
        (directory, links)
    }

    /// A line of `/proc/net/ipv6_route`.
    fn route(network: &str, prefix_bits: u8, interface: &str) -> String {
        let bits = network.parse::<Ipv6Addr>().unwrap().to_bits();
        format!(
            "{bits:032x} {prefix_bits:02x} {0:032x} 00 {0:032x} 00000400 00000001 00000000 00000001 {interface}\n",
            0
        )
    }

    #[test]
    fn the_interface_on_the_way_counts_and_no_other() {
        let routes =
            [route("2001:db8:1::", 48, "eth0"), route("2001:db8:2::", 48, "eth1"), route("::", 0, "wg0")].concat();
        let (_directory, links) = machine(
            &routes,
            &[
                ("eth0", Some("0"), Some("down")),
                ("eth1", Some("1"), Some("up")),
                ("wg0", None, Some("unknown")),
                ("off", None, Some("down")),
                ("lower", Some("1"), Some("lowerlayerdown")),
            ],
        );
        for (host, dead) in [
            ("2001:db8:1::7", Some("eth0")),
            ("2001:db8:2::7", None),
            ("2001:db8:3::7", None),
            ("fe80::1%eth0", Some("eth0")),
            ("fe80::1%eth1", None),
            ("fe80::1%off", Some("off")),
            ("fe80::1%lower", Some("lower")),
            ("fe80::1%nosuch", None),
            ("fe80::1%lo", None),
            // No route, so it is not the link's fault.
            ("192.0.2.1", None),
            ("camera.example", None),
            ("::1", None),
        ] {
            assert_eq!(links.dead_on_the_way(host).as_deref(), dead, "{host}");
        }
    }

    #[test]
    fn a_bridge_is_as_good_as_its_ports() {
        let (_directory, links) = machine("", &[("br0", Some("0"), Some("down"))]);
        assert!(links.is_dead("br0"));
        let ports = links.interfaces.join("br0/brif");
        fs::create_dir(&ports).unwrap();
        assert!(!links.is_dead("br0"));
        fs::write(ports.join("eth0"), "").unwrap();
        assert!(links.is_dead("br0"));
    }

    #[test]
    fn a_name_needs_some_link() {
        let routes = [route("2001:db8:1::", 48, "eth1"), route("::", 0, "eth0")].concat();
        let dead = |name| (name, Some("0"), Some("down"));
        let (_directory, links) = machine(&routes, &[dead("eth0"), dead("eth1")]);
        assert_eq!(links.dead_on_the_way("camera.example").as_deref(), Some("eth0"));
        assert_eq!(links.dead_on_the_way("localhost"), None);
        assert_eq!(links.dead_on_the_way("go2rtc.localhost."), None);
        let (_directory, links) = machine(&routes, &[dead("eth0"), ("eth1", Some("1"), Some("up"))]);
        assert_eq!(links.dead_on_the_way("camera.example"), None);
        let (_directory, links) = machine("", &[dead("eth0")]);
        assert_eq!(links.dead_on_the_way("camera.example"), None);
    }

    #[test]
    fn this_machine_is_always_there() {
        // A machine whose every route is dead, and the real one's own addresses.
        let (_directory, links) = machine(&route("::", 0, "eth0"), &[("eth0", Some("0"), Some("down"))]);
        for host in ["127.0.0.1", "127.9.9.9", "::1"] {
            assert_eq!(links.dead_on_the_way(host), None, "{host}");
        }
        assert!(!links.is_dead("lo") && links.is_dead("eth0"));
        assert!(is_own(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9))) && !is_own("255.255.255.255".parse().unwrap()));
    }
}
