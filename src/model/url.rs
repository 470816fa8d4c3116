//! The address of a stream, with its credentials taken out.
//!
//! Camera passwords hold any character, and people paste them into URLs as they are. So this is not RFC 3986 to the
//! letter: the part before the host is found first ([`authority`]), the rest must be a plain URL. What it holds of
//! credentials stays there, because the camera wants it there, and is not shown ([`inner`]).

mod authority;
mod inner;
mod places;
mod within;

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use authority::{has_zone, read_host, split_port, split_userinfo};
use inner::Inner;
pub use places::SecretPlaces;
pub use within::mask_addresses;

use super::secret::{Credentials, REDACTED};

/// The protocols that StreamPulse speaks to cameras.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RTSP (RFC 2326), port 554.
    Rtsp,
    /// RTSP inside TLS, port 322.
    Rtsps,
    /// HTTP: MJPEG, port 80.
    Http,
    /// HTTP inside TLS, port 443.
    Https,
}

impl Scheme {
    /// Every scheme, as written in a URL.
    pub const NAMES: [&'static str; 4] = ["rtsp", "rtsps", "http", "https"];

    /// As written in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rtsp => "rtsp",
            Self::Rtsps => "rtsps",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port when the URL names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Rtsp => 554,
            Self::Rtsps => 322,
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// True for RTSP, with or without TLS.
    pub fn is_rtsp(self) -> bool {
        matches!(self, Self::Rtsp | Self::Rtsps)
    }

    /// True inside TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Rtsps | Self::Https)
    }
}

/// Why a text is not the address of a camera. One clause each, with the offending value and never a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// No `scheme://`.
    #[error("no scheme; write it as rtsp://host/path or http://host/path")]
    NoScheme,
    /// A scheme that is not spoken here.
    #[error("unknown scheme {found:?}{}", did_you_mean(.found))]
    UnknownScheme {
        /// As it was written.
        found: String,
    },
    /// Nothing where the host should be.
    #[error("no host after {0}://")]
    NoHost(&'static str),
    /// A host with characters that no host has.
    #[error("{0:?} is not a host name or address")]
    BadHost(String),
    /// Not a number from 1 to 65535.
    #[error("{0:?} is not a port; a port is a number from 1 to 65535")]
    BadPort(String),
    /// Not an address, and what was written in its place may be a password.
    #[error(
        "no plain host or port after {0}://; percent-encode special characters of the password (@ as %40, / as %2F)"
    )]
    NotPlain(&'static str),
    /// Control characters or spaces, which would break the request line.
    #[error("a space or control character in the address; write it percent-encoded (%20)")]
    ControlCharacter,
}

impl UrlError {
    /// Keeps what was written out of the error where it may be a part of a password: `rtsp://user:password` without
    /// a host reads like a host and a port.
    fn without_password(self, text: &str) -> Self {
        let (scheme, rest) = text.trim().split_once("://").unwrap_or_default();
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let sure = !text.contains('@')
            && match &self {
                Self::BadPort(port) => {
                    port.bytes().all(|b| b.is_ascii_digit()) && (host.contains(['.', ']']) || host == "localhost")
                }
                Self::BadHost(_) => !authority.contains(':') || has_zone(authority),
                _ => true,
            };
        match self {
            Self::BadPort(_) | Self::BadHost(_) if !sure => {
                let known = Scheme::NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(scheme));
                Self::NotPlain(known.unwrap_or("rtsp"))
            }
            Self::UnknownScheme { found } if found.contains([':', '@', '/']) => Self::NoScheme,
            other => other,
        }
    }
}

fn did_you_mean(found: &str) -> String {
    let near = match found.to_ascii_lowercase().as_str() {
        "rstp" | "rtps" | "rtp" | "rtspt" | "rtspu" => "rtsp",
        "htp" | "htttp" | "hhtp" => "http",
        "htps" | "htpps" => "https",
        _ => return format!("; use one of {}", Scheme::NAMES.join(", ")),
    };
    format!("; did you mean {near}?")
}

/// Scheme, host, port and path of a stream: of its credentials only those that the camera takes in path or query.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CameraUrl {
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    path_and_query: String,
}

impl CameraUrl {
    /// Reads an address and the credentials in it, percent-encoded or not.
    ///
    /// # Errors
    /// [`UrlError`], which never holds a password.
    pub fn parse(text: &str) -> Result<(Self, Option<Credentials>), UrlError> {
        Self::read(text).map_err(|error| error.without_password(text))
    }

    fn read(text: &str) -> Result<(Self, Option<Credentials>), UrlError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "rtsp" => Scheme::Rtsp,
            "rtsps" => Scheme::Rtsps,
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(UrlError::UnknownScheme { found: scheme.chars().take(16).collect() }),
        };
        let (userinfo, rest) = split_userinfo(!scheme.is_rtsp(), rest);
        let split = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err(UrlError::NoHost(scheme.as_str()));
        }
        let Some(host) = read_host(host) else {
            return Err(UrlError::BadHost(host.chars().take(80).collect()));
        };
        if path.chars().any(|c| c.is_control() || c == ' ') {
            return Err(UrlError::ControlCharacter);
        }
        let path_and_query = if path.is_empty() {
            "/".to_owned()
        } else if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        let credentials = userinfo.map(|info| {
            let (user, password) = info.split_once(':').unwrap_or((info, ""));
            Credentials::new(percent_decode(user), percent_decode(password))
        });
        if credentials.iter().any(|c| c.username.chars().chain(c.password.expose().chars()).any(char::is_control)) {
            return Err(UrlError::ControlCharacter);
        }
        Ok((Self { scheme, host, port, path_and_query }, credentials))
    }

    /// The protocol.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host name or address, an IPv6 address without its brackets; a link-local one may have its interface behind it,
    /// as in `fe80::1%eth0`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own when none was written.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// `/path?query`, at least `/`.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// The host when it is written as an address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.split('%').next()?.parse().ok()
    }

    /// For a person: with `user:***@` when there are credentials, and what looks like a secret in the path and the query
    /// masked.
    pub fn redacted(&self, credentials: Option<&Credentials>) -> String {
        let mut out = format!("{}://", self.scheme.as_str());
        if let Some(credentials) = credentials {
            out.push_str(&percent_encode(&credentials.username));
            out.push(':');
            out.push_str(REDACTED);
            out.push('@');
        }
        out.push_str(&self.authority());
        out.push_str(&Inner::of(&self.path_and_query).shown);
        out
    }

    /// The values in path and query that look like secrets, as written and decoded. Whoever scrubs texts adds them to
    /// what must not appear.
    pub fn secrets(&self) -> Vec<String> {
        Inner::of(&self.path_and_query).secrets
    }

    /// The account on the camera that path and query hold; the user is empty when there is only a password or a token.
    pub fn account(&self) -> Option<Credentials> {
        Inner::of(&self.path_and_query).account
    }

    /// That account, and those of addresses that stand in path and query.
    pub fn accounts(&self) -> Vec<Credentials> {
        let inner = Inner::of(&self.path_and_query);
        inner.account.into_iter().chain(inner.others).collect()
    }

    fn authority(&self) -> String {
        // RFC 6874: the percent sign before a zone is written percent-encoded.
        let host =
            if self.host.contains(':') { format!("[{}]", self.host.replace('%', "%25")) } else { self.host.clone() };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

/// The whole address without the credentials before the host but with path and query: for the wire, not for a person.
impl fmt::Display for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.path_and_query)
    }
}

impl fmt::Debug for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted(None))
    }
}

/// Decodes `%XX`; a `%` that does not start such a pair stays as it is, because people paste passwords raw. What does
/// not become UTF-8 stays as it is altogether.
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let pair = (bytes[i] == b'%').then(|| bytes.get(i + 1..i + 3)).flatten();
        let value = pair
            .filter(|p| p.iter().all(u8::is_ascii_hexdigit))
            .and_then(|p| std::str::from_utf8(p).ok())
            .and_then(|p| u8::from_str_radix(p, 16).ok());
        match value {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(decoded) => decoded,
        Err(_) => text.to_owned(),
    }
}

/// Percent-encodes everything outside RFC 3986's unreserved characters.
pub fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests;
