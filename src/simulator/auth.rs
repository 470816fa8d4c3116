//! Basic and Digest authentication (RFC 2617, as RTSP and cameras use it).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::model::Credentials;

const REALM: &str = "Simulated camera";

/// Which challenges a camera sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthScheme {
    /// None: everybody may look.
    #[default]
    None,
    /// `Basic`.
    Basic,
    /// `Digest` with MD5.
    Digest,
    /// Both, `Digest` first.
    Both,
}

/// The account a camera asks for.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    pub(super) scheme: AuthScheme,
    pub(super) credentials: Option<Credentials>,
}

impl Auth {
    /// Everybody may look.
    pub fn none() -> Self {
        Self::default()
    }

    /// Basic.
    pub fn basic(username: &str, password: &str) -> Self {
        Self::new(AuthScheme::Basic, username, password)
    }

    /// Digest.
    pub fn digest(username: &str, password: &str) -> Self {
        Self::new(AuthScheme::Digest, username, password)
    }

    /// Digest or Basic, as the client likes.
    pub fn both(username: &str, password: &str) -> Self {
        Self::new(AuthScheme::Both, username, password)
    }

    fn new(scheme: AuthScheme, username: &str, password: &str) -> Self {
        Self { scheme, credentials: Some(Credentials::new(username, password)) }
    }

    /// The values of the `WWW-Authenticate` headers. A camera without an account that refuses all the same asks for
    /// Basic.
    pub(super) fn challenges(&self, nonce: &str) -> Vec<String> {
        let basic = format!("Basic realm=\"{REALM}\"");
        let digest = format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\"");
        match self.scheme {
            AuthScheme::None | AuthScheme::Basic => vec![basic],
            AuthScheme::Digest => vec![digest],
            AuthScheme::Both => vec![digest, basic],
        }
    }

    /// Whether an `Authorization` header opens the camera.
    pub(super) fn accepts(&self, header: Option<&str>, method: &str, nonce: &str) -> bool {
        let Some(credentials) = &self.credentials else { return true };
        let Some((scheme, rest)) = header.and_then(|h| h.trim().split_once(' ')) else { return false };
        if scheme.eq_ignore_ascii_case("basic") && matches!(self.scheme, AuthScheme::Basic | AuthScheme::Both) {
            let expected = format!("{}:{}", credentials.username, credentials.password.expose());
            return STANDARD.decode(rest.trim()).is_ok_and(|given| given == expected.as_bytes());
        }
        if scheme.eq_ignore_ascii_case("digest") && matches!(self.scheme, AuthScheme::Digest | AuthScheme::Both) {
            return accepts_digest(credentials, rest, method, nonce);
        }
        false
    }
}

fn accepts_digest(credentials: &Credentials, rest: &str, method: &str, nonce: &str) -> bool {
    let fields = fields(rest);
    let field = |name: &str| fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v.as_str());
    if field("nonce") != nonce || field("username") != credentials.username {
        return false;
    }
    // Not always ours: a camera may ask with the reply of another.
    let a1 = md5_hex(&format!("{}:{}:{}", credentials.username, field("realm"), credentials.password.expose()));
    let a2 = md5_hex(&format!("{method}:{}", field("uri")));
    let expected = match field("qop") {
        "" => md5_hex(&format!("{a1}:{nonce}:{a2}")),
        qop => md5_hex(&format!("{a1}:{nonce}:{}:{}:{qop}:{a2}", field("nc"), field("cnonce"))),
    };
    field("response").eq_ignore_ascii_case(&expected)
}

/// `name=value` and `name="value"` with commas between; a backslash in quotes escapes.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| *c == ',' || c.is_whitespace()).is_some() {}
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=') {
            name.push(c);
        }
        if chars.next().is_none() {
            return fields;
        }
        let mut value = String::new();
        if chars.next_if_eq(&'"').is_some() {
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' => value.extend(chars.next()),
                    c => value.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                value.push(c);
            }
        }
        fields.push((name.trim().to_owned(), value.trim().to_owned()));
    }
}

fn md5_hex(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The `Authorization` header of a client, for the tests of the servers.
#[cfg(test)]
pub(super) fn digest_header(user: &str, password: &str, method: &str, uri: &str, nonce: &str) -> String {
    let a1 = md5_hex(&format!("{user}:{REALM}:{password}"));
    let response = md5_hex(&format!("{a1}:{nonce}:{}", md5_hex(&format!("{method}:{uri}"))));
    format!("Digest username=\"{user}\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_and_fields_are_those_of_rfc_2617() {
        // Section 3.5: A1 of "Mufasa", "testrealm@host.com", "Circle Of Life".
        assert_eq!(md5_hex("Mufasa:testrealm@host.com:Circle Of Life"), "939e7578ed9e3c518a452acee763bce9");
        let parsed = fields(r#"username="a, \"b\"", qop=auth, nc=00000001 ,uri="/x=1""#);
        let expected = [("username", "a, \"b\""), ("qop", "auth"), ("nc", "00000001"), ("uri", "/x=1")];
        assert_eq!(parsed, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn only_the_account_opens_it() {
        let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let digest = |password: &str, nonce: &str| digest_header("admin", password, "DESCRIBE", "rtsp://x/1", nonce);
        let accepts = |auth: &Auth, header: &str| auth.accepts(Some(header), "DESCRIBE", "n1");
        assert!(Auth::none().accepts(None, "DESCRIBE", "n1"));
        for auth in [Auth::basic("admin", "p:w"), Auth::both("admin", "p:w")] {
            assert!(accepts(&auth, &basic("admin", "p:w")));
            assert!(!accepts(&auth, &basic("admin", "p:x")) && !auth.accepts(None, "DESCRIBE", "n1"));
        }
        for auth in [Auth::digest("admin", "p:w"), Auth::both("admin", "p:w")] {
            assert!(accepts(&auth, &digest("p:w", "n1")));
            assert!(!accepts(&auth, &digest("p:x", "n1")) && !accepts(&auth, &digest("p:w", "n2")));
            assert!(!auth.accepts(Some(&digest("p:w", "n1")), "SETUP", "n1"));
        }
        assert!(!accepts(&Auth::digest("admin", "p:w"), &basic("admin", "p:w")));
        assert!(!accepts(&Auth::basic("admin", "p:w"), &digest("p:w", "n1")));
    }
}
