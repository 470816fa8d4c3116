//! Bytes of cameras and clients: access units and JPEGs, requests and `Authorization` headers of RTSP and HTTP, cookies and
//! forwarded addresses.
#![no_main]

use std::net::SocketAddr;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use streampulse::model::{self, Codec};
use streampulse::probe::access_unit::{h264_is_keyframe, h265_is_keyframe};
use streampulse::probe::coded_size::{Refusal, check};
use warp::http::HeaderMap;
use warp::http::header::{COOKIE, HeaderValue};

// These parsers are private to their parts and stay so.
#[allow(dead_code, reason = "the target calls its parsers only")]
#[path = "../../src/simulator/auth.rs"]
mod auth;
#[allow(dead_code, reason = "the target calls its parsers only")]
#[path = "../../src/web/headers.rs"]
mod headers;
#[allow(dead_code, reason = "the target calls its parsers only")]
#[path = "../../src/simulator/request.rs"]
mod request;

fn any_access_unit(bytes: &[u8]) {
    let alone = (h264_is_keyframe(bytes), h265_is_keyframe(bytes));
    // A start code at the end begins an empty unit and changes nothing.
    let mut longer = bytes.to_vec();
    longer.extend([0, 0, 1]);
    assert_eq!((h264_is_keyframe(&longer), h265_is_keyframe(&longer)), alone);
    for codec in [Codec::H264, Codec::H265, Codec::Mjpeg] {
        // What is let through with a limit is let through with a higher one, and what is refused has more pixels.
        match check(codec, bytes, 1_000_000) {
            Ok(()) => assert_eq!(check(codec, bytes, u64::MAX), Ok(())),
            Err(Refusal::TooLarge((width, height))) => assert!(u64::from(width) * u64::from(height) > 1_000_000),
            Err(Refusal::Bomb) => assert_eq!(codec, Codec::Mjpeg),
        }
    }
}

fn any_request(bytes: &[u8]) {
    let mut inbox = BytesMut::from(bytes);
    loop {
        let before = inbox.len();
        match request::Request::take(&mut inbox) {
            Ok(Some(request)) => {
                assert!(inbox.len() < before);
                let _ = (request.path(), request.header("CSeq"));
            }
            Ok(None) | Err(_) => return,
        }
    }
}

fn any_authorization(text: &str) {
    for auth in [auth::Auth::basic, auth::Auth::digest, auth::Auth::both] {
        let auth = auth("admin", "Zq7");
        assert!(!auth.accepts(Some(text), "DESCRIBE", "nonce"), "{text:?}");
        assert!(!auth.accepts(Some(&format!("Digest {text}")), "DESCRIBE", "nonce"), "{text:?}");
    }
}

fn any_headers(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let mut map = HeaderMap::new();
    map.insert(COOKIE, value.clone());
    map.insert("x-forwarded-for", value);
    if let Some(value) = headers::cookie(&map, "sp_access") {
        assert!(!value.contains(';'));
    }
    let text = String::from_utf8_lossy(bytes);
    let networks = [text.lines().next().unwrap_or_default().to_owned(), "10.0.0.0/8".to_owned()];
    for peer in ["10.0.0.1:1", "[::1]:1", "192.0.2.1:1"] {
        let peer: SocketAddr = peer.parse().expect("an address");
        assert_eq!(headers::client_address(Some(peer), &map, &[]), peer.ip());
        headers::client_address(Some(peer), &map, &networks);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((which, rest)) = data.split_first() else { return };
    match which % 4 {
        0 => any_access_unit(rest),
        1 => any_request(rest),
        2 => any_authorization(&String::from_utf8_lossy(rest)),
        _ => any_headers(rest),
    }
});
