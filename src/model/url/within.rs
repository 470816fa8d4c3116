//! Addresses in texts that somebody else wrote: request lines, headers, descriptions of streams.

use super::authority::split_userinfo;
use super::inner::Inner;
use crate::model::secret::REDACTED;

/// The text with every password masked that stands in an address: before the host, in path or query, of whatever scheme.
/// A `password=…` outside an address is masked, too.
pub fn mask_addresses(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let body = word.trim_end();
            mask_userinfo(&mask_word(body)) + &word[body.len()..]
        })
        .collect()
}

fn mask_word(word: &str) -> String {
    let Some(colon) = word.find("://") else { return Inner::of(word).shown };
    let scheme = word[..colon].bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
    let (before, scheme) = word[..colon].split_at(colon - scheme);
    if before.contains('=') {
        // A parameter of something else, which knows how to look into it.
        return Inner::of(word).shown;
    }
    let rest = &word[colon + "://".len()..];
    let is_http = ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http));
    match split_userinfo(is_http, rest) {
        (Some(userinfo), rest) => format!("{before}{scheme}://{}@{}", masked(userinfo), Inner::of(rest).shown),
        (None, rest) => format!("{before}{scheme}://{}", Inner::of(rest).shown),
    }
}

/// Whatever stands before an `@` where RFC 3986 has the host, also where what follows it is no host: in quotes, say.
fn mask_userinfo(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find("://") {
        let (before, authority) = rest.split_at(colon + "://".len());
        shown.push_str(before);
        let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
        rest = authority;
        if let Some(at) = authority[..end].rfind('@') {
            shown.push_str(&masked(&authority[..at]));
            rest = &authority[at..];
        }
    }
    shown + rest
}

fn masked(userinfo: &str) -> String {
    match userinfo.split_once(':') {
        Some((user, _)) => format!("{user}:{REDACTED}"),
        // A token, or a user: nobody can tell.
        None => REDACTED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_and_the_rest_stays() {
        for (text, shown) in [
            ("DESCRIBE rtsp://10.0.0.9/s1 RTSP/1.0", "DESCRIBE rtsp://10.0.0.9/s1 RTSP/1.0"),
            ("rtsp://admin:hunter2@10.0.0.9/s1", "rtsp://admin:***@10.0.0.9/s1"),
            ("rtsp://admin:hun=ter2@cam/s1", "rtsp://admin:***@cam/s1"),
            ("rtsp://admin:hun@t/er2@10.0.0.9/s1", "rtsp://admin:***@10.0.0.9/s1"),
            ("<a href=\"ftp://u:hunter2@cam\">x", "<a href=\"ftp://u:***@cam\">x"),
            ("(rtsp://hunter2@cam)", "(rtsp://***@cam)"),
            ("GET /snap?user=a&password=hunter2&x=1 HTTP/1.1", "GET /snap?user=a&password=***&x=1 HTTP/1.1"),
            (
                "rtsp://cam/user=admin_password=hunter2_channel=1_stream=0.sdp",
                "rtsp://cam/user=admin_password=***_channel=1_stream=0.sdp",
            ),
            ("url=rtsp://u:hunter2@cam/x;seq=1 a\tb ", "url=rtsp://u:***@cam/x;seq=1 a\tb "),
            ("rtsp://cam/live@2 rtsp://cam/?token=hunter2", "rtsp://cam/live@2 rtsp://cam/?token=***"),
            ("/x?src=rtsp%3A%2F%2Fu%3Ahunter2%40cam%2Fx", "/x?src=rtsp://u:***@cam/x"),
            ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"),
        ] {
            assert_eq!(mask_addresses(text), shown);
            assert_eq!(mask_addresses(shown), shown, "again");
        }
    }
}
