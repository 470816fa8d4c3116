//! Requests of RTSP and HTTP, which look alike.

use bytes::{Buf, BytesMut};

/// Longest request that is read, bytes.
const MAX_BYTES: usize = 65_536;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// As it was written: an URL, a path or `*`.
    pub(super) target: String,
    /// `RTSP/1.0`, `HTTP/1.1`.
    pub(super) version: String,
    headers: Vec<(String, String)>,
}

/// What does not look like a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotARequest;

impl Request {
    /// Takes the next request out of what was received; `None` when it is not complete. Interleaved packets of the
    /// client (its RTCP reports) are passed over.
    pub(super) fn take(inbox: &mut BytesMut) -> Result<Option<Self>, NotARequest> {
        while inbox.first() == Some(&b'$') {
            let Some(header) = inbox.get(2..4) else { return Ok(None) };
            let length = 4 + usize::from(u16::from_be_bytes([header[0], header[1]]));
            if inbox.len() < length {
                return Ok(None);
            }
            inbox.advance(length);
        }
        // A TLS handshake, for one.
        if inbox.first().is_some_and(|byte| !byte.is_ascii_alphabetic() && !b"\r\n".contains(byte)) {
            return Err(NotARequest);
        }
        let Some(end) = inbox.windows(4).position(|w| w == b"\r\n\r\n") else {
            return if inbox.len() > MAX_BYTES { Err(NotARequest) } else { Ok(None) };
        };
        let head = String::from_utf8_lossy(&inbox[..end]).into_owned();
        let mut lines = head.split("\r\n").skip_while(|line| line.is_empty());
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
            return Err(NotARequest);
        };
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let request =
            Self { method: method.to_owned(), target: target.to_owned(), version: version.to_owned(), headers };
        let body = request.header("Content-Length").and_then(|l| l.parse::<usize>().ok()).unwrap_or(0);
        if body > MAX_BYTES {
            return Err(NotARequest);
        }
        if inbox.len() < end + 4 + body {
            return Ok(None);
        }
        inbox.advance(end + 4 + body);
        Ok(Some(request))
    }

    /// The value of a header, by its name in any case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Path and query of the target.
    pub(super) fn path(&self) -> &str {
        match self.target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => &self.target,
        }
    }
}

/// The words of RFC 2326 section 7.1.1 and RFC 9110.
pub(super) fn reason_phrase(code: u16) -> &'static str {
    match code {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        453 => "Not Enough Bandwidth",
        454 => "Session Not Found",
        455 => "Method Not Valid in This State",
        461 => "Unsupported Transport",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_out_one_by_one_whole_or_not_at_all() {
        let text =
            b"$\x01\x00\x02hiGET_PARAMETER rtsp://h:1/a/b?c=1 RTSP/1.0\r\nCSeq: 7\r\nContent-Length: 4\r\n\r\nbodyX";
        for cut in 0..text.len() - 1 {
            let mut inbox = BytesMut::from(&text[..cut]);
            assert_eq!(Request::take(&mut inbox), Ok(None), "cut at {cut}");
        }
        let mut inbox = BytesMut::from(&text[..]);
        let request = Request::take(&mut inbox).expect("sound").expect("whole");
        assert_eq!((request.method.as_str(), request.path()), ("GET_PARAMETER", "/a/b?c=1"));
        assert_eq!(request.header("cseq"), Some("7"));
        assert_eq!(inbox.as_ref(), b"X");
        assert_eq!(Request::take(&mut BytesMut::from("hello\r\n\r\n")), Err(NotARequest));
    }
}
