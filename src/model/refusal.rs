//! A password that a device refused, so that it is not tried again and again.

use jiff::Timestamp;

use super::{CameraUrl, Credentials, Stream};

/// An account on a device, as it is configured. Holds no password: the fingerprint tells whether it was changed and is
/// too short (16 bits) to find it by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CameraAccount {
    /// Host of the device, in lower case, without the dot that may end a name.
    pub host: String,
    /// User name; empty when there is only a password or a token.
    pub username: String,
    /// Of the password.
    pub fingerprint: u16,
}

impl CameraAccount {
    /// The account of a stream; `None` when it has no credentials.
    pub fn of(stream: &Stream) -> Option<Self> {
        Self::at(&stream.url, stream.credentials.as_ref())
    }

    /// The account at an address: these credentials, else those that stand in its path or query. Where there are both,
    /// either may be what is wrong, and so a change of either is a change.
    pub fn at(url: &CameraUrl, credentials: Option<&Credentials>) -> Option<Self> {
        let given = credentials.filter(|given| !given.username.is_empty() || !given.password.expose().is_empty());
        let inner = url.account();
        let (username, password) = match (given, &inner) {
            (Some(given), None) => (&given.username, given.password.expose().to_owned()),
            (None, Some(inner)) => (&inner.username, inner.password.expose().to_owned()),
            (Some(given), Some(inner)) => {
                (&given.username, format!("{}\0{}", given.password.expose(), inner.password.expose()))
            }
            (None, None) => return None,
        };
        let host = url.host().trim_end_matches('.').to_ascii_lowercase();
        Some(Self { host, username: username.clone(), fingerprint: fingerprint(&password) })
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

    fn account(url: &str, separate: Option<(&str, &str)>) -> Option<CameraAccount> {
        let (url, in_url) = CameraUrl::parse(url).expect(url);
        CameraAccount::at(&url, separate.map(|(u, p)| Credentials::new(u, p)).or(in_url).as_ref())
    }

    #[test]
    fn an_account_is_found_wherever_the_address_holds_it() {
        let expected = account("rtsp://admin:s3@cam/x", None).expect("an account");
        assert_eq!((expected.host.as_str(), expected.username.as_str()), ("cam", "admin"));
        for url in [
            "rtsp://admin:s3@CAM./x",
            "http://cam/snap.cgi?user=admin&password=s3",
            "http://cam/snap.cgi?u=admin&p=s3",
            "rtsp://cam/user=admin&password=s3&channel=2&stream=0.sdp?real_stream",
            "rtsp://cam:554/user=admin_password=s3_channel=1_stream=0.sdp",
            "http://cam/snap.cgi?loginuse=admin&loginpas=%733",
        ] {
            assert_eq!(account(url, None), Some(expected.clone()), "{url}");
        }
        assert_eq!(account("http://cam/x", Some(("admin", "s3"))), Some(expected));
        assert_eq!(account("http://cam/snap.cgi?token=s3", None).expect("a token").username, "");
        for url in ["rtsp://cam/x", "http://cam/x?user=admin", "rtsp://:@cam/x"] {
            assert_eq!(account(url, None), None, "{url}");
        }
        // Both may be what is wrong, so a change of either is a change.
        let both = |url| account(url, Some(("admin", "s3"))).expect("an account").fingerprint;
        assert_ne!(both("http://cam/x?password=a"), both("http://cam/x?password=b"));
    }

    #[test]
    fn the_fingerprint_is_stored_and_so_never_changes() {
        assert_eq!(fingerprint("open/se:sam@me"), 0x8e75);
        assert_ne!(fingerprint("old"), fingerprint("new"));
    }
}
