//! What a camera or a library says is shown to people only after this: no secret, no control character, bounded.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::model::secret::REDACTED;
use crate::model::url::percent_encode;
use crate::model::{CameraUrl, Credentials};

/// Longest text that is let through, in characters.
pub const MAX_CHARACTERS: usize = 200;

/// Marks where a text was cut.
pub const CUT: char = '…';

/// What begins a line that goes on with the one before it.
pub const INDENT: &str = "  ";

/// How often a text may be percent-encoded.
const MAX_DEPTH: usize = 3;

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
            bounded.push(CUT);
        }
        bounded.trim().to_owned()
    }

    /// A text of many lines as it may be shown; how long it is, is the caller's to bound. A secret is found also where it
    /// is percent-encoded only in part, where a line ends in it, and where [`CUT`] stands for the rest of it.
    pub fn clean_lines(&self, text: &str) -> String {
        let text = text.replace("\r\n", "\n");
        let text: String =
            text.chars().map(|c| if c != '\n' && (c.is_control() || is_bidi(c)) { ' ' } else { c }).collect();
        let mut hidden = vec![false; text.len()];
        let mut view = View::of(&text);
        for _ in 0..=MAX_DEPTH {
            self.forbidden.iter().for_each(|secret| view.hide(secret.as_bytes(), &mut hidden));
            match view.decoded() {
                Some(decoded) => view = decoded,
                None => break,
            }
        }
        let mut out = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            if !hidden[at] {
                out.push(c);
            } else if at == 0 || !hidden[at - 1] {
                out.push_str(REDACTED);
            }
        }
        out
    }
}

/// A text byte by byte, each with the place in the original that it stands for.
struct View(Vec<(u8, Range<usize>)>);

impl View {
    /// As it is, each end of line as a space, and what indents the next one no part of it.
    fn of(text: &str) -> Self {
        let (bytes, mut view, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
        while let Some(byte) = bytes.get(at) {
            let is_end = *byte == b'\n';
            let indent = if is_end && bytes[at + 1..].starts_with(INDENT.as_bytes()) { INDENT.len() } else { 0 };
            view.push((if is_end { b' ' } else { *byte }, at..at + 1 + indent));
            at += 1 + indent;
        }
        Self(view)
    }

    /// With each `%XX` as the byte it stands for; `None` when there is none.
    fn decoded(&self) -> Option<Self> {
        let digit = |at: usize| self.0.get(at).and_then(|(byte, _)| char::from(*byte).to_digit(16));
        let (mut decoded, mut at) = (Vec::with_capacity(self.0.len()), 0);
        while let Some((byte, place)) = self.0.get(at) {
            match (byte, digit(at + 1), digit(at + 2)) {
                (b'%', Some(high), Some(low)) => {
                    decoded.push(((high * 16 + low) as u8, place.start..self.0[at + 2].1.end));
                    at += 3;
                }
                _ => {
                    decoded.push((*byte, place.clone()));
                    at += 1;
                }
            }
        }
        (decoded.len() < self.0.len()).then_some(Self(decoded))
    }

    /// Marks where the secret stands in the original, or its beginning before a cut.
    fn hide(&self, secret: &[u8], hidden: &mut [bool]) {
        let is_at = |at: usize, wanted: &[u8]| {
            self.0.get(at..at + wanted.len()).is_some_and(|these| these.iter().map(|(byte, _)| byte).eq(wanted))
        };
        let mut mark = |range: Range<usize>| {
            self.0[range].iter().for_each(|(_, place)| hidden[place.clone()].fill(true));
        };
        let mut cut = [0; 4];
        let cut = CUT.encode_utf8(&mut cut).as_bytes();
        for at in 0..self.0.len() {
            if is_at(at, secret) {
                mark(at..at + secret.len());
            }
            if is_at(at, cut) {
                let piece =
                    (1..secret.len()).rev().find(|length| *length <= at && is_at(at - length, &secret[..*length]));
                mark(at - piece.unwrap_or(0)..at);
            }
        }
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
    fn lines_stay_lines_and_hold_no_secret() {
        let (url, _) = CameraUrl::parse("rtsp://cam/s").expect("url");
        let scrubber = Scrubber::new(&url, Some(&Credentials::new("admin", "ä p@s/1")));
        for (text, shown) in [
            ("a\r\nb\u{1b}c\td", "a\nb c d"),
            ("x ä p@s/1 y\nz ä\n  p@s/1 ä\np@s/1 w", "x *** y\nz *** *** w"),
            ("%C3%a4 p@s%2f1 ä%20p%40s/1 %25c3%2525a4%20p@s/1", "*** *** ***"),
            ("ä p@s… ä p%40… %c3… ä p@s/2…", "***… ***… ***… ä p@s/2…"),
            ("ä… p…", "***… p…"),
            ("100% %4 %zz ü%", "100% %4 %zz ü%"),
        ] {
            assert_eq!(scrubber.clean_lines(text), shown, "{text}");
        }
    }

    #[test]
    fn nothing_unprintable_or_endless_passes() {
        let scrubber = Scrubber::default();
        assert_eq!(scrubber.clean("a\r\nb\u{1b}[31m\u{202e}c"), "a  b [31m c");
        assert_eq!(scrubber.clean(&"x".repeat(5_000)).chars().count(), MAX_CHARACTERS + 1);
    }
}
