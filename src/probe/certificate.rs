//! Why a TLS connection was not to be had, in our words. Pure.

use crate::model::trust::Fingerprint;

/// One thing that is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nobody who is trusted signed it.
    UnknownAuthority,
    /// It signed itself, and is not trusted.
    SelfSigned,
    /// It names another host.
    OtherName,
    /// It is not valid yet.
    NotYetValid,
    /// It is not valid any more.
    Expired,
    /// Its authority took it back.
    Revoked,
    /// Its key or signature is too weak.
    Weak,
    /// It cannot be checked.
    Unclear,
}

impl Flaw {
    fn words(self) -> &'static str {
        match self {
            Self::UnknownAuthority => "is from an unknown authority",
            Self::SelfSigned => "is self-signed",
            Self::OtherName => "is for another name",
            Self::NotYetValid => "is not valid yet",
            Self::Expired => "has expired",
            Self::Revoked => "was revoked",
            Self::Weak => "has a weak key or signature",
            Self::Unclear => "cannot be checked",
        }
    }
}

/// Why TLS failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// No agreement before a certificate counted: most often there is no TLS at this port.
    Handshake,
    /// The certificate is not to be trusted.
    Certificate {
        /// At least one.
        flaws: Vec<Flaw>,
        /// Of the certificate that was seen.
        seen: Fingerprint,
    },
    /// Another certificate is pinned.
    NotPinned {
        /// Of the certificate that was seen.
        seen: Fingerprint,
    },
}

impl TlsFault {
    /// One clause, with the fingerprint by which the certificate can be pinned.
    pub fn detail(&self) -> String {
        match self {
            Self::Handshake => "no TLS handshake is possible at this port".to_owned(),
            Self::Certificate { flaws, seen } => {
                let words: Vec<&str> = flaws.iter().map(|flaw| flaw.words()).collect();
                format!("the certificate {}; its fingerprint is {seen}", words.join(" and "))
            }
            Self::NotPinned { seen } => format!("the certificate is not the pinned one; its fingerprint is {seen}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_names_what_failed_and_what_was_seen() {
        let seen = Fingerprint::from_digest([0xab; 32]);
        let flaws = vec![Flaw::Expired, Flaw::OtherName];
        assert_eq!(
            TlsFault::Certificate { flaws, seen }.detail(),
            format!(
                "the certificate has expired and is for another name; its fingerprint is sha256:{}",
                "ab".repeat(32)
            )
        );
        assert!(TlsFault::NotPinned { seen }.detail().contains(&seen.to_string()));
    }
}
