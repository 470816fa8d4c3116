//! Where results go beside the API: whoever waits for them, without asking.
//!
//! A sink reads the status table, the store and its own state only. Whatever becomes of it, probing and the API go on as
//! they were.

mod dial;
mod home_assistant;
pub mod mqtt;
pub mod notify;
mod tls;

use crate::config::Config;
use crate::store::Store;

/// From now on what happens waits for everybody who is to be told of it. Called before the first stream is looked at: what a
/// sink does in its own time may come after that stream's first change. A sink opens itself, too, and says what is wrong with
/// the database.
pub async fn open(config: &Config, store: &Store) {
    let targets = config.notify.targets.iter().filter(|target| target.enabled);
    let mqtt = config.mqtt.enabled.then(|| mqtt::SINK.to_owned());
    for sink in mqtt.into_iter().chain(targets.map(|target| notify::sink(&target.name))) {
        let _told_by_the_sink = store.open_sink(&sink).await;
    }
}

/// The name of this machine, as far as it may stand in a topic or an address.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name: String = name.chars().filter(|c| c.is_alphanumeric() || "-_.".contains(*c)).take(64).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Overrides, parse};

    #[tokio::test]
    async fn it_waits_for_whoever_is_configured_and_on() {
        let text = "mqtt: {enabled: true, host: 192.0.2.1}\n\
                    notify:\n  targets:\n    - {name: phone, url: \"http://192.0.2.1/x\"}\n    - {name: off, enabled: false, url: \"http://192.0.2.1/y\"}\n";
        let config = parse(Path::new("config.yaml"), text.as_bytes(), &Overrides::default()).unwrap().config;
        let dir = tempfile::TempDir::new().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        open(&config, &store).await;
        let mut waits = Vec::new();
        for sink in ["mqtt", "notify:phone", "notify:off"] {
            waits.push(store.backlog(sink).await.unwrap().is_some());
        }
        assert_eq!(waits, [true, true, false]);
    }
}
