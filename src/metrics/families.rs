//! Every family of `/metrics`: name, help, type and labels.

use prometheus::proto::MetricType::{self, COUNTER, GAUGE, HISTOGRAM};

/// Name, help, type and label names.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: MetricType,
    pub(super) labels: &'static [&'static str],
}

macro_rules! families {
    ($($ident:ident = $kind:ident $name:literal [$($label:literal)*] $help:literal;)*) => {
        $(pub(super) static $ident: Family = Family { name: $name, help: $help, kind: $kind, labels: &[$($label),*] };)*

        /// All of them, in the order of the answer.
        pub(super) static ALL: &[&Family] = &[$(&$ident),*];
    };
}

families! {
    STREAM_UP = GAUGE "stream_up" ["stream"] "1 for a usable picture, 0 for none, absent without a verdict";
    STREAM_LATENCY = GAUGE "stream_latency_ms" ["stream"] "Time of the last good probe in milliseconds";
    STREAM_AGE = GAUGE "stream_last_seen_age_seconds" ["stream"] "Time since the last picture";
    STREAM_STREAK = GAUGE "stream_uptime_streak_seconds" ["stream"] "Length of the unbroken run of good probes";
    TOTAL_STREAMS = GAUGE "system_total_streams" [] "Streams that are switched on";
    OK_STREAMS = GAUGE "system_ok_streams" [] "Streams with a usable picture";
    FAIL_STREAMS = GAUGE "system_fail_streams" [] "Streams without a usable picture";
    SYSTEM_UP = GAUGE "system_up" [] "1 while the monitor runs";
    OK_SAMPLES = GAUGE "system_ok_samples_30d" [] "Good probes of the last 30 days";
    TOTAL_SAMPLES = GAUGE "system_total_samples_30d" [] "Probes of the last 30 days";
    SLA_RATIO = GAUGE "system_sla_ratio_30d" [] "Good probes over all probes of the last 30 days";
    STATE = GAUGE "streampulse_state" ["stream_id" "state"] "1 for the state that the stream is in, 0 for the others";
    STATE_SECONDS = COUNTER "streampulse_state_seconds_total" ["stream_id" "state"]
        "Time that the stream was watched in each state, since the service started";
    STATE_SINCE = GAUGE "streampulse_state_since_timestamp_seconds" ["stream_id"] "Since when the stream is in its state";
    FLAPPING = GAUGE "streampulse_flapping" ["stream_id"] "1 while the stream comes and goes so often that its changes are not announced";
    INFO = GAUGE "streampulse_stream_info" ["stream_id" "stream" "group" "codec" "width" "height"]
        "Always 1; name and group of the stream, and the last picture's codec and size in pixels";
    ISSUE = GAUGE "streampulse_picture_issue" ["stream_id" "issue"] "1 for each thing that is wrong with the last picture";
    LAST_PROBE = GAUGE "streampulse_last_probe_timestamp_seconds" ["stream_id"] "Start of the newest probe";
    LAST_PICTURE = GAUGE "streampulse_last_picture_timestamp_seconds" ["stream_id"] "When a probe last gave a picture";
    PROBES = COUNTER "streampulse_probes_total" ["stream_id"] "Probes that ended";
    FAILURES = COUNTER "streampulse_probe_failures_total" ["stream_id" "reason"] "Probes that gave no picture, by reason";
    DURATION = HISTOGRAM "streampulse_probe_duration_seconds" ["stream_id"] "Time of good probes, to the finished picture";
    PHASE = GAUGE "streampulse_probe_phase_duration_seconds" ["stream_id" "phase"] "Time of each stage of the newest good probe";
    MISSED = COUNTER "streampulse_heartbeats_missed_total" ["stream_id"]
        "Heartbeats that could not start before the next one was due";
    AVAILABILITY = GAUGE "streampulse_availability_ratio" ["stream_id" "window"]
        "Time up or degraded over time up, degraded or down";
    COVERED = GAUGE "streampulse_availability_covered_ratio" ["stream_id" "window"] "The share of the window that was watched";
    GROUP_AVAILABILITY = GAUGE "streampulse_group_availability_ratio" ["group" "window"]
        "Time up or degraded over time up, degraded or down, of a group's streams together";
    FLEET_AVAILABILITY = GAUGE "streampulse_fleet_availability_ratio" ["window"]
        "Time up or degraded over time up, degraded or down, of all streams together";
    INCIDENTS = GAUGE "streampulse_incidents_open" ["health"] "Incidents that are not over";
    INCIDENTS_OPENED = COUNTER "streampulse_incidents_opened_total" [] "Incidents that were opened since the service started";
    LAG = HISTOGRAM "streampulse_scheduler_lag_seconds" [] "Start of heartbeats after they were due";
    WORKERS = GAUGE "streampulse_workers" [] "Probe worker processes that run";
    WORKER_RESTARTS = COUNTER "streampulse_worker_restarts_total" [] "Probe worker processes that had to be replaced";
    RECORDING = GAUGE "streampulse_recording" [] "1 while heartbeats are stored, 0 while the disk does not take them";
    BUILD = GAUGE "streampulse_build_info" ["version"] "Always 1; the version is a label";
    RELOAD = GAUGE "streampulse_config_last_reload_successful" [] "1 when the configuration on disk is the one in use";
}
