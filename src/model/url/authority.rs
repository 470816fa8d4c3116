//! Which part of an address is credentials, which is host and port.

use std::net::{IpAddr, Ipv6Addr};

use super::UrlError;

/// Splits `user:password@host…` when there are credentials in it.
///
/// A password may hold `@ : / ? #` as they are. The split is at the last `@` that is followed by something that can
/// be a host; an `@` behind the first `/` counts only when what stands before that `/` cannot itself be `host:port`,
/// or when what follows is a literal address, so that `rtsp://cam/live@2` stays a path.
///
/// Where RFC 3986 (section 3.2: the authority ends at the first `/ ? #`) gives a host, it is right nevertheless when
/// that host is a literal address, which is no user name; when the credentials would hold `://`, which begins another
/// address (`http://go2rtc:1984/api?src=rtsp://u:p@10.0.0.9/x`); or, with HTTP, when they would hold a query.
pub(super) fn split_userinfo(http: bool, rest: &str) -> (Option<&str>, &str) {
    let first_slash = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let strict = strict_authority(&rest[..first_slash]);
    let plain_authority = strict.is_some() && !rest[..first_slash].contains('@');
    for (at, _) in rest.match_indices('@').rev() {
        let after = &rest[at + 1..];
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let Some((host, port)) = strict_authority(&after[..end]) else { continue };
        let behind_slash = at > first_slash;
        if behind_slash
            && strict.is_some_and(|(host, _)| {
                is_literal(host) || rest[..at].contains("://") || (http && rest[first_slash..at].contains('?'))
            })
        {
            continue;
        }
        let has_colon = rest[..at].contains(':');
        if !behind_slash
            || (has_colon && (is_literal(host) || (!plain_authority && (port.is_some() || host.contains('.')))))
        {
            return (Some(&rest[..at]), after);
        }
        // `user:pa/ss@host/path`: only a single-label host is left, which is a host when nothing else can be.
        if has_colon && !plain_authority && !rest[..first_slash].contains('@') {
            return (Some(&rest[..at]), after);
        }
    }
    (None, rest)
}

/// Host and port of an authority as RFC 3986 has it, whatever credentials stand before them.
fn strict_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    split_port(host_and_port).ok().filter(|(host, _)| read_host(host).is_some())
}

/// Host as it is written, and port.
pub(super) fn split_port(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    let host_end = if authority.starts_with('[') { authority.find(']').map_or(0, |i| i + 1) } else { 0 };
    match authority[host_end..].rfind(':') {
        None => Ok((authority, None)),
        Some(colon) => {
            let (host, port) = authority.split_at(host_end + colon);
            let port = &port[1..];
            match port.parse::<u16>() {
                Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => Ok((host, Some(number))),
                _ => Err(UrlError::BadPort(port.chars().take(16).collect())),
            }
        }
    }
}

fn is_literal(host: &str) -> bool {
    host.starts_with('[') || host.parse::<IpAddr>().is_ok()
}

/// A host as it is kept: in lower case, without brackets, a zone behind `%`. `None` when it is none.
pub(super) fn read_host(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return match inner.split_once('%') {
            Some((address, zone)) => read_link_local(address, zone),
            None => inner.parse::<Ipv6Addr>().is_ok().then(|| inner.to_ascii_lowercase()),
        };
    }
    let fits = !host.is_empty()
        && host.len() <= 253
        && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
        && host.chars().any(|c| c.is_alphanumeric());
    fits.then(|| host.to_ascii_lowercase())
}

/// An IPv6 address with something behind `%`: no password, even if it is wrong.
pub(super) fn has_zone(authority: &str) -> bool {
    let address = authority.strip_prefix('[').and_then(|inner| inner.split_once('%'));
    address.is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok())
}

/// An address that holds only on one link, with the interface to it (RFC 6874, where `%` is written `%25`; people also
/// paste what `ip` prints). Interface names have at most 15 characters (IFNAMSIZ), and their case counts.
fn read_link_local(address: &str, zone: &str) -> Option<String> {
    let zone = zone.strip_prefix("25").unwrap_or(zone);
    let named = (1..=15).contains(&zone.len())
        && zone.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let on_link = address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_unicast_link_local());
    (named && on_link).then(|| format!("{}%{zone}", address.to_ascii_lowercase()))
}
