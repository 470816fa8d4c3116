//! Every key that the file may have. The reference in `docs/configuration.md` and the commented default file are held
//! against these lists.

/// Keys of the file itself.
pub const ROOT: &[&str] = &[
    "heartbeat_seconds",
    "timezone",
    "streams",
    "mqtt",
    "notify",
    "web",
    "probe",
    "storage",
    "devices",
    "maintenance",
    "metrics",
];
/// Keys of one of `streams:`.
pub const STREAM: &[&str] = &[
    "name",
    "url",
    "id",
    "enabled",
    "heartbeat_seconds",
    "timeout_seconds",
    "transport",
    "username",
    "password",
    "group",
    "tags",
    "tls_verify",
    "tls_fingerprint",
    "ca_file",
    "parent",
    "checks",
    "expect",
];
/// Keys of a stream that decide how it is probed: what a trial of a camera takes.
pub const TRIAL: &[&str] =
    &["url", "username", "password", "transport", "timeout_seconds", "tls_verify", "tls_fingerprint", "ca_file"];
/// Keys of a stream's `checks:`.
pub const CHECKS: &[&str] =
    &["black", "overexposed", "frozen", "blurred", "low_contrast", "colour_cast", "scene_changed", "facts_changed"];
/// Keys of a stream's `expect:`.
pub const EXPECT: &[&str] = &["codec", "width", "height"];
/// Keys of `mqtt:`.
pub const MQTT: &[&str] = &[
    "enabled",
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
    "password",
    "client_id",
    "protocol",
    "topic",
    "qos",
    "retain",
    "interval_seconds",
    "api_status_url",
    "commands",
    "home_assistant",
    "images",
    "node",
];
/// Keys of `notify:`.
pub const NOTIFY: &[&str] = &["dashboard_url", "watchdog_url", "watchdog_interval_seconds", "targets"];
/// Keys of one of `notify.targets:`.
pub const NOTIFY_TARGET: &[&str] = &[
    "name",
    "enabled",
    "url",
    "smtp",
    "template",
    "body",
    "content_type",
    "headers",
    "secret",
    "from",
    "to",
    "subject",
    "events",
    "severities",
    "groups",
    "remind_minutes",
    "wait_seconds",
    "ca_file",
    "tls_insecure",
];
/// Keys of a target's `smtp:`.
pub const NOTIFY_SMTP: &[&str] = &["host", "port", "tls", "username", "password"];
/// Keys of `web:`.
pub const WEB: &[&str] = &["listen", "tls", "trusted_proxies", "public_status"];
/// Keys of `web.tls:`.
pub const WEB_TLS: &[&str] = &["cert_file", "key_file", "hsts_seconds"];
/// Keys of `probe:`.
pub const PROBE: &[&str] = &[
    "timeout_seconds",
    "workers",
    "in_flight",
    "decode_slots",
    "worker_megabytes",
    "hardware",
    "retry_after_seconds",
    "failures_to_down",
    "successes_to_up",
    "max_megapixels",
    "snapshot_width_px",
    "sentinel",
];
/// Keys of `storage:`.
pub const STORAGE: &[&str] = &["path", "heartbeats_days", "rollup_days", "evidence_megabytes"];
/// Keys of one of `devices:`.
pub const DEVICE: &[&str] = &["host", "sessions"];
/// Keys of one of `maintenance:`.
pub const MAINTENANCE: &[&str] = &["name", "streams", "groups", "tags", "every", "from", "to", "timezone"];
/// Keys of `metrics:`.
pub const METRICS: &[&str] = &["token"];

/// Every list with the path before its keys.
pub const KNOWN_KEYS: &[(&str, &[&str])] = &[
    ("", ROOT),
    ("streams[].", STREAM),
    ("streams[].checks.", CHECKS),
    ("streams[].expect.", EXPECT),
    ("mqtt.", MQTT),
    ("notify.", NOTIFY),
    ("notify.targets[].", NOTIFY_TARGET),
    ("notify.targets[].smtp.", NOTIFY_SMTP),
    ("web.", WEB),
    ("web.tls.", WEB_TLS),
    ("probe.", PROBE),
    ("storage.", STORAGE),
    ("devices[].", DEVICE),
    ("maintenance[].", MAINTENANCE),
    ("metrics.", METRICS),
];
