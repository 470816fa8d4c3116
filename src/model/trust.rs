//! Which certificate a camera may show.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// SHA-256 of a certificate (its DER), by which a person pins it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Takes a digest.
    pub fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Reads 64 hexadecimal digits; colons and case do not matter, `sha256:` may stand before them.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let digits = text.strip_prefix("sha256:").unwrap_or(&text).replace(':', "");
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut digest = [0; 32];
        for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
        }
        Some(Self(digest))
    }
}

/// `sha256:` and 64 digits, as [`Fingerprint::parse`] takes it.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a stream's configuration says of the camera's certificate. By default the system's authorities decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// False: any certificate is taken, unless one is pinned.
    pub verify: bool,
    /// Authorities beside the system's: the text of a file of PEM certificates.
    pub authorities: Option<Arc<str>>,
    /// The one certificate that is taken, whoever signed it and whatever it says.
    pub pinned: Option<Fingerprint>,
}

impl Default for Trust {
    fn default() -> Self {
        Self { verify: true, authorities: None, pinned: None }
    }
}

/// The certificates of a PEM text (RFC 7468 section 5), each with its armour. What is none, or is damaged, is left out.
pub fn certificates_in_pem(text: &str) -> Vec<&str> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        rest = &rest[start..];
        let Some(end) = rest.find(END) else { break };
        let base64: String = rest[BEGIN.len()..end].split_whitespace().collect();
        // A certificate is a DER SEQUENCE; the shortest have about 200 bytes.
        if STANDARD.decode(base64).is_ok_and(|der| der.starts_with(&[0x30]) && der.len() > 100) {
            found.push(&rest[..end + END.len()]);
        }
        rest = &rest[end + END.len()..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_write_it() {
        let plain = "00ff".repeat(16);
        let expected = Fingerprint::parse(&plain).expect("plain");
        assert_eq!(expected.to_string(), format!("sha256:{plain}"));
        let upper = plain.to_uppercase();
        let colons: Vec<&str> = (0..32).map(|at| &upper[at * 2..at * 2 + 2]).collect();
        for text in [format!("SHA256:{plain}"), colons.join(":"), format!(" sha256:{} ", colons.join(":"))] {
            assert_eq!(Fingerprint::parse(&text), Some(expected), "{text}");
        }
        for bad in ["", "sha256:", &plain[1..], &format!("{plain}0"), &plain.replace('f', "g"), "sha1:00ff"] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn certificates_are_found_among_other_things() {
        let der = STANDARD.encode([&[0x30, 0x82, 1, 0][..], &[7; 256]].concat());
        let one = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----");
        let damaged = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----";
        let key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----";
        let text = format!("a comment\n{one}\n{key}\n{damaged}\n{one}\n-----BEGIN CERTIFICATE-----\n{der}");
        assert_eq!(certificates_in_pem(&text), [one.as_str(), one.as_str()]);
        assert!(certificates_in_pem("").is_empty() && certificates_in_pem(key).is_empty());
    }
}
