//! `config.yaml`: any bytes are read or refused, and no problem, warning or debug text shows a password.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use streampulse::config::{Overrides, parse};
use streampulse::model::Stream;

const HEAD: &str = "Zq7";

/// All that a person could be shown of a file.
fn shown(bytes: &[u8]) -> String {
    match parse(Path::new("config.yaml"), bytes, &Overrides::default()) {
        Ok(loaded) => format!("{:?}", (loaded.config, loaded.warnings)),
        Err(problems) => format!("{problems} {problems:?}"),
    }
}

fn any_password(password: &str) {
    let password = format!("{HEAD}{password}");
    let single = password.replace('\'', "''");
    let double = password.replace('\\', "\\\\").replace('"', "\\\"");
    let plain_files = [
        format!("streams:\n- name: a\n  url: rtsp://cam/s\n  username: u\n  password: {password}\n"),
        format!("streams:\n- {{name: a, url: 'rtsp://u:{single}@10.0.0.9/s'}}\n"),
        format!("streams:\n- {{name: a, url: rtsp://u:{password}@10.0.0.9/s}}\n"),
        format!("mqtt:\n  enabled: true\n  host: h\n  username: u\n  password: \"{double}\"\nstreams: []\n"),
        format!("metrics:\n  token: {password}\nstreams: []\n"),
    ];
    for file in plain_files {
        // `u:a@b#c@d` is also a camera b with the path #c@d: then the rest is no password.
        let loaded = parse(Path::new("config.yaml"), file.as_bytes(), &Overrides::default());
        let is_other = |stream: &Arc<Stream>| !["10.0.0.9", "cam"].contains(&stream.url.host());
        if loaded.is_ok_and(|loaded| loaded.config.streams.iter().any(is_other)) {
            continue;
        }
        let shown = shown(file.as_bytes());
        assert!(!shown.contains(HEAD), "{file:?} is shown as {shown}");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((which, rest)) = data.split_first() else { return };
    match which % 4 {
        // A line break would end the value, and what follows would be a key of its own, which may be shown.
        0 => any_password(&String::from_utf8_lossy(rest).replace(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'], " ")),
        _ => drop(shown(rest)),
    }
});
