//! Headers: the security ones on every answer, cookies, and whose address a request came from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use warp::http::header::{ALLOW, CACHE_CONTROL, COOKIE, HeaderMap, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY};
use warp::http::{StatusCode, header};
use warp::reply::Response;

use super::openapi::methods_of;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(super) const SECURITY: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CSP),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// Puts the security headers on an answer, `hsts` too when the client speaks TLS with us; what is under `/api` is not kept
/// by anyone unless the route says so.
pub(super) fn harden(path: &str, hsts: Option<&HeaderValue>, response: &mut Response) {
    let refused_method = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(hsts) = hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if refused_method {
        headers.insert(ALLOW, methods_of(path));
    }
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
}

/// The address a request came from: the peer's, or, when the peer is a trusted proxy, the last address in
/// `X-Forwarded-For` that is not one.
pub(super) fn client_address(peer: Option<SocketAddr>, headers: &HeaderMap, trusted_proxies: &[String]) -> IpAddr {
    let Some(peer) = peer else { return Ipv4Addr::UNSPECIFIED.into() };
    let mut address = peer.ip().to_canonical();
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for hop in forwarded.into_iter().rev() {
        if !is_trusted(address, trusted_proxies) {
            break;
        }
        match hop.parse::<IpAddr>() {
            Ok(before) => address = before.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

/// True when the address is one of the trusted proxies.
pub(super) fn is_trusted(address: IpAddr, trusted_proxies: &[String]) -> bool {
    trusted_proxies.iter().any(|network| contains(network, address.to_canonical()))
}

/// True when `network` (`10.0.0.0/8`, or one address) holds `address`.
fn contains(network: &str, address: IpAddr) -> bool {
    let (base, bits) = match network.split_once('/') {
        Some((base, bits)) => (base, bits.parse::<u32>().ok()),
        None => (network, Some(u32::MAX)),
    };
    match (base.parse::<IpAddr>(), address, bits) {
        (Ok(IpAddr::V4(base)), IpAddr::V4(address), Some(bits)) => {
            let shift = 32 - bits.min(32);
            u32::from(base).checked_shr(shift).unwrap_or(0) == u32::from(address).checked_shr(shift).unwrap_or(0)
        }
        (Ok(IpAddr::V6(base)), IpAddr::V6(address), Some(bits)) => {
            let shift = 128 - bits.min(128);
            u128::from(base).checked_shr(shift).unwrap_or(0) == u128::from(address).checked_shr(shift).unwrap_or(0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6, 198.51.100.7, 10.1.2.3"));
        let peer = Some(SocketAddr::from(([10, 0, 0, 1], 5000)));
        let trusted = ["10.0.0.0/8".to_owned()];
        assert_eq!(client_address(peer, &headers, &[]).to_string(), "10.0.0.1");
        // What the client itself wrote before the first trusted hop is not believed.
        assert_eq!(client_address(peer, &headers, &trusted).to_string(), "198.51.100.7");
        let stranger = Some(SocketAddr::from(([192, 0, 2, 1], 5000)));
        assert_eq!(client_address(stranger, &headers, &trusted).to_string(), "192.0.2.1");
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("xsp_access=no; sp_access=yes; empty="));
        assert_eq!(cookie(&headers, "sp_access"), Some("yes"));
        assert_eq!(cookie(&headers, "empty"), None);
    }
}
