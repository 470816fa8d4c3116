//! What a camera or a library says is shown to people only after this: no secret, no control character, bounded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::model::url::percent_encode;
use crate::model::{CameraUrl, Credentials};

/// Longest text that is let through, in characters.
pub const MAX_CHARACTERS: usize = 200;

/// Removes what must not be seen from texts about one stream.
#[derive(Clone, Debug, Default)]
pub struct Scrubber {
    forbidden: Vec<String>,
}

impl Scrubber {
    /// Knows every form in which this stream's secrets, those in path and query included, may come back: as they are,
    /// percent-encoded, and as the Base64 of Basic authentication (RFC 7617).
    pub fn new(url: &CameraUrl, credentials: Option<&Credentials>) -> Self {
        let mut forbidden: Vec<String> = url.secrets().iter().flat_map(|secret| forms(secret)).collect();
        for Credentials { username, password } in credentials.into_iter().chain(&url.accounts()) {
            let password = password.expose();
            if !password.is_empty() {
                let pair = format!("{username}:{password}");
                forbidden.extend([STANDARD.encode(&pair), STANDARD_NO_PAD.encode(&pair), STANDARD.encode(password)]);
                forbidden.extend(forms(password));
            }
        }
        forbidden.retain(|text| !text.is_empty());
        // The longest first, or a part of it would be replaced and the rest stay.
        forbidden.sort_by_key(|text| std::cmp::Reverse(text.len()));
        forbidden.dedup();
        Self { forbidden }
    }

    /// The text as it may be shown.
    pub fn clean(&self, text: &str) -> String {
        let hide = |text: String| self.forbidden.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***"));
        let printable =
            hide(text.to_owned()).chars().map(|c| if c.is_control() || is_bidi(c) { ' ' } else { c }).collect();
        // Again: only now may a tab have become the space in a password.
        let out = hide(printable);
        let mut bounded: String = out.chars().take(MAX_CHARACTERS).collect();
        if out.chars().count() > MAX_CHARACTERS {
            bounded.push('…');
        }
        bounded.trim().to_owned()
    }
}

/// As it is, and percent-encoded in upper and lower case.
fn forms(secret: &str) -> [String; 3] {
    let encoded = percent_encode(secret);
    [secret.to_owned(), encoded.to_ascii_lowercase(), encoded]
}

/// Characters that reorder what stands around them, which can make a log line or a page lie.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_does_not_hide_a_password() {
        let (url, _) = CameraUrl::parse("rtsp://cam/s").expect("url");
        let scrubber = Scrubber::new(&url, Some(&Credentials::new("admin", "open sesame")));
        assert_eq!(scrubber.clean("no: open\tsesame"), "no: ***");
    }

    #[test]
    fn every_form_of_the_password_goes() {
        let (url, _) = CameraUrl::parse("rtsp://cam/s?token=abcdef").expect("url");
        let credentials = Credentials::new("admin", "pä@s/1");
        let scrubber = Scrubber::new(&url, Some(&credentials));
        let basic = STANDARD.encode("admin:pä@s/1");
        let text = format!("x pä@s/1 y p%C3%A4%40s%2F1 z p%c3%a4%40s%2f1 w {basic} v abcdef");
        assert_eq!(scrubber.clean(&text), "x *** y *** z *** w *** v ***");
    }

    #[test]
    fn passwords_in_path_and_query_go_too() {
        let text = "http://go2rtc/api/user=admin&password=p%40ss%2F1&x=1?src=rtsp://u:s%23c@10.0.0.9/x";
        let scrubber = Scrubber::new(&CameraUrl::parse(text).expect("url").0, None);
        let basic = [STANDARD.encode("admin:p@ss/1"), STANDARD.encode("u:s#c")].join(" ");
        let said = format!("p%40ss%2F1 p@ss/1 p%40ss%2f1 s%23c s#c {basic}");
        assert_eq!(scrubber.clean(&said), "*** *** *** *** *** *** ***");
    }

    #[test]
    fn nothing_unprintable_or_endless_passes() {
        let scrubber = Scrubber::default();
        assert_eq!(scrubber.clean("a\r\nb\u{1b}[31m\u{202e}c"), "a  b [31m c");
        assert_eq!(scrubber.clean(&"x".repeat(5_000)).chars().count(), MAX_CHARACTERS + 1);
    }
}
