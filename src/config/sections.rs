//! Reads everything but the streams.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::keys;
use super::reader::{Range, Rule, Section, shown_text};
use super::sentinel::Sentinel;
use super::settings::{Device, Hardware, Metrics, Mqtt, MqttProtocol, Probe, Storage, Web, WebTls};
use super::suggest::nearest;
use crate::model::{Secret, Stream};

/// Interval between heartbeats, of the file and of a stream.
pub(super) const HEARTBEAT: Range = Range::seconds(2.0, 3600.0);
/// Deadline of a probe, of the file and of a stream.
pub(super) const TIMEOUT: Range = Range::seconds(1.0, 60.0);
const PORT: Range = Range::whole(1, 65_535);
/// A text of MQTT has a length of two bytes; room is left for what we put behind a topic or a client id.
const MQTT_TEXT_BYTES: usize = 65_000;

/// `timezone:` of the file or of a part of it, with its name; `None` when it is absent or no zone.
pub(super) fn timezone(section: &Section<'_>) -> Option<(TimeZone, String)> {
    let name = section.text("timezone")?;
    let zones = TimeZoneDatabase::bundled();
    if let Ok(zone) = zones.get(name) {
        return Some((zone, name.to_owned()));
    }
    let names: Vec<String> = zones.available().map(|zone| zone.to_string()).collect();
    let hint = match nearest(name, names.iter().map(String::as_str)).or_else(|| same_city(name, &names)) {
        Some(near) => format!("did you mean {near}?"),
        None => "write an IANA name such as Europe/Berlin or Asia/Kolkata".to_owned(),
    };
    section.problem("timezone", format!("unknown time zone {}; {hint}", shown_text(name)));
    None
}

/// `Kolkata`, `India/Kolkata`: the zone with that last part.
fn same_city<'a>(name: &str, names: &'a [String]) -> Option<&'a str> {
    let city = |zone: &str| zone.rsplit('/').next().unwrap_or(zone).replace(' ', "_").to_lowercase();
    names.iter().map(String::as_str).find(|zone| city(zone) == city(name))
}

pub(super) fn mqtt(root: &Section<'_>) -> Mqtt {
    let section = root.section("mqtt", keys::MQTT);
    let default = Mqtt::default();
    let text = |key: &str| section.text(key).map(str::to_owned);
    let flag = |key: &str, default: bool| section.boolean(key, default, Rule::Original);
    let own_flag = |key: &str, default: bool| section.boolean(key, default, Rule::Ours);
    let port = |key: &str, default: u16| {
        u16::try_from(section.integer(key, default.into(), PORT, Rule::OriginalPort)).unwrap_or(default)
    };
    let mqtt = Mqtt {
        enabled: flag("enabled", default.enabled),
        host: text("host").map(|host| host.trim_matches(['[', ']']).to_owned()).unwrap_or(default.host),
        port: port("port", default.port),
        ws_port: port("ws_port", default.ws_port),
        tls_port: port("tls_port", default.tls_port),
        tls_ws_port: port("tls_ws_port", default.tls_ws_port),
        use_tls: flag("use_tls", default.use_tls),
        use_websocket: flag("use_websocket", default.use_websocket),
        tls_insecure: flag("tls_insecure", default.tls_insecure),
        ca_file: section.text("ca_file").map(PathBuf::from),
        cert_file: section.text("cert_file").map(PathBuf::from),
        key_file: section.text("key_file").map(PathBuf::from),
        username: text("username"),
        password: section.secret("password").map(Secret::new),
        client_id: text("client_id"),
        protocol: mqtt_protocol(&section),
        topic: text("topic").unwrap_or(default.topic),
        qos: section.integer("qos", default.qos.into(), Range::whole(0, 2), Rule::Original) as u8,
        retain: flag("retain", default.retain),
        interval: section.duration("interval_seconds", default.interval, Range::seconds(5.0, 86_400.0), Rule::Original),
        commands: own_flag("commands", default.commands),
        home_assistant: own_flag("home_assistant", default.home_assistant),
        images: own_flag("images", default.images),
        node: text("node"),
    };
    if mqtt.enabled && !section.has("host") {
        section.warning(
            "host",
            "not given, localhost is used (the original sent everything to the public broker.hivemq.com)",
        );
    }
    if let Some(problem) = host_problem(&mqtt.host) {
        section.problem("host", problem);
    }
    let password = mqtt.password.as_ref().map(Secret::expose);
    let texts = [("topic", Some(mqtt.topic.as_str())), ("username", mqtt.username.as_deref()), ("password", password)];
    for (key, text) in texts.into_iter().chain([("client_id", mqtt.client_id.as_deref())]) {
        if text.is_some_and(|text| text.len() > MQTT_TEXT_BYTES) {
            section.problem(key, format!("is longer than MQTT takes; at most {MQTT_TEXT_BYTES} bytes"));
        }
    }
    if mqtt.topic.contains(['+', '#']) {
        section.problem("topic", "holds + or #, which are for subscribing only; name one topic");
    }
    if let Some(node) = &mqtt.node
        && node.contains(|c: char| matches!(c, '+' | '#' | '/') || c.is_control())
    {
        section.problem(
            "node",
            "holds +, #, / or a control character, which no part of an MQTT topic may; use letters, digits, - and _",
        );
    }
    if mqtt.cert_file.is_some() != mqtt.key_file.is_some() {
        let missing = if mqtt.cert_file.is_some() { "key_file" } else { "cert_file" };
        section.missing(missing, "a client certificate needs both cert_file and key_file");
    }
    mqtt
}

fn mqtt_protocol(section: &Section<'_>) -> MqttProtocol {
    match section.text("protocol") {
        None | Some("3.1.1" | "3" | "4") => MqttProtocol::V3_1_1,
        Some("5" | "5.0") => MqttProtocol::V5,
        Some(other) => {
            section.problem("protocol", format!("unknown version {}; write 3.1.1 or 5", shown_text(other)));
            MqttProtocol::default()
        }
    }
}

/// What is wrong with the broker's host; it is not shown, for people write accounts in addresses.
fn host_problem(host: &str) -> Option<&'static str> {
    let is_ipv6 = host.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    if host.contains(['/', '@']) || host.contains(char::is_whitespace) {
        Some("is no host name; write only a name or an IP address: port, encryption and user have keys of their own")
    } else if host.contains(':') && !is_ipv6 {
        Some("holds a colon and is no IPv6 address; the port has a key of its own")
    } else {
        None
    }
}

pub(super) fn web(root: &Section<'_>) -> Web {
    let section = root.section("web", keys::WEB);
    let default = Web::default();
    let listen = section.text("listen").and_then(|text| match parse_listen(text) {
        Ok(address) => Some(address),
        Err(message) => {
            section.problem("listen", message);
            None
        }
    });
    let tls = section.section("tls", keys::WEB_TLS);
    let hsts_seconds = tls.integer("hsts_seconds", 86_400, Range::whole(0, 63_072_000), Rule::Ours);
    let files = (tls.text("cert_file").map(PathBuf::from), tls.text("key_file").map(PathBuf::from));
    let tls = match files {
        (Some(cert_file), Some(key_file)) => Some(WebTls { cert_file, key_file, hsts_seconds }),
        (None, None) => None,
        (Some(_), None) => {
            tls.missing("key_file", "TLS needs both cert_file and key_file");
            None
        }
        (None, Some(_)) => {
            tls.missing("cert_file", "TLS needs both cert_file and key_file");
            None
        }
    };
    let trusted_proxies = section.texts("trusted_proxies");
    for proxy in trusted_proxies.iter().filter(|proxy| !is_network(proxy)) {
        let message = format!("{} is no address and no network such as 10.0.0.0/8", shown_text(proxy));
        section.problem("trusted_proxies", message);
    }
    let public_status = section.boolean("public_status", default.public_status, Rule::Ours);
    Web { listen: listen.unwrap_or(default.listen), tls, trusted_proxies, public_status }
}

/// Reads where to listen: `0.0.0.0:6969`, `[::]:6969`, `localhost:6969`, `:6969` or `6969`.
///
/// # Errors
/// The clause for the operator.
pub(super) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>().ok();
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok());
    match (text.parse::<SocketAddr>(), port, local) {
        (Ok(address), ..) => Ok(address),
        (_, Some(port), _) => Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        (.., Some(port)) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => Err(format!(
            "{} is not an address with a port; write 0.0.0.0:6969 for every interface or 127.0.0.1:6969 for this \
             machine only",
            shown_text(text)
        )),
    }
}

fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
}

/// `probe:`, with the timeout that holds where neither the section nor a stream names one.
pub(super) fn probe(root: &Section<'_>) -> (Probe, bool) {
    let section = root.section("probe", keys::PROBE);
    let default = Probe::default();
    let count = |key: &str, default: u32, range: Range| section.integer(key, default, range, Rule::Ours);
    let probe = Probe {
        timeout: section.duration("timeout_seconds", default.timeout, TIMEOUT, Rule::Ours),
        workers: auto_or(&section, "workers", 1..=16),
        in_flight: auto_or(&section, "in_flight", 1..=1024),
        decode_slots: auto_or(&section, "decode_slots", 1..=16),
        worker_megabytes: auto_or(&section, "worker_megabytes", 128..=8192),
        hardware: section.choice("hardware", &Hardware::NAMES).and_then(Hardware::parse).unwrap_or_default(),
        retry_after: section.duration(
            "retry_after_seconds",
            default.retry_after,
            Range::seconds(1.0, 300.0),
            Rule::Ours,
        ),
        failures_to_down: count("failures_to_down", default.failures_to_down, Range::whole(1, 100)),
        successes_to_up: count("successes_to_up", default.successes_to_up, Range::whole(1, 100)),
        max_megapixels: count("max_megapixels", default.max_megapixels, Range::whole(1, 200)),
        snapshot_width_px: count("snapshot_width_px", default.snapshot_width_px, Range::whole(160, 3840)),
        sentinel: sentinel(&section),
    };
    (probe, section.has("timeout_seconds"))
}

fn sentinel(section: &Section<'_>) -> Option<Sentinel> {
    let text = section.text("sentinel")?;
    let sentinel = Sentinel::parse(text);
    if sentinel.is_none() {
        let message = format!(
            "{} is not a host with or without a port; write 192.0.2.1, router.lan:443 or [2001:db8::1]:443",
            shown_text(text)
        );
        section.problem("sentinel", message);
    }
    sentinel
}

/// `None` is `auto`: found from the machine.
fn auto_or(section: &Section<'_>, key: &str, range: RangeInclusive<usize>) -> Option<usize> {
    let text = section.text(key)?;
    if text == "auto" {
        return None;
    }
    let number = text.parse::<usize>().ok().filter(|number| range.contains(number));
    if number.is_none() {
        let (from, to) = range.into_inner();
        section.problem(key, format!("{} is neither auto nor a number from {from} to {to}", shown_text(text)));
    }
    number
}

pub(super) fn storage(root: &Section<'_>) -> Storage {
    let section = root.section("storage", keys::STORAGE);
    let default = Storage::default();
    let count = |key: &str, default: u32, range: Range| section.integer(key, default, range, Rule::Ours);
    Storage {
        path: section.text("path").map_or(default.path, PathBuf::from),
        heartbeats_days: count("heartbeats_days", default.heartbeats_days, Range::whole(1, 3650)),
        rollup_days: count("rollup_days", default.rollup_days, Range::whole(1, 3650)),
        evidence_megabytes: count("evidence_megabytes", default.evidence_megabytes, Range::whole(0, 1_000_000)),
    }
}

pub(super) fn devices(root: &Section<'_>, streams: &[Arc<Stream>]) -> Vec<Device> {
    let mut devices = Vec::new();
    let mut hosts = HashSet::new();
    let used: HashSet<&str> = streams.iter().map(|stream| stream.device()).collect();
    for (i, node) in root.list("devices").iter().enumerate() {
        let section = Section::new(node, format!("devices[{i}]"), keys::DEVICE, root.findings);
        let host = section.text("host").map(|host| host.trim_matches(['[', ']']).to_lowercase());
        let sessions = section.integer("sessions", 1, Range::whole(1, 1000), Rule::Ours) as usize;
        if !section.has("sessions") {
            section.missing("sessions", "write how many sessions this device may have at once, at least 1");
        }
        let Some(host) = host else {
            section.missing("host", "write the host as in the streams' URLs");
            continue;
        };
        if host.contains(['/', '@']) || (host.contains(':') && host.parse::<IpAddr>().is_err()) {
            section.problem("host", "is not a host alone; write it as in the streams' URLs, without scheme and port");
        } else if !hosts.insert(host.clone()) {
            section.problem("host", format!("{} is in the list twice", shown_text(&host)));
        } else if !used.contains(host.as_str()) {
            section.warning("host", "no stream is on this host");
        }
        devices.push(Device { host, sessions });
    }
    devices
}

pub(super) fn metrics(root: &Section<'_>) -> Metrics {
    let section = root.section("metrics", keys::METRICS);
    Metrics { token: section.secret("token").map(Secret::new) }
}

/// The default interval between heartbeats.
pub(super) fn heartbeat(root: &Section<'_>, default: Duration) -> Duration {
    root.duration("heartbeat_seconds", default, HEARTBEAT, Rule::Original)
}
