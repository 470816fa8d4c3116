//! Where in the text of an address the secrets stand: for whoever shows the text otherwise as it is.

use std::ops::Range;

use super::CameraUrl;
use super::authority::split_userinfo;
use super::inner::Inner;

/// The bytes of an address that nobody may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretPlaces {
    /// The password before the host.
    pub password: Option<Range<usize>>,
    /// Where path and query begin.
    pub path: usize,
    /// What looks like a secret in them.
    pub inner: Vec<Range<usize>>,
}

impl SecretPlaces {
    /// Looks for them, also in what is no address at all: then there may be too much in them, and never too little.
    pub fn of(text: &str) -> Self {
        let begin = text.find("://").map_or(0, |colon| colon + "://".len());
        let scheme = text[..begin].trim_start();
        let (rest, is_http) = (&text[begin..], scheme.starts_with("http"));
        if CameraUrl::parse(text).is_err() {
            return Self::of_no_address(text, begin);
        }
        let (userinfo, after) = split_userinfo(is_http, rest);
        let password = userinfo.and_then(|info| {
            let (user, password) = info.split_once(':')?;
            let start = begin + user.len() + 1;
            (!password.is_empty()).then(|| start..start + password.len())
        });
        let host = text.len() - after.len();
        let path = host + after.find(['/', '?', '#']).unwrap_or(after.len());
        Self { password, path, inner: within(text, path) }
    }

    /// Everything before the last `@` but the user; without one, what follows a colon in the place of the host.
    fn of_no_address(text: &str, begin: usize) -> Self {
        let rest = &text[begin..];
        let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (start, end) = match rest.rfind('@') {
            Some(at) => (rest[..at].find(':').map_or(0, |colon| colon + 1), at),
            None if begin > 0 => (rest[..authority].find(':').map_or(authority, |colon| colon + 1), authority),
            None => (0, 0),
        };
        let password = (start < end).then(|| begin + start..begin + end);
        let path = begin + end.max(authority);
        Self { password, path, inner: within(text, path) }
    }

    /// All of them, in their order.
    pub fn all(&self) -> impl Iterator<Item = Range<usize>> {
        self.password.iter().chain(&self.inner).cloned()
    }
}

fn within(text: &str, path: usize) -> Vec<Range<usize>> {
    Inner::of(&text[path..]).places.into_iter().map(|place| place.start + path..place.end + path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = text.to_owned();
        for place in SecretPlaces::of(text).all().collect::<Vec<_>>().into_iter().rev() {
            out.replace_range(place, "***");
        }
        out
    }

    #[test]
    fn only_the_secrets_are_in_them() {
        for (text, expected) in [
            ("rtsp://192.0.2.1/s", "rtsp://192.0.2.1/s"),
            ("rtsp://Admin%20x:p%40ss@CAM:554/s?x=1", "rtsp://Admin%20x:***@CAM:554/s?x=1"),
            (" rtsp://admin:p@ss/w#o@192.0.2.1/s", " rtsp://admin:***@192.0.2.1/s"),
            ("rtsp://admin@192.0.2.1/s", "rtsp://admin@192.0.2.1/s"),
            ("rtsp://admin:@192.0.2.1/s", "rtsp://admin:@192.0.2.1/s"),
            ("rtsp://ip/user=admin_password=x_channel=1", "rtsp://ip/user=admin_password=***_channel=1"),
            ("http://cam/a?user=u&pwd=p&x=1", "http://cam/a?user=u&pwd=***&x=1"),
            ("http://go2rtc/api?src=rtsp://u:s3@192.0.2.1/x", "http://go2rtc/api?src=rtsp://u:***@192.0.2.1/x"),
            ("http://go2rtc/api?src=rtsp%3A%2F%2Fu%3As3%40cam%2Fx&y=1", "http://go2rtc/api?src=***&y=1"),
            // No addresses.
            ("rtsp://admin:hunter2", "rtsp://admin:***"),
            ("rtsp://admin:hunter2@bad!host/x", "rtsp://admin:***@bad!host/x"),
            ("rtsp://admin:hun/ter2@bad!host/x", "rtsp://admin:***@bad!host/x"),
            ("rtsps:/admin:hunter2@cam/x", "rtsps:***@cam/x"),
            ("admin:hunter2@cam/x?token=y", "admin:***@cam/x?token=***"),
        ] {
            assert_eq!(shown(text), expected);
            assert_eq!(shown(expected), expected, "again");
        }
    }
}
