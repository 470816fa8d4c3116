//! A password that a device refused, so that it is not tried again and again.

use jiff::Timestamp;

use super::{Secret, Stream};

/// An account on a device, as it is configured. Holds no password: the fingerprint tells whether it was changed and is
/// too short (16 bits) to find it by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CameraAccount {
    /// Host of the device.
    pub host: String,
    /// User name.
    pub username: String,
    /// Of the password.
    pub fingerprint: u16,
}

impl CameraAccount {
    /// The account of a stream; `None` when it has no credentials.
    pub fn of(stream: &Stream) -> Option<Self> {
        let credentials = stream.credentials.as_ref()?;
        Some(Self {
            host: stream.device().to_ascii_lowercase(),
            username: credentials.username.clone(),
            fingerprint: fingerprint(Secret::expose(&credentials.password)),
        })
    }
}

/// FNV-1a (draft-eastlake-fnv), folded to 16 bits. It is stored: never change it.
fn fingerprint(password: &str) -> u16 {
    let hash = password
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ (hash >> 16) ^ (hash >> 32) ^ (hash >> 48)) as u16
}

/// How often in a row an account was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whose.
    pub account: CameraAccount,
    /// Probes in a row.
    pub count: u32,
    /// When it was refused last.
    pub last_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_stored_and_so_never_changes() {
        assert_eq!(fingerprint("open/se:sam@me"), 0x8e75);
        assert_ne!(fingerprint("old"), fingerprint("new"));
    }
}
