use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> (String, Option<(String, String)>) {
    let (url, credentials) = CameraUrl::parse(text).expect(text);
    (url.to_string(), credentials.map(|c| (c.username, c.password.expose().to_owned())))
}

fn with(url: &str, user: &str, password: &str) -> (String, Option<(String, String)>) {
    (url.to_owned(), Some((user.to_owned(), password.to_owned())))
}

#[test]
fn credentials_with_any_character() {
    let plain = "rtsp://10.0.0.9:554/s1";
    for (text, password) in [
        ("rtsp://admin:secret@10.0.0.9:554/s1", "secret"),
        ("rtsp://admin:p@ss@10.0.0.9:554/s1", "p@ss"),
        ("rtsp://admin:p%40ss@10.0.0.9:554/s1", "p@ss"),
        ("rtsp://admin:a/b@10.0.0.9:554/s1", "a/b"),
        ("rtsp://admin:a?b#c:d@10.0.0.9:554/s1", "a?b#c:d"),
        ("rtsp://admin:100%@10.0.0.9:554/s1", "100%"),
        ("rtsp://admin:12/34@10.0.0.9:554/s1", "12/34"),
        ("rtsp://admin:p%C3%A4ss@10.0.0.9:554/s1", "päss"),
        ("rtsp://admin:@10.0.0.9:554/s1", ""),
    ] {
        assert_eq!(parsed(text), with(plain, "admin", password), "{text}");
    }
    assert_eq!(parsed("rtsp://u:a/b@cam/x"), with("rtsp://cam/x", "u", "a/b"));
    assert_eq!(parsed("rtsp://u:p@[fe80::1]:8554/x"), with("rtsp://[fe80::1]:8554/x", "u", "p"));
}

#[test]
fn an_at_sign_in_the_path_is_not_a_password() {
    for text in ["rtsp://cam/live@2", "rtsp://cam:554/live@2", "http://cam/x?mail=a@b", "rtsp://cam:554/a@b.example/c"]
    {
        assert_eq!(parsed(text), (text.to_owned(), None));
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (text, message) in [
        ("10.0.0.9/s1", "no scheme; write it as rtsp://host/path or http://host/path"),
        ("rtps://10.0.0.9", "unknown scheme \"rtps\"; did you mean rtsp?"),
        ("ftp://x", "unknown scheme \"ftp\"; use one of rtsp, rtsps, http, https"),
        ("rtsp:///s1", "no host after rtsp://"),
        ("rtsp://10.0.0.9:99999/s1", "\"99999\" is not a port; a port is a number from 1 to 65535"),
        ("rtsp://cam/a b", "a space or control character in the address; write it percent-encoded (%20)"),
    ] {
        assert_eq!(CameraUrl::parse(text).expect_err(text).to_string(), message);
    }
}

#[test]
fn no_error_holds_a_password() {
    for text in [
        "rtsp://admin:hunter2",
        "rtsp://admin:hunter2@cam era/x",
        "rtsp://admin:hunter2@bad!host/x",
        "rtsp://admin:hunter2@10.0.0.9:99999/x",
        "rtsp://admin:424242/x",
        "admin:hunter2@10.0.0.9://x",
        "rtsp://hunter2!@/x",
    ] {
        let error = CameraUrl::parse(text).expect_err(text).to_string();
        assert!(!error.contains("hunter2") && !error.contains("424242"), "{text}: {error}");
    }
}

#[test]
fn a_person_sees_no_secret() {
    let (url, credentials) =
        CameraUrl::parse("http://admin:s3cret@cam/snap.cgi?user=x&password=s3cret").expect("parse");
    let shown = url.redacted(credentials.as_ref());
    assert_eq!(shown, "http://admin:***@cam/snap.cgi?user=x&password=***");
    assert!(!format!("{url:?}{credentials:?}").contains("s3cret"));
    assert_eq!(url.secrets(), ["s3cret", "s3cret"]);
}

#[test]
fn a_password_in_the_path_or_the_query_is_masked() {
    for (text, shown, secrets) in [
        (
            "rtsp://ip/user=admin&password=tlJwpbo6&channel=1&stream=0.sdp?real_stream",
            "rtsp://ip/user=admin&password=***&channel=1&stream=0.sdp?real_stream",
            &["tlJwpbo6"][..],
        ),
        (
            "rtsp://ip:554/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp",
            "rtsp://ip:554/user=admin_password=***_channel=1_stream=0.sdp",
            &["tlJwpbo6"],
        ),
        // An underscore, a slash and a semicolon in it.
        (
            "rtsp://ip/user=admin_password=a_b/c;d_channel=1",
            "rtsp://ip/user=admin_password=***_channel=1",
            &["a_b/c;d"],
        ),
        ("rtsp://ip/user=admin&password=a%2Fb", "rtsp://ip/user=admin&password=***", &["a%2Fb", "a/b"]),
        ("rtsp://ip/live/PassWord=x1/ch0", "rtsp://ip/live/PassWord=***", &["x1/ch0"]),
        ("http://cam/snap.cgi?usr=admin&pwd=s3&x=1#f", "http://cam/snap.cgi?usr=admin&pwd=***&x=1#f", &["s3"]),
        ("http://cam/snap.cgi?u=admin&p=s3", "http://cam/snap.cgi?u=admin&p=***", &["s3"]),
        ("http://cam/snap.cgi?p=720", "http://cam/snap.cgi?p=720", &[]),
        ("http://cam/a?x=1;psw=s3;user_password=s4", "http://cam/a?x=1;psw=***;user_password=***", &["s3", "s4"]),
        ("http://cam/a?b?token=s3", "http://cam/a?b?token=***", &["s3"]),
        ("http://cam/a?pass%77ord=s3&accessToken=s4", "http://cam/a?pass%77ord=***&accessToken=***", &["s3", "s4"]),
        ("http://cam/a?monkey=1&compass=2&author=3", "http://cam/a?monkey=1&compass=2&author=3", &[]),
        ("http://cam/a?password=&x=1", "http://cam/a?password=&x=1", &[]),
    ] {
        let (url, _) = CameraUrl::parse(text).expect(text);
        assert_eq!(url.redacted(None), shown);
        assert_eq!(format!("{url:?}"), shown);
        assert_eq!(url.to_string(), text, "the camera gets it as it was written");
        let known = url.secrets();
        assert!(secrets.iter().all(|secret| known.iter().any(|k| k == secret)), "{text}: {known:?}");
        assert!(known.iter().all(|k| secrets.contains(&k.as_str())), "{text}: {known:?}");
    }
}

#[test]
fn the_authority_ends_where_another_address_begins() {
    for (text, host, shown, secret) in [
        (
            "http://go2rtc:1984/api/frame.jpeg?src=rtsp://u:s3@192.168.1.10/x",
            "go2rtc",
            "http://go2rtc:1984/api/frame.jpeg?src=rtsp://u:***@192.168.1.10/x",
            "s3",
        ),
        (
            "http://go2rtc/api?src=rtsp://u:a@b&c@cam.example/x",
            "go2rtc",
            "http://go2rtc/api?src=rtsp://u:***@cam.example/x",
            "a@b&c",
        ),
        (
            "http://me:pw@go2rtc:1984/api?src=rtsp://u:s3@192.168.1.10/x&y=1",
            "go2rtc",
            "http://me:***@go2rtc:1984/api?src=rtsp://u:***@192.168.1.10/x&y=1",
            "s3",
        ),
        (
            "http://go2rtc/api?src=rtsp%3A%2F%2Fu%3As%2540%40192.168.1.10%2Fx",
            "go2rtc",
            "http://go2rtc/api?src=rtsp://u:***@192.168.1.10/x",
            "s@",
        ),
        (
            "rtsp://proxy:8554/rtsp://u:s3@192.168.1.10/x",
            "proxy",
            "rtsp://proxy:8554/rtsp://u:***@192.168.1.10/x",
            "s3",
        ),
        (
            "http://go2rtc/api?src=rtsp://10.0.0.9/user=admin_password=s3_channel=1",
            "go2rtc",
            "http://go2rtc/api?src=rtsp://10.0.0.9/user=admin_password=***_channel=1",
            "s3",
        ),
    ] {
        let (url, credentials) = CameraUrl::parse(text).expect(text);
        assert_eq!(url.host(), host, "{text}");
        assert_eq!(url.redacted(credentials.as_ref()), shown);
        assert!(url.secrets().iter().any(|known| known == secret), "{text}: {:?}", url.secrets());
        let plain = url.to_string();
        assert_eq!(CameraUrl::parse(&plain), Ok((url, None)), "{plain}");
    }
    for text in [
        "http://cam:8080/snap?mail=x@10.0.0.1",
        "http://10.0.0.9/snap?mail=a:b@10.0.0.1",
        "rtsp://10.0.0.9:554/a@10.0.0.1",
        "https://cam/x?y=@cam.example",
    ] {
        assert_eq!(parsed(text), (text.to_owned(), None));
    }
    // Still a password: nothing before it is a host and a port.
    assert_eq!(parsed("rtsp://admin:a://b@cam/x"), with("rtsp://cam/x", "admin", "a://b"));
    assert_eq!(parsed("http://admin:a?b@cam/x"), with("http://cam/x", "admin", "a?b"));
    assert_eq!(parsed("rtsp://admin:open/se:sam@me@cam/x"), with("rtsp://cam/x", "admin", "open/se:sam@me"));
}

#[test]
fn a_link_local_address_has_its_interface() {
    for text in ["rtsp://[fe80::1%25eth0]:8554/x", "rtsp://[fe80::1%eth0]:8554/x", "rtsp://[FE80::1%eth0]:8554/x"] {
        let (url, _) = CameraUrl::parse(text).expect(text);
        assert_eq!((url.host(), url.port()), ("fe80::1%eth0", 8554));
        assert_eq!(url.ip(), Some("fe80::1".parse().expect("address")));
        // RFC 6874 section 2; GLib takes no other form.
        assert_eq!(url.to_string(), "rtsp://[fe80::1%25eth0]:8554/x");
        assert_eq!(url.redacted(None), "rtsp://[fe80::1%25eth0]:8554/x");
    }
    assert_eq!(CameraUrl::parse("rtsp://[fe80::1%Br-1.2]/x").expect("a bridge").0.host(), "fe80::1%Br-1.2");
    assert_eq!(parsed("rtsp://u:p@[fe80::1%eth0]/x"), with("rtsp://[fe80::1%25eth0]/x", "u", "p"));
    for text in ["rtsp://[2001:db8::1%eth0]/x", "rtsp://[fe80::1%]/x", "rtsp://[fe80::1%a!]/x", "rtsp://[fe80::1%25]/x"]
    {
        assert!(CameraUrl::parse(text).is_err(), "{text}");
    }
    let told = CameraUrl::parse("rtsp://[fe80::1%a-name-that-is-too-long]/x").expect_err("too long").to_string();
    assert!(told.contains("is not a host name or address"), "{told}");
}

/// Addresses that are made of what addresses are made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "admin",
        "10.0.0.9",
        "cam",
        "[fe80::1%25eth0]",
        "pw",
        "ü",
        ":",
        "@",
        "/",
        "?",
        "#",
        "&",
        "=",
        "_",
        ";",
        "%",
        "%40",
        "%3A%2F%2F",
        "://",
        "rtsp://",
        "http://",
        "user=",
        "password=",
        "_password=",
        "token=",
        "p=",
        "u=",
        "554",
        ":80",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_read_is_read_again_to_the_same(rest in pieces(), http in any::<bool>()) {
        let scheme = if http { "http" } else { "rtsp" };
        if let Ok((url, _)) = CameraUrl::parse(&format!("{scheme}://{rest}")) {
            let plain = url.to_string();
            prop_assert_eq!(CameraUrl::parse(&plain), Ok((url.clone(), None)), "{}", plain);
            prop_assert!(!url.redacted(None).chars().any(char::is_control));
        }
    }

    #[test]
    fn whatever_a_password_is_it_is_not_shown(before in pieces(), after in pieces(), pick in 0_usize..4) {
        let password = format!("Zq7{before}Zq8{after}");
        let address = [
            format!("rtsp://cam/user=admin&password={}&channel=1", percent_encode(&password)),
            format!("rtsp://cam/user=admin_password={}_channel=1", percent_encode(&password)),
            format!("http://cam/x?a=b&pwd={}", percent_encode(&password)),
            format!("http://cam/x?src={}", percent_encode(&format!("rtsp://u:{}@cam/x", percent_encode(&password)))),
        ];
        let (url, _) = CameraUrl::parse(&address[pick]).expect("an address");
        prop_assert!(!url.redacted(None).contains("Zq"), "{}", url.redacted(None));
        prop_assert!(url.secrets().contains(&password), "{:?}", url.secrets());
    }
}
