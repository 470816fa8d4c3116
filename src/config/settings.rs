//! The sections of the file as the rest of the service sees them, with their defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::notify::Notify;
use super::sentinel::Sentinel;
use crate::model::{Secret, Stream, StreamId, Window};

/// Everything the service is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Default interval between heartbeats, 2 s to 1 h.
    pub heartbeat: Duration,
    /// For display; stored times are UTC.
    pub timezone: TimeZone,
    /// IANA name of [`Self::timezone`] as it was written.
    pub timezone_name: String,
    /// Every configured stream, in the order of the file.
    pub streams: Vec<Arc<Stream>>,
    /// MQTT sink.
    pub mqtt: Mqtt,
    /// Webhooks and mail.
    pub notify: Notify,
    /// Web server.
    pub web: Web,
    /// Probing.
    pub probe: Probe,
    /// Database and pictures.
    pub storage: Storage,
    /// Devices with a session limit of their own.
    pub devices: Vec<Device>,
    /// Announced work, in the order of the file.
    pub maintenance: Vec<Window>,
    /// `/metrics`.
    pub metrics: Metrics,
}

impl Config {
    /// The stream with this id.
    pub fn stream(&self, id: &str) -> Option<&Arc<Stream>> {
        self.streams.iter().find(|s| s.id.as_str() == id)
    }

    /// The stream with this id, or with this name.
    pub fn stream_by_id_or_name(&self, text: &str) -> Option<&Arc<Stream>> {
        self.stream(text).or_else(|| self.streams.iter().find(|s| s.name == text))
    }

    /// How many sessions a device may have at once: what the file says, else 1 for up to two enabled streams on the
    /// host, else a quarter of its streams rounded up, at most 8.
    pub fn device_sessions(&self, host: &str) -> usize {
        if let Some(device) = self.devices.iter().find(|d| d.host.eq_ignore_ascii_case(host)) {
            return device.sessions;
        }
        let streams = self.streams.iter().filter(|s| s.enabled && s.device() == host).count();
        if streams <= 2 { 1 } else { streams.div_ceil(4).min(8) }
    }

    /// True when the stream is configured.
    pub fn contains(&self, id: &StreamId) -> bool {
        self.streams.iter().any(|s| s.id == *id)
    }
}

/// `mqtt:` as the original had it, and ours beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mqtt {
    /// Default false.
    pub enabled: bool,
    /// Broker.
    pub host: String,
    /// Plain TCP, default 1883.
    pub port: u16,
    /// WebSocket, default 8000.
    pub ws_port: u16,
    /// TLS, default 8883.
    pub tls_port: u16,
    /// WebSocket over TLS, default 8884.
    pub tls_ws_port: u16,
    /// Default false.
    pub use_tls: bool,
    /// Default false.
    pub use_websocket: bool,
    /// True: any certificate is taken. Default false.
    pub tls_insecure: bool,
    /// PEM.
    pub ca_file: Option<PathBuf>,
    /// PEM.
    pub cert_file: Option<PathBuf>,
    /// PEM.
    pub key_file: Option<PathBuf>,
    /// Empty in the file means none.
    pub username: Option<String>,
    /// Empty in the file means none.
    pub password: Option<Secret>,
    /// Empty in the file means one made from the host name.
    pub client_id: Option<String>,
    /// Default 3.1.1.
    pub protocol: MqttProtocol,
    /// Topic of the original's blob, default `stream_monitor/status`.
    pub topic: String,
    /// 0, 1 or 2, default 0.
    pub qos: u8,
    /// Default false.
    pub retain: bool,
    /// At least 5 s, default 10 s.
    pub interval: Duration,
    /// Default false.
    pub commands: bool,
    /// Default true.
    pub home_assistant: bool,
    /// Default false.
    pub images: bool,
    /// Default: the host name.
    pub node: Option<String>,
}

/// The version of MQTT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MqttProtocol {
    /// MQTT 3.1.1 (ISO/IEC 20922), which every broker speaks.
    #[default]
    V3_1_1,
    /// MQTT 5: a broker says why it does not take a message.
    V5,
}

/// `web:`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Default `0.0.0.0:6969`.
    pub listen: SocketAddr,
    /// Both files or neither.
    pub tls: Option<WebTls>,
    /// Addresses or networks (`10.0.0.0/8`) whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// True: `/api/status` without a token.
    pub public_status: bool,
}

/// `web.tls:`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebTls {
    /// PEM.
    pub cert_file: PathBuf,
    /// PEM.
    pub key_file: PathBuf,
    /// How long browsers shall insist on HTTPS for this host name, default a day; 0: they are not told to.
    pub hsts_seconds: u32,
}

/// `probe:`
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Deadline of one probe, default 10 s.
    pub timeout: Duration,
    /// Worker processes; `None` is `auto`: one, and more when there is much to do, at most one a core and 4.
    pub workers: Option<usize>,
    /// Probes at once, of all workers together; `None` is `auto`: 64 for each worker, and for each core where
    /// `workers` is `auto`, too.
    pub in_flight: Option<usize>,
    /// Pictures that a worker decodes at once; `None` is `auto`: as many as make one for each core with all workers.
    pub decode_slots: Option<usize>,
    /// A worker that holds more is replaced, and killed at twice this; `None` is `auto`: a quarter of the machine's memory
    /// for all workers, 160 to 700 MiB each.
    pub worker_megabytes: Option<usize>,
    /// Whether hardware decoders are used, default auto.
    pub hardware: Hardware,
    /// A first failure is probed again after this time, default 3 s.
    pub retry_after: Duration,
    /// Failures in a row that make `down`, default 2.
    pub failures_to_down: u32,
    /// Successes in a row that make `up`, default 1.
    pub successes_to_up: u32,
    /// Larger pictures are refused before they are decoded, default 40.
    pub max_megapixels: u32,
    /// Width of the pictures kept for the dashboard, default 960; a larger picture is scaled down by a whole factor.
    pub snapshot_width_px: u32,
    /// When it does not answer, this machine has no network; `None`: nobody is asked.
    pub sentinel: Option<Sentinel>,
}

/// `probe.hardware`: whether H.264 and H.265 are decoded by hardware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hardware {
    /// Where there is a decoder that works; software behind it.
    #[default]
    Auto,
    /// Never.
    Off,
    /// Only: what no hardware decoder takes is not decoded.
    Required,
}

impl Hardware {
    /// Every value, as written in the configuration.
    pub const NAMES: [&'static str; 3] = ["auto", "off", "required"];

    /// As written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Required => "required",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Auto, Self::Off, Self::Required].into_iter().find(|hardware| hardware.as_str() == text)
    }
}

/// `storage:`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// State directory, default `/var/lib/streampulse`.
    pub path: PathBuf,
    /// Raw heartbeats, default 7.
    pub heartbeats_days: u32,
    /// Hourly rollups, default 400.
    pub rollup_days: u32,
    /// Evidence of incidents, pictures and exchanges, default 500 (MB).
    pub evidence_megabytes: u32,
}

/// One of `devices:`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// As in the streams' URLs.
    pub host: String,
    /// Sessions at once, at least 1.
    pub sessions: usize,
}

/// `metrics:`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// `None`: `/metrics` is open.
    pub token: Option<Secret>,
}

impl Default for Config {
    /// What an empty file says.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            timezone: TimeZone::UTC,
            timezone_name: "UTC".to_owned(),
            streams: Vec::new(),
            mqtt: Mqtt::default(),
            notify: Notify::default(),
            web: Web::default(),
            probe: Probe::default(),
            storage: Storage::default(),
            devices: Vec::new(),
            maintenance: Vec::new(),
            metrics: Metrics::default(),
        }
    }
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            enabled: false,
            host: "localhost".to_owned(),
            port: 1883,
            ws_port: 8000,
            tls_port: 8883,
            tls_ws_port: 8884,
            use_tls: false,
            use_websocket: false,
            tls_insecure: false,
            ca_file: None,
            cert_file: None,
            key_file: None,
            username: None,
            password: None,
            client_id: None,
            protocol: MqttProtocol::default(),
            topic: "stream_monitor/status".to_owned(),
            qos: 0,
            retain: false,
            interval: Duration::from_secs(10),
            commands: false,
            home_assistant: true,
            images: false,
            node: None,
        }
    }
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 6969)),
            tls: None,
            trusted_proxies: Vec::new(),
            public_status: false,
        }
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            workers: None,
            in_flight: None,
            decode_slots: None,
            worker_megabytes: None,
            hardware: Hardware::Auto,
            retry_after: Duration::from_secs(3),
            failures_to_down: 2,
            successes_to_up: 1,
            max_megapixels: 40,
            snapshot_width_px: 960,
            sentinel: None,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/streampulse"),
            heartbeats_days: 7,
            rollup_days: 400,
            evidence_megabytes: 500,
        }
    }
}
