//! The address of a stream, with its credentials taken out.
//!
//! Camera passwords hold any character, and people paste them into URLs as they are. So this is not RFC 3986 to the
//! letter: the part before the host is found first (see [`split_userinfo`]), the rest must be a plain URL.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use thiserror::Error;

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
                Self::BadHost(_) => !authority.contains(':'),
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

/// Scheme, host, port and path of a stream: never its credentials.
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
        let (userinfo, rest) = split_userinfo(rest);
        let split = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err(UrlError::NoHost(scheme.as_str()));
        }
        if !is_host(host) {
            return Err(UrlError::BadHost(host.chars().take(80).collect()));
        }
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
        Ok((Self { scheme, host: host.to_ascii_lowercase(), port, path_and_query }, credentials))
    }

    /// The protocol.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
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
        self.host().parse().ok()
    }

    /// For a person: with `user:***@` when there are credentials, and query values that look like secrets masked.
    pub fn redacted(&self, credentials: Option<&Credentials>) -> String {
        let mut out = format!("{}://", self.scheme.as_str());
        if let Some(credentials) = credentials {
            out.push_str(&percent_encode(&credentials.username));
            out.push(':');
            out.push_str(REDACTED);
            out.push('@');
        }
        out.push_str(&self.authority());
        out.push_str(&redact_query(&self.path_and_query));
        out
    }

    /// The values in the query that look like secrets (`?user=…&password=…` in many cameras' snapshot addresses),
    /// as written and decoded. Whoever scrubs texts adds them to what must not appear.
    pub fn query_secrets(&self) -> Vec<String> {
        let Some((_, query)) = self.path_and_query.split_once('?') else { return Vec::new() };
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, value)| is_secret_key(key) && !value.is_empty())
            .flat_map(|(_, value)| [value.to_owned(), percent_decode(value)])
            .collect()
    }

    fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

/// The whole address without credentials but with its query: for the wire, not for a person.
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

/// Splits `user:password@host…` when there are credentials in it.
///
/// A password may hold `@ : / ? #` as they are. The split is at the last `@` that is followed by something that can
/// be a host; an `@` behind the first `/` counts only when what stands before that `/` cannot itself be `host:port`,
/// or when what follows is a literal address, so that `rtsp://cam/live@2` stays a path.
fn split_userinfo(rest: &str) -> (Option<&str>, &str) {
    let first_slash = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let plain_authority =
        !rest[..first_slash].contains('@') && split_port(&rest[..first_slash]).is_ok_and(|(host, _)| is_host(host));
    for (at, _) in rest.match_indices('@').rev() {
        let after = &rest[at + 1..];
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let Ok((host, port)) = split_port(&after[..end]) else { continue };
        if !is_host(host) {
            continue;
        }
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let behind_slash = at > first_slash;
        let has_colon = rest[..at].contains(':');
        if !behind_slash || (has_colon && (literal || (!plain_authority && (port.is_some() || host.contains('.'))))) {
            return (Some(&rest[..at]), after);
        }
        // `user:pa/ss@host/path`: only a single-label host is left, which is a host when nothing else can be.
        if has_colon && !plain_authority && !rest[..first_slash].contains('@') {
            return (Some(&rest[..at]), after);
        }
    }
    (None, rest)
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
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

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host.len() <= 253
        && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
        && host.chars().any(|c| c.is_alphanumeric())
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

fn redact_query(path_and_query: &str) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else { return path_and_query.to_owned() };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((key, _)) if is_secret_key(key) => format!("{key}={REDACTED}"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", pairs.join("&"))
}

/// Parameter names under which cameras take passwords and tokens (Reolink `password`, Foscam `pwd`, Amcrest `token`, …).
fn is_secret_key(key: &str) -> bool {
    const KEYS: [&str; 12] = [
        "password",
        "passwd",
        "pass",
        "pwd",
        "loginpas",
        "token",
        "auth",
        "key",
        "apikey",
        "api_key",
        "secret",
        "access_token",
    ];
    KEYS.contains(&key.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Option<(String, String)>) {
        let (url, credentials) = CameraUrl::parse(text).expect(text);
        (url.to_string(), credentials.map(|c| (c.username, c.password.expose().to_owned())))
    }

    fn with(url: &str, user: &str, password: &str) -> (String, Option<(String, String)>) {
        (url.to_owned(), Some((user.to_owned(), password.to_owned())))
    }

    #[test]
    fn credentials_with_any_character() {
        let plain = "rtsp://10.0.0.9:554/s1";
        for (text, password) in [
            ("rtsp://admin:secret@10.0.0.9:554/s1", "secret"),
            ("rtsp://admin:p@ss@10.0.0.9:554/s1", "p@ss"),
            ("rtsp://admin:p%40ss@10.0.0.9:554/s1", "p@ss"),
            ("rtsp://admin:a/b@10.0.0.9:554/s1", "a/b"),
            ("rtsp://admin:a?b#c:d@10.0.0.9:554/s1", "a?b#c:d"),
            ("rtsp://admin:100%@10.0.0.9:554/s1", "100%"),
            ("rtsp://admin:12/34@10.0.0.9:554/s1", "12/34"),
            ("rtsp://admin:p%C3%A4ss@10.0.0.9:554/s1", "päss"),
            ("rtsp://admin:@10.0.0.9:554/s1", ""),
        ] {
            assert_eq!(parsed(text), with(plain, "admin", password), "{text}");
        }
        assert_eq!(parsed("rtsp://u:a/b@cam/x"), with("rtsp://cam/x", "u", "a/b"));
        assert_eq!(parsed("rtsp://u:p@[fe80::1]:8554/x"), with("rtsp://[fe80::1]:8554/x", "u", "p"));
    }

    #[test]
    fn an_at_sign_in_the_path_is_not_a_password() {
        for text in
            ["rtsp://cam/live@2", "rtsp://cam:554/live@2", "http://cam/x?mail=a@b", "rtsp://cam:554/a@b.example/c"]
        {
            assert_eq!(parsed(text), (text.to_owned(), None));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, message) in [
            ("10.0.0.9/s1", "no scheme; write it as rtsp://host/path or http://host/path"),
            ("rtps://10.0.0.9", "unknown scheme \"rtps\"; did you mean rtsp?"),
            ("ftp://x", "unknown scheme \"ftp\"; use one of rtsp, rtsps, http, https"),
            ("rtsp:///s1", "no host after rtsp://"),
            ("rtsp://10.0.0.9:99999/s1", "\"99999\" is not a port; a port is a number from 1 to 65535"),
            ("rtsp://cam/a b", "a space or control character in the address; write it percent-encoded (%20)"),
        ] {
            assert_eq!(CameraUrl::parse(text).expect_err(text).to_string(), message);
        }
    }

    #[test]
    fn no_error_holds_a_password() {
        for text in [
            "rtsp://admin:hunter2",
            "rtsp://admin:hunter2@cam era/x",
            "rtsp://admin:hunter2@bad!host/x",
            "rtsp://admin:hunter2@10.0.0.9:99999/x",
            "rtsp://admin:424242/x",
            "admin:hunter2@10.0.0.9://x",
            "rtsp://hunter2!@/x",
        ] {
            let error = CameraUrl::parse(text).expect_err(text).to_string();
            assert!(!error.contains("hunter2") && !error.contains("424242"), "{text}: {error}");
        }
    }

    #[test]
    fn a_person_sees_no_secret() {
        let (url, credentials) =
            CameraUrl::parse("http://admin:s3cret@cam/snap.cgi?user=x&password=s3cret").expect("parse");
        let shown = url.redacted(credentials.as_ref());
        assert_eq!(shown, "http://admin:***@cam/snap.cgi?user=x&password=***");
        assert!(!format!("{url:?}{credentials:?}").contains("s3cret"));
        assert_eq!(url.query_secrets(), ["s3cret", "s3cret"]);
    }
}
