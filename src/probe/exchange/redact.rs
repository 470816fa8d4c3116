//! What of a protocol's messages nobody may see, whoever's it is: credentials, cookies, keys, sessions, nonces.
//!
//! Works on the text of a transcript line by line, so that it can be done again where the worker is not believed.

use crate::model::secret::REDACTED;
use crate::model::url::mask_addresses;
use crate::probe::scrub::INDENT;

/// Headers whose whole value goes (RFC 9110 section 11, RFC 6265), in lower case.
const SECRET: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "set-cookie", "set-cookie2"];

/// Parts of names that say that a header of somebody's own is one of these.
const SECRET_PARTS: [&str; 8] =
    ["token", "secret", "passw", "credential", "cookie", "api-key", "apikey", "authorization"];

/// Headers with challenges and what belongs to them (RFC 9110 section 11.6, RFC 7616 section 3.5).
const CHALLENGES: [&str; 4] =
    ["www-authenticate", "proxy-authenticate", "authentication-info", "proxy-authentication-info"];

/// Parameters of a challenge that are no secret and tell what the camera wants (RFC 7616 section 3.3).
const SHOWN: [&str; 7] = ["realm", "algorithm", "qop", "stale", "charset", "userhash", "domain"];

/// Lines of a description that carry keys (RFC 4568, RFC 4567, RFC 4566 section 5.12).
const KEYS: [&str; 3] = ["a=crypto:", "a=key-mgmt:", "k="];

/// Longest name of an authentication scheme; what is longer is its token.
const LONGEST_SCHEME: usize = 16;

/// The text of a transcript without them.
pub fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // What the line before was: its folded continuations (RFC 2326 section 4.2) are the same.
    let mut hidden = false;
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let (indent, content) = line.strip_prefix(INDENT).map_or(("", line), |content| (INDENT, content));
        shown.push_str(indent);
        let goes_on = !indent.is_empty() && content.starts_with([' ', '\t']);
        if goes_on && hidden {
            shown.push_str(REDACTED);
        } else {
            let header = if indent.is_empty() { None } else { redact_header(content) };
            hidden = header.is_some();
            shown.push_str(&header.unwrap_or_else(|| mask_addresses(content)));
        }
        shown.push_str(end);
    }
    shown
}

/// A line that holds a secret, without it; `None` when it is another line.
fn redact_header(line: &str) -> Option<String> {
    let lower = line.trim_start().to_ascii_lowercase();
    if let Some(key) = KEYS.into_iter().find(|key| lower.starts_with(key)) {
        return Some(format!("{key}{REDACTED}"));
    }
    let (name, value) = line.split_once(':')?;
    let known = name.trim().to_ascii_lowercase();
    let is_name = !known.is_empty() && known.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let shown = match known.as_str() {
        _ if !is_name => return None,
        known if CHALLENGES.contains(&known) => challenge(value),
        "session" => session(value),
        known if SECRET.contains(&known) || SECRET_PARTS.iter().any(|part| known.contains(part)) => REDACTED.to_owned(),
        _ => return None,
    };
    Some(format!("{name}: {shown}"))
}

/// The session's name goes, how long it lasts stays (RFC 2326 section 12.37).
fn session(value: &str) -> String {
    let timeout = value.split(';').skip(1).find(|part| part.trim().to_ascii_lowercase().starts_with("timeout"));
    // A number and nothing else.
    let seconds = timeout.and_then(|part| part.split_once('=')).map(|(_, seconds)| seconds.trim());
    match seconds.filter(|seconds| (1..=6).contains(&seconds.len()) && seconds.bytes().all(|b| b.is_ascii_digit())) {
        Some(seconds) => format!("{REDACTED};timeout={seconds}"),
        None => REDACTED.to_owned(),
    }
}

/// Schemes and the parameters that are no secret (RFC 9110 section 11.3); of the others only the names.
fn challenge(value: &str) -> String {
    let mut shown = String::new();
    let mut rest = value.trim();
    while let Some(first) = rest.chars().next() {
        if first == ',' || first.is_whitespace() {
            let separators = rest.len() - rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace()).len();
            shown.push_str(if rest[..separators].contains(',') { ", " } else { " " });
            rest = &rest[separators..];
            continue;
        }
        let word_end = rest.find(|c: char| c == ',' || c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        let is_word = word.len() <= LONGEST_SCHEME && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        shown.push_str(if is_word { word } else { REDACTED });
        rest = after;
        if let Some(of) = after.trim_start().strip_prefix('=') {
            let of = of.trim_start();
            let end = end_of_value(of);
            let is_shown = SHOWN.iter().any(|name| name.eq_ignore_ascii_case(word));
            shown.push('=');
            shown.push_str(&if is_shown { mask_addresses(&of[..end]) } else { REDACTED.to_owned() });
            rest = &of[end..];
        }
    }
    shown
}

/// Where a token or a quoted string ends (RFC 9110 section 5.6.4).
fn end_of_value(value: &str) -> usize {
    let Some(quoted) = value.strip_prefix('"') else {
        return value.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(value.len());
    };
    let mut escaped = false;
    let end = quoted.char_indices().find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(value.len(), |(at, _)| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_header_keeps_what_tells_something() {
        for (line, shown) in [
            ("Authorization: Basic YWRtaW46aHVudGVyMg==", "Authorization: ***"),
            ("AUTHORIZATION : Digest username=\"a\", response=\"hunter2\"", "AUTHORIZATION : ***"),
            ("proxy-authorization:hunter2", "proxy-authorization: ***"),
            ("Set-Cookie: id=hunter2; Path=/", "Set-Cookie: ***"),
            ("x-sessioncookie: hunter2", "x-sessioncookie: ***"),
            ("X-Auth-Token: hunter2", "X-Auth-Token: ***"),
            ("Session: hunter2;timeout=60", "Session: ***;timeout=60"),
            ("session:hunter2 ; Timeout = 60;x=hunter2", "session: ***;timeout=60"),
            ("Session: hunter2;timeout=hunter2", "Session: ***"),
            (
                "WWW-Authenticate: Digest realm=\"IP Camera, \\\"yard\\\"\", nonce=\"hunter2\", opaque=hunter2,stale=FALSE",
                "WWW-Authenticate: Digest realm=\"IP Camera, \\\"yard\\\"\", nonce=***, opaque=***, stale=FALSE",
            ),
            ("www-authenticate: Basic realm=\"x\"", "www-authenticate: Basic realm=\"x\""),
            ("WWW-Authenticate: Negotiate hunter2hunter2hunter2==", "WWW-Authenticate: Negotiate ***=***"),
            ("WWW-Authenticate: Digest nonce=\"hunter2", "WWW-Authenticate: Digest nonce=***"),
            ("Authentication-Info: nextnonce=\"hunter2\"", "Authentication-Info: nextnonce=***"),
            ("Content-Base: rtsp://admin:hunter2@cam/s1/", "Content-Base: rtsp://admin:***@cam/s1/"),
            ("Location: /x?user=admin&pwd=hunter2", "Location: /x?user=admin&pwd=***"),
            ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:hunter2", "a=crypto:***"),
            ("k=base64:hunter2", "k=***"),
            ("a=control:rtsp://u:hunter2@cam/t1", "a=control:rtsp://u:***@cam/t1"),
            ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"),
            ("rtsp://u:hunter2@cam/", "rtsp://u:***@cam/"),
        ] {
            let redacted = redact(&format!("{INDENT}{line}"));
            assert_eq!(redacted, format!("{INDENT}{shown}"));
            assert_eq!(redact(&redacted), redacted, "again");
        }
    }

    #[test]
    fn folded_lines_are_the_same_header() {
        let text = "+0.1 ms > GET rtsp://u:hunter2@cam/ RTSP/1.0\n  Authorization: Digest\n   response=\"hunter2\"\n  \thunter2\n  CSeq: 1\n   2\n";
        let shown = "+0.1 ms > GET rtsp://u:***@cam/ RTSP/1.0\n  Authorization: ***\n  ***\n  ***\n  CSeq: 1\n   2\n";
        assert_eq!(redact(text), shown);
    }

    #[test]
    fn junk_stays_junk_and_ends() {
        for line in [":", "=:=", "\u{fffd}\u{fffd}: \u{fffd}", "WWW-Authenticate: =,==\"\\", "Session:", "é: ü", ""] {
            let text = format!("{INDENT}{line}\n");
            assert!(redact(&text).starts_with(INDENT), "{line:?}");
        }
        let long = format!("{INDENT}Cookie: {}", "x".repeat(1_000_000));
        assert_eq!(redact(&long), format!("{INDENT}Cookie: ***"));
        let long = format!("{INDENT}WWW-Authenticate: {}", "a=\",".repeat(1_000));
        assert!(redact(&long).len() < long.len() + 16);
    }
}
