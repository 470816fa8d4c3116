//! Whether a secret goes to whom it went before.

use super::tree::Tree;
use crate::config::recipient::WebAddress;
use crate::model::CameraUrl;
use crate::model::secret::REDACTED;

/// Settings of `mqtt:` that say where its password goes and who can read it on the way.
const BROKER: [&str; 12] = [
    "host",
    "port",
    "ws_port",
    "tls_port",
    "tls_ws_port",
    "use_tls",
    "use_websocket",
    "tls_insecure",
    "ca_file",
    "cert_file",
    "key_file",
    "username",
];

/// Settings of `smtp:` of a target that say where its password goes and who can read it on the way.
const MAIL_SERVER: [&str; 4] = ["host", "port", "tls", "username"];

/// The same scheme, host, port and user of two addresses.
pub(super) fn same_address(old: &str, new: &str) -> bool {
    let target = |text: &str| {
        let (url, account) = CameraUrl::parse(text).ok()?;
        Some((url.scheme(), url.host().to_owned(), url.port(), account.map(|account| account.username)))
    };
    matches!((target(old), target(new)), (Some(old), Some(new)) if old == new)
}

/// Settings of a stream that say to whom its password is told.
const TRUST: [&str; 3] = ["tls_verify", "tls_fingerprint", "ca_file"];

/// The same scheme, host, port and user of two streams, and the same trust in who answers there.
pub(super) fn same_camera(old: &Tree, new: &Tree) -> bool {
    let value = |tree: &Tree, key: &str| tree.get(key).filter(|value| !matches!(value, Tree::Null)).cloned();
    if TRUST.iter().any(|key| value(old, key) != value(new, key)) {
        return false;
    }
    let target = |stream: &Tree| {
        let (url, in_url) = CameraUrl::parse(stream.get("url")?.text()?).ok()?;
        let given = stream.get("username").and_then(Tree::text).filter(|name| !name.trim().is_empty());
        let user = given.map(str::to_owned).or_else(|| in_url.map(|account| account.username));
        Some((url.scheme(), url.host().to_owned(), url.port(), user))
    };
    matches!((target(old), target(new)), (Some(old), Some(new)) if old == new)
}

/// The same broker, user and encryption, as they are written.
pub(super) fn same_broker(old: &Tree, new: &Tree) -> bool {
    let value = |tree: &Tree, key: &str| tree.get(key).filter(|value| !matches!(value, Tree::Null)).cloned();
    BROKER.iter().all(|key| value(old, key) == value(new, key))
}

/// The same scheme, host and port of two webhooks, or the same mail server and user, and the same trust in who answers there.
pub(super) fn same_recipient(old: &Tree, new: &Tree) -> bool {
    let value = |tree: &Tree, key: &str| tree.get(key).filter(|value| !matches!(value, Tree::Null)).cloned();
    if ["ca_file", "tls_insecure"].iter().any(|key| value(old, key) != value(new, key)) {
        return false;
    }
    let smtp = |tree: &Tree| value(tree, "smtp").map(|smtp| MAIL_SERVER.map(|key| value(&smtp, key)));
    let url = |tree: &Tree| {
        let text = value(tree, "url")?;
        let text = text.text()?;
        // As it is shown it stands for the whole old one.
        let address = WebAddress::parse(text).ok().map(|address| address.to_string());
        Some(if text == REDACTED { None } else { address })
    };
    let same_url = match (url(old), url(new)) {
        (Some(old), Some(Some(new))) => old == Some(new),
        (Some(_), Some(None)) => value(new, "url").as_ref().and_then(Tree::text) == Some(REDACTED),
        (old, new) => old.is_none() && new.is_none(),
    };
    same_url && smtp(old) == smtp(new)
}
