//! Which interface leads to an address, from the kernel's routing tables as text. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Flags of `linux/route.h` and `linux/ipv6_route.h`.
const RTF_UP: u32 = 0x1;
const RTF_REJECT: u32 = 0x200;
const RTF_LOCAL: u32 = 0x8000_0000;

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    network: IpAddr,
    prefix_bits: u8,
    metric: u32,
    /// `None` for addresses of this machine and for what is refused: no link is in the way there.
    interface: Option<String>,
}

impl Route {
    /// The interface, unless it leads nowhere or to this machine.
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// True for a default route.
    pub fn is_default(&self) -> bool {
        self.prefix_bits == 0
    }

    fn leads_to(&self, address: IpAddr) -> bool {
        let equal_bits = match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros(),
            (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros(),
            _ => return false,
        };
        equal_bits >= u32::from(self.prefix_bits)
    }
}

/// The route that carries packets to an address: the longest prefix, then the lowest metric.
pub fn route_to(routes: &[Route], address: IpAddr) -> Option<&Route> {
    let leading = routes.iter().filter(|route| route.leads_to(address));
    leading.min_by_key(|route| (std::cmp::Reverse(route.prefix_bits), route.metric))
}

/// Reads `/proc/net/route`, the main table of IPv4 (proc_net(5)). Lines that are none are left out.
pub fn parse_v4(table: &str) -> Vec<Route> {
    table.lines().filter_map(v4).collect()
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`
fn v4(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[interface, destination, _, flags, _, _, metric, mask, ..] = fields.as_slice() else { return None };
    let flags = hex(flags)?;
    // An address is shown as the number that its four bytes make in memory.
    let address = |text| hex(text).map(|bits| Ipv4Addr::from(bits.to_ne_bytes()));
    Some(Route {
        network: address(destination)?.into(),
        prefix_bits: address(mask)?.to_bits().leading_ones() as u8,
        metric: metric.parse().ok()?,
        interface: named(interface, flags)?,
    })
}

/// Reads `/proc/net/ipv6_route`, all tables of IPv6. Lines that are none are left out.
pub fn parse_v6(table: &str) -> Vec<Route> {
    table.lines().filter_map(v6).collect()
}

/// `destination prefix source prefix gateway metric references uses flags interface`, the numbers in hexadecimal.
fn v6(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[destination, prefix, _, _, _, metric, _, _, flags, interface] = fields.as_slice() else { return None };
    let network = u128::from_str_radix(destination, 16).ok().filter(|_| destination.len() == 32)?;
    Some(Route {
        network: Ipv6Addr::from_bits(network).into(),
        prefix_bits: u8::try_from(hex(prefix)?).ok().filter(|bits| *bits <= 128)?,
        metric: hex(metric)?,
        interface: named(interface, hex(flags)?)?,
    })
}

/// `None` for a route that is not in use, `Some(None)` for one that has no link.
fn named(interface: &str, flags: u32) -> Option<Option<String>> {
    if flags & RTF_UP == 0 && flags & RTF_REJECT == 0 {
        return None;
    }
    let is_link = flags & (RTF_REJECT | RTF_LOCAL) == 0 && interface != "lo" && interface != "*";
    Some(is_link.then(|| interface.to_owned()))
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As printed on a little-endian machine.
    const V4: &str = "\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	010200C0	0003	0	0	600	00000000	0	0	0
eth0	00000000	010200C0	0003	0	0	100	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth1	070200C0	00000000	0005	0	0	0	FFFFFFFF	0	0	0
eth1	000010AC	00000000	0001	0	0	0	0000F0FF	0	0	0
old	0000000A	00000000	0000	0	0	0	000000FF	0	0	0
*	006433C6	00000000	0201	0	0	0	00FFFFFF	0	0	0
";

    const V6: &str = "\
20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth1
20010db8000000000000000000000005 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    fn interface_to(routes: &[Route], address: &str) -> Option<String> {
        route_to(routes, address.parse().unwrap())?.interface().map(str::to_owned)
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_longest_prefix_and_then_the_lowest_metric() {
        let routes = parse_v4(V4);
        assert_eq!(routes.len(), 6, "{routes:?}");
        for (address, interface) in [
            ("203.0.113.9", Some("eth0")),
            ("192.0.2.6", Some("eth0")),
            ("192.0.2.7", Some("eth1")),
            ("172.16.0.1", Some("eth1")),
            ("172.31.255.255", Some("eth1")),
            ("172.32.0.1", Some("eth0")),
            // A route that is not up does not count, one that refuses does.
            ("10.0.0.1", Some("eth0")),
            ("198.51.100.7", None),
            ("2001:db8::7", None),
        ] {
            assert_eq!(interface_to(&routes, address).as_deref(), interface, "{address}");
        }
        assert_eq!(routes.iter().filter(|route| route.is_default()).count(), 2);
    }

    #[test]
    fn the_same_for_ipv6() {
        let routes = parse_v6(V6);
        assert_eq!(routes.len(), 4, "{routes:?}");
        for (address, interface) in [
            ("2001:db8::7", Some("eth0")),
            ("2001:db8::5", None),
            ("2001:db8:0:1::5", Some("eth1")),
            ("::ffff:192.0.2.7", Some("eth1")),
            ("192.0.2.7", None),
        ] {
            assert_eq!(interface_to(&routes, address).as_deref(), interface, "{address}");
        }
        let refused = parse_v6(V6.lines().last().unwrap());
        assert_eq!(interface_to(&refused, "2001:db8::7"), None);
    }

    #[test]
    fn this_machines_own_tables_are_understood() {
        for (file, parse, header) in [
            ("/proc/net/route", parse_v4 as fn(&str) -> Vec<Route>, 1),
            ("/proc/net/ipv6_route", parse_v6 as fn(&str) -> Vec<Route>, 0),
        ] {
            let table = std::fs::read_to_string(file).unwrap_or_default();
            let lines = table.lines().count().saturating_sub(header);
            assert_eq!(parse(&table).len(), lines, "{table}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "([0-9a-fA-F* \t\n]|eth0|0003|00000000| ){0,60}") {
            let _ = (parse_v4(&text), parse_v6(&text));
        }
    }
}
