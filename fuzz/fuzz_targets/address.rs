//! Camera addresses, ids, and the scrubber: what is read is read again to the same, and no password comes out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streampulse::model::{CameraUrl, Credentials, StreamId};
use streampulse::probe::scrub::Scrubber;

/// Around every password here. No fixed text of ours holds one.
const HEAD: &str = "Zq7";
const TAIL: &str = "7qZ";

fn any_address(text: &str) {
    match CameraUrl::parse(text) {
        Ok((url, credentials)) => {
            let plain = url.to_string();
            let (again, none) = CameraUrl::parse(&plain).unwrap_or_else(|e| panic!("{plain:?}: {e}"));
            assert!(again == url && none.is_none(), "{text:?} gives {plain:?}, which gives {again:?} {none:?}");
            let shown = url.redacted(credentials.as_ref());
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
            assert!(url.port() > 0 && !url.host().is_empty() && url.path_and_query().starts_with('/'));
        }
        Err(error) => assert!(!error.to_string().chars().any(char::is_control), "{error}"),
    }
}

/// A sound host behind any password: it is found, or the address is refused, and nobody is shown it.
fn any_password(password: &str, pick: u8) {
    // Only where a password begins is sure: `u:a@b/c@d/e` is also a camera b with the path /c@d/e.
    // The end of one and the beginning of the other may make a third.
    let begins_twice = format!("{HEAD}{password}{TAIL}")[1..].contains(HEAD);
    if begins_twice || password.contains(TAIL) {
        return;
    }
    const HOSTS: [&str; 5] = ["10.0.0.9", "[::1]:8554", "cam", "gate.example:554", "[fe80::1]"];
    const PATHS: [&str; 4] = ["", "/", "/s/1?x=2", "?a"];
    const USERS: [&str; 3] = ["admin", "", "a.b-c_d"];
    const SCHEMES: [&str; 3] = ["rtsp", "http", "rtps"];
    let (pick, password) = (usize::from(pick), format!("{HEAD}{password}{TAIL}"));
    let rest = format!("{}:{password}@{}{}", USERS[pick % 3], HOSTS[pick / 3 % 5], PATHS[pick / 15 % 4]);
    for scheme in SCHEMES {
        match CameraUrl::parse(&format!("{scheme}://{rest}")) {
            Ok((url, credentials)) => {
                let shown = format!("{} {url:?} {credentials:?}", url.redacted(credentials.as_ref()));
                assert!(!shown.contains(HEAD), "{rest:?} is shown as {shown:?}");
            }
            Err(error) => {
                let error = error.to_string();
                assert!(!error.contains(HEAD) && !error.contains(TAIL), "{rest:?} is refused with {error:?}");
            }
        }
    }
    if !password.contains(['&', '#']) {
        for key in ["password", "PWD", "token", "loginpas"] {
            let Ok((url, credentials)) = CameraUrl::parse(&format!("http://cam/snap?a=b&{key}={password}")) else {
                continue;
            };
            // With an `@` in it the address has another reading, which the rest of this file looks at.
            if credentials.is_none() && url.host() == "cam" {
                assert!(!url.redacted(None).contains(HEAD), "{url}");
                assert!(url.secrets().iter().any(|secret| secret.contains(HEAD)), "{url}");
            }
        }
    }
}

fn any_text(text: &str, password: &str) {
    let (url, _) = CameraUrl::parse("rtsp://cam/s?token=Zq7token7qZ").expect("an address");
    let credentials = Credentials::new("admin", password);
    let clean = Scrubber::new(&url, Some(&credentials)).clean(text);
    assert!(clean.chars().count() <= streampulse::probe::scrub::MAX_CHARACTERS + 1);
    assert!(!clean.chars().any(char::is_control));
    assert!(!clean.contains("Zq7token7qZ"));
    // `*` and `…` are what is put in its place.
    if !password.is_empty() && !password.contains(['*', '…']) {
        assert!(!clean.contains(password), "{password:?} in {clean:?} from {text:?}");
    }
}

fn any_name(name: &str, number: usize) {
    let id = StreamId::from_name(name);
    assert_eq!(StreamId::new(id.as_str()).as_ref(), Some(&id), "{name:?}");
    assert_eq!(StreamId::from_name(id.as_str()), id, "{name:?}");
    let numbered = id.numbered(number);
    assert_eq!(StreamId::new(numbered.as_str()), Some(numbered));
}

fuzz_target!(|data: &[u8]| {
    let [which, pick, rest @ ..] = data else { return };
    let text = String::from_utf8_lossy(rest);
    match which % 4 {
        0 => any_address(&text),
        1 => any_password(&text, *pick),
        2 => {
            let (password, text) = text.split_once('\n').unwrap_or((&text, ""));
            any_text(text, password);
            // The mutations need not find out how to write the password twice.
            any_text(&format!("{text}{password}{text}"), password);
        }
        _ => any_name(&text, usize::from(*pick) << (*pick % 57)),
    }
});
