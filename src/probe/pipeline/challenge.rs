//! Non-ASCII credentials over HTTP: which bytes does the camera want?
//!
//! libsoup sends Basic credentials as ISO 8859-1, as long as they fit; cameras and every other client use UTF-8
//! (RFC 7617 section 2.1). Digest it hashes as UTF-8. So who has such a password is asked first, without credentials,
//! which of the two it is.

use std::io::{Read as _, Write as _};
use std::time::Instant;

use super::dial::dial_until;
use crate::probe::exchange::{Transcript, Who};
use crate::probe::protocol::Target;

/// Longest head that is read.
const MAX_HEAD_BYTES: u64 = 16 * 1024;

/// User and password as `souphttpsrc` must be given them, so that the camera gets them as UTF-8.
pub fn credentials_for_soup(target: &Target, deadline: Instant, transcript: &Transcript) -> Option<(String, String)> {
    let (user, password) = target.credentials.clone()?;
    if user.is_ascii() && password.is_ascii() {
        return Some((user, password));
    }
    match ask(target, deadline, transcript) {
        Some(head) if wants_basic_only(&head) => Some((bytes_as_characters(&user), bytes_as_characters(&password))),
        _ => Some((user, password)),
    }
}

/// The head of the answer to a request without credentials.
fn ask(target: &Target, deadline: Instant, transcript: &Transcript) -> Option<String> {
    let mut connection = dial_until(target, deadline).ok()?;
    transcript.head(Who::We, &bare_get(target));
    connection.write_all(bare_get(target).as_bytes()).ok()?;
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while Instant::now() < deadline && (head.len() as u64) < MAX_HEAD_BYTES && !contains_end(&head) {
        match connection.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(length) => head.extend_from_slice(&chunk[..length]),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    transcript.head(Who::Camera, &head);
    Some(head)
}

/// A GET without credentials.
pub fn bare_get(target: &Target) -> String {
    let path = target.location.splitn(4, '/').nth(3).unwrap_or_default();
    let host = target.host_without_zone();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("GET /{path} HTTP/1.1\r\nHost: {host}:{}\r\nConnection: close\r\n\r\n", target.port)
}

fn contains_end(head: &[u8]) -> bool {
    head.windows(4).any(|window| window == b"\r\n\r\n")
}

/// True when the answer offers Basic and not Digest (RFC 9110 section 11.6.1).
fn wants_basic_only(head: &str) -> bool {
    let challenges: Vec<String> = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("www-authenticate"))
        .map(|(_, value)| value.to_ascii_lowercase())
        .collect();
    let offers = |scheme: &str| challenges.iter().any(|challenge| challenge.contains(scheme));
    offers("basic") && !offers("digest")
}

/// Each UTF-8 byte as the character with its number: in ISO 8859-1 that is the byte again.
fn bytes_as_characters(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_camera_offers() {
        assert!(wants_basic_only("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n"));
        assert!(!wants_basic_only(
            "HTTP/1.1 401 No\r\nwww-authenticate: Digest realm=\"x\"\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n"
        ));
        assert!(!wants_basic_only("HTTP/1.1 200 OK\r\n\r\n"));
        assert_eq!(bytes_as_characters("ü"), "\u{c3}\u{bc}");
    }
}
