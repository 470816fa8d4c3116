//! Where a redirect may lead, and with what. Pure.
//!
//! A camera is hostile until proven otherwise: it must not make the monitor's machine ask its own loopback services, or
//! the metadata service of a cloud (169.254.169.254), and must not have the password sent elsewhere.

use std::net::{IpAddr, Ipv6Addr};

use crate::model::CameraUrl;

/// A camera that redirects more often than this is going round in circles.
pub const MAX_REDIRECTS: u32 = 5;

/// Longest part of a redirect's target that is shown, in characters.
const SHOWN_CHARACTERS: usize = 60;

/// The way of one probe, from redirect to redirect.
#[derive(Clone, Debug)]
pub struct Journey {
    configured: CameraUrl,
    here: CameraUrl,
    with_credentials: bool,
    followed: u32,
}

/// Where to go next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The new address.
    pub url: CameraUrl,
    /// False: the credentials stay here. Once left behind they are not taken up again.
    pub with_credentials: bool,
}

impl Journey {
    /// Before the first redirect of the configured address.
    pub fn new(configured: CameraUrl) -> Self {
        Self { here: configured.clone(), configured, with_credentials: true, followed: 0 }
    }

    /// What an answer with this `Location` leads to. `addresses` tells what a host name resolves to.
    ///
    /// # Errors
    /// Why it is not followed, in one clause without credentials and query.
    pub fn follow(&mut self, location: &str, addresses: impl Fn(&str) -> Vec<IpAddr>) -> Result<Step, String> {
        if self.followed == MAX_REDIRECTS {
            return Err(format!("more than {MAX_REDIRECTS} redirects, the last to {}", shown(location)));
        }
        let refused = |why: &str| Err(format!("a redirect to {}, {why}", shown(location)));
        // Credentials in it are the camera's idea, not its owner's.
        let Ok((url, _)) = CameraUrl::parse(&absolute(&self.here, location)) else {
            return refused("which is no camera's address");
        };
        if url.scheme().is_rtsp() != self.configured.scheme().is_rtsp() {
            return refused("which is another protocol");
        }
        let kinds = kinds(url.host(), &addresses);
        if kinds.iter().any(|kind| *kind != Kind::Elsewhere) {
            let own = self::kinds(self.configured.host(), &addresses);
            if kinds.iter().any(|kind| *kind != Kind::Elsewhere && !own.contains(kind)) {
                return refused("which is this machine or its link");
            }
        }
        let same_host = url.host() == self.configured.host();
        let to_plain = self.here.scheme().is_tls() && !url.scheme().is_tls();
        self.with_credentials &= same_host && !to_plain;
        self.here = url.clone();
        self.followed += 1;
        Ok(Step { url, with_credentials: self.with_credentials })
    }
}

/// Whose an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Loopback,
    LinkLocal,
    Elsewhere,
}

fn kinds(host: &str, addresses: impl Fn(&str) -> Vec<IpAddr>) -> Vec<Kind> {
    // A link-local address may have its interface behind it.
    if let Ok(ip) = host.split('%').next().unwrap_or(host).parse() {
        return vec![kind(ip)];
    }
    // RFC 6761 section 6.3.
    let name = host.trim_end_matches('.');
    if name == "localhost" || name.ends_with(".localhost") {
        return vec![Kind::Loopback];
    }
    addresses(host).into_iter().map(kind).collect()
}

fn kind(ip: IpAddr) -> Kind {
    match ip {
        // 0.0.0.0/8 reaches the machine itself on Linux.
        IpAddr::V4(v4) if v4.is_loopback() || v4.octets()[0] == 0 => Kind::Loopback,
        IpAddr::V4(v4) if v4.is_link_local() => Kind::LinkLocal,
        IpAddr::V4(_) => Kind::Elsewhere,
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => kind(v4),
            None if v6.is_loopback() || v6.is_unspecified() => Kind::Loopback,
            None if v6.is_unicast_link_local() => Kind::LinkLocal,
            None => Kind::Elsewhere,
        },
    }
}

/// The IPv4 address in a mapped one (RFC 4291 section 2.5.5.2), a compatible one (2.5.5.1) or one of NAT64 (RFC 6052).
fn embedded(v6: Ipv6Addr) -> Option<IpAddr> {
    if let Some(v4) = v6.to_ipv4_mapped() {
        return Some(v4.into());
    }
    let segments = v6.segments();
    let prefix = &segments[..6];
    let compatible = prefix == [0; 6] && segments[6] != 0;
    let nat64 = prefix == [0x64, 0xff9b, 0, 0, 0, 0];
    let [a, b, c, d] = [segments[6] >> 8, segments[6] & 0xff, segments[7] >> 8, segments[7] & 0xff].map(|s| s as u8);
    (compatible || nat64).then(|| IpAddr::from([a, b, c, d]))
}

/// A reference against where it was found (RFC 3986 section 5.2); dots in the path are the server's to resolve.
fn absolute(base: &CameraUrl, location: &str) -> String {
    let location = location.trim();
    let scheme_end = location.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    if scheme_end.is_some_and(|end| end > 0 && location[end..].starts_with(':')) {
        return location.to_owned();
    }
    let text = base.to_string();
    let scheme = base.scheme().as_str();
    let path = base.path_and_query();
    let origin = &text[..text.len() - path.len()];
    let path = path.split(['?', '#']).next().unwrap_or("/");
    match location {
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{origin}{location}"),
        _ if location.starts_with('?') => format!("{origin}{path}{location}"),
        _ => format!("{origin}{}{location}", &path[..=path.rfind('/').unwrap_or(0)]),
    }
}

/// A redirect's target for a person: bounded, without credentials, query and control characters.
fn shown(location: &str) -> String {
    let location = location.split(['?', '#']).next().unwrap_or_default();
    // `//host/path` has the scheme of the address before (RFC 3986 section 4.2).
    let location = match location.split_once("//") {
        Some((scheme, rest)) => {
            // Up to the last @: a password may hold a slash.
            format!("{scheme}//{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
        }
        None => location.rsplit_once('@').map_or(location, |(_, host)| host).to_owned(),
    };
    let mut shown: String = location.chars().filter(|c| c.is_ascii_graphic()).take(SHOWN_CHARACTERS).collect();
    if location.chars().count() > SHOWN_CHARACTERS {
        shown.push('…');
    }
    if shown.is_empty() { "nowhere".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> CameraUrl {
        CameraUrl::parse(text).expect(text).0
    }

    /// What the names of these tests resolve to.
    fn addresses(host: &str) -> Vec<IpAddr> {
        match host {
            "evil.example" => vec!["203.0.113.7".parse().unwrap(), "127.0.0.1".parse().unwrap()],
            "metadata.example" => vec!["169.254.169.254".parse().unwrap()],
            "home.example" => vec!["127.0.0.1".parse().unwrap()],
            "nowhere.example" => Vec::new(),
            _ => vec!["198.51.100.9".parse().unwrap()],
        }
    }

    fn follow(from: &str, location: &str) -> Result<(String, bool), String> {
        let step = Journey::new(url(from)).follow(location, addresses)?;
        Ok((step.url.to_string(), step.with_credentials))
    }

    #[test]
    fn where_it_leads_and_with_what() {
        for (from, location, to, with_credentials) in [
            ("rtsp://10.0.0.9/a", "rtsp://10.0.0.9/b", "rtsp://10.0.0.9/b", true),
            ("rtsp://10.0.0.9/a", "rtsp://10.0.0.9:8554/b", "rtsp://10.0.0.9:8554/b", true),
            ("rtsp://10.0.0.9/a", "rtsps://10.0.0.9/b", "rtsps://10.0.0.9/b", true),
            ("rtsps://10.0.0.9/a", "rtsp://10.0.0.9/b", "rtsp://10.0.0.9/b", false),
            ("rtsp://10.0.0.9/a", "rtsp://10.0.0.8/b", "rtsp://10.0.0.8/b", false),
            ("http://cam/a", "https://CAM/b", "https://cam/b", true),
            ("https://cam/a", "http://cam/b", "http://cam/b", false),
            ("http://cam/a", "http://x:y@other/b", "http://other/b", false),
            ("http://cam:81/a/b?c=1", "/d", "http://cam:81/d", true),
            ("http://cam:81/a/b?c=1", "d/e", "http://cam:81/a/d/e", true),
            ("http://cam:81/a/b?c=1", "?d=2", "http://cam:81/a/b?d=2", true),
            ("https://cam/a", "//cam/d", "https://cam/d", true),
            ("http://[2001:db8::1]:81/a", "/d", "http://[2001:db8::1]:81/d", true),
            ("rtsp://127.0.0.1/a", "rtsp://127.9.9.9/b", "rtsp://127.9.9.9/b", false),
            ("rtsp://home.example/a", "rtsp://127.0.0.1/b", "rtsp://127.0.0.1/b", false),
            ("rtsp://[::1]/a", "rtsp://localhost/b", "rtsp://localhost/b", false),
            ("rtsp://[fe80::1]/a", "rtsp://169.254.1.1/b", "rtsp://169.254.1.1/b", false),
        ] {
            assert_eq!(follow(from, location), Ok((to.to_owned(), with_credentials)), "{from} to {location}");
        }
    }

    #[test]
    fn where_it_may_not_lead() {
        for host in [
            "127.0.0.1",
            "127.200.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "camera.localhost",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::7f00:1]",
            "[64:ff9b::7f00:1]",
            "[fe80::1]",
            "[fe80::1%25eth0]",
            "[febf::1]",
            "169.254.169.254",
            "evil.example",
            "metadata.example",
        ] {
            for (from, scheme) in [("rtsp://10.0.0.9/a", "rtsp"), ("https://cam/a", "https")] {
                let refused = follow(from, &format!("{scheme}://{host}/x")).expect_err(host);
                assert!(refused.contains("this machine or its link"), "{host}: {refused}");
            }
        }
        // To one's own kind only: a camera on the link may not lead to loopback, nor the other way round.
        assert!(follow("rtsp://169.254.0.9/a", "rtsp://127.0.0.1/b").is_err());
        assert!(follow("rtsp://127.0.0.1/a", "rtsp://169.254.169.254/b").is_err());
        for (from, location) in [
            ("http://cam/a", "rtsp://cam/b"),
            ("rtsp://cam/a", "http://cam/b"),
            ("http://cam/a", "file:///etc/passwd"),
            ("http://cam/a", "gopher://cam/"),
            ("http://cam/a", "javascript:alert(1)"),
            ("http://cam/a", "http://"),
            ("http://cam/a", "http://ca\u{7}m/x y"),
        ] {
            assert!(follow(from, location).is_err(), "{from} to {location}");
        }
    }

    #[test]
    fn credentials_once_left_behind_stay_there() {
        let mut journey = Journey::new(url("http://cam/a"));
        assert!(!journey.follow("http://other/b", addresses).expect("other").with_credentials);
        assert!(!journey.follow("http://cam/c", addresses).expect("back").with_credentials);
    }

    #[test]
    fn five_are_followed_and_the_sixth_is_not() {
        let mut journey = Journey::new(url("http://cam/a"));
        for _ in 0..MAX_REDIRECTS {
            journey.follow("/a", addresses).expect("followed");
        }
        assert_eq!(journey.follow("/a", addresses).expect_err("the sixth"), "more than 5 redirects, the last to /a");
    }

    #[test]
    fn what_is_shown_holds_no_secret_and_has_an_end() {
        let refused = follow("http://cam/a", "ftp://admin:hunt/er2@cam/x?token=abc#f").expect_err("refused");
        assert_eq!(refused, "a redirect to ftp://cam/x, which is no camera's address");
        let refused = follow("http://cam/a", &format!("ftp://{}", "x\n".repeat(500))).expect_err("refused");
        assert!(refused.len() < 120 && !refused.contains('\n'), "{refused}");
    }
}
