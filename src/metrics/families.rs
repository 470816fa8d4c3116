//! Every family of `/metrics`: name, help, type and labels.

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    Histogram,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// Name, help, type and label names.
pub(super) struct Family {
    /// Its place in [`ALL`].
    pub(super) index: usize,
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
}

macro_rules! families {
    ($($ident:ident = $kind:ident $name:literal [$($label:literal)*] $help:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names of the families, counted")]
        enum Index { $($ident),* }

        $(pub(super) static $ident: Family = Family {
            index: Index::$ident as usize,
            name: $name,
            help: $help,
            kind: Kind::$kind,
            labels: &[$($label),*],
        };)*

        /// All of them, in the order of the answer.
        pub(super) static ALL: &[&Family] = &[$(&$ident),*];
    };
}

families! {
    STREAM_UP = Gauge "stream_up" ["stream"] "1 for a usable picture, 0 for none, absent without a verdict";
    STREAM_LATENCY = Gauge "stream_latency_ms" ["stream"] "Time of the last good probe in milliseconds";
    STREAM_AGE = Gauge "stream_last_seen_age_seconds" ["stream"] "Time since the last picture";
    STREAM_STREAK = Gauge "stream_uptime_streak_seconds" ["stream"] "Length of the unbroken run of good probes";
    TOTAL_STREAMS = Gauge "system_total_streams" [] "Streams that are switched on";
    OK_STREAMS = Gauge "system_ok_streams" [] "Streams with a usable picture";
    FAIL_STREAMS = Gauge "system_fail_streams" [] "Streams without a usable picture";
    SYSTEM_UP = Gauge "system_up" [] "1 while the monitor runs";
    OK_SAMPLES = Gauge "system_ok_samples_30d" [] "Good probes of the last 30 days";
    TOTAL_SAMPLES = Gauge "system_total_samples_30d" [] "Probes of the last 30 days";
    SLA_RATIO = Gauge "system_sla_ratio_30d" [] "Good probes over all probes of the last 30 days";
    STATE = Gauge "streampulse_state" ["stream_id" "state"] "1 for the state that the stream is in, 0 for the others";
    STATE_SECONDS = Counter "streampulse_state_seconds_total" ["stream_id" "state"]
        "Time that the stream was watched in each state, since the service started";
    STATE_SINCE = Gauge "streampulse_state_since_timestamp_seconds" ["stream_id"] "Since when the stream is in its state";
    FLAPPING = Gauge "streampulse_flapping" ["stream_id"] "1 while the stream comes and goes so often that its changes are not announced";
    INFO = Gauge "streampulse_stream_info" ["stream_id" "stream" "group" "codec" "width" "height"]
        "Always 1; name and group of the stream, and the last picture's codec and size in pixels";
    ISSUE = Gauge "streampulse_picture_issue" ["stream_id" "issue"] "1 for each thing that is wrong with the last picture";
    LAST_PROBE = Gauge "streampulse_last_probe_timestamp_seconds" ["stream_id"] "Start of the newest probe";
    LAST_PICTURE = Gauge "streampulse_last_picture_timestamp_seconds" ["stream_id"] "When a probe last gave a picture";
    PROBES = Counter "streampulse_probes_total" ["stream_id"] "Probes that ended";
    FAILURES = Counter "streampulse_probe_failures_total" ["stream_id" "reason"] "Probes that gave no picture, by reason";
    DURATION = Histogram "streampulse_probe_duration_seconds" ["stream_id"] "Time of good probes, to the finished picture";
    PHASE = Gauge "streampulse_probe_phase_duration_seconds" ["stream_id" "phase"] "Time of each stage of the newest good probe";
    MISSED = Counter "streampulse_heartbeats_missed_total" ["stream_id"]
        "Heartbeats that could not start before the next one was due";
    AVAILABILITY = Gauge "streampulse_availability_ratio" ["stream_id" "window"]
        "Time up or degraded over time up, degraded or down";
    COVERED = Gauge "streampulse_availability_covered_ratio" ["stream_id" "window"] "The share of the window that was watched";
    GROUP_AVAILABILITY = Gauge "streampulse_group_availability_ratio" ["group" "window"]
        "Time up or degraded over time up, degraded or down, of a group's streams together";
    FLEET_AVAILABILITY = Gauge "streampulse_fleet_availability_ratio" ["window"]
        "Time up or degraded over time up, degraded or down, of all streams together";
    INCIDENTS = Gauge "streampulse_incidents_open" ["health"] "Incidents that are not over";
    INCIDENTS_OPENED = Counter "streampulse_incidents_opened_total" [] "Incidents that were opened since the service started";
    LAG = Histogram "streampulse_scheduler_lag_seconds" [] "Start of heartbeats after they were due";
    WORKERS = Gauge "streampulse_workers" [] "Probe worker processes that run";
    WORKER_RESTARTS = Counter "streampulse_worker_restarts_total" [] "Probe worker processes that had to be replaced";
    MQTT_CONNECTED = Gauge "streampulse_mqtt_connected" [] "1 while the MQTT broker has us, 0 while not, absent while MQTT is off";
    MQTT_PUBLISHED = Counter "streampulse_mqtt_published_total" [] "Messages that the MQTT broker has got";
    MQTT_QUEUED = Gauge "streampulse_mqtt_queued" [] "Events that wait for the MQTT broker, absent while MQTT is off";
    MQTT_DROPPED = Counter "streampulse_mqtt_dropped_total" [] "Events that the MQTT broker will never get because it was away for too long, absent while MQTT is off";
    NOTIFY_DELIVERED = Counter "streampulse_notify_delivered_total" ["target"] "Messages that the target has taken";
    NOTIFY_WAITING = Gauge "streampulse_notify_waiting" ["target"] "Notices that wait for the target";
    NOTIFY_DROPPED = Counter "streampulse_notify_dropped_total" ["target"] "Notices that the target never gets, because it was away too long";
    NOTIFY_FAILING = Gauge "streampulse_notify_failing" ["target"] "1 while the last try to tell the target failed";
    RECORDING = Gauge "streampulse_recording" [] "1 while heartbeats are stored, 0 while the disk does not take them";
    BUILD = Gauge "streampulse_build_info" ["version"] "Always 1; the version is a label";
    RELOAD = Gauge "streampulse_config_last_reload_successful" [] "1 when the configuration on disk is the one in use";
}
