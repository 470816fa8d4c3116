use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::model::{Heartbeat, Outcome, ProbeReport, Reason, Snapshot, Stage, StreamId};
use crate::monitor::LastProbe;
use crate::probe::{ProbeRequest, Probed, Prober};
use crate::schedule::plan::tests::{config, stream};
use crate::schedule::scheduler;
use crate::store::Record;

struct Nobody;

impl Prober for Nobody {
    fn probe(&self, _: ProbeRequest) -> std::pin::Pin<Box<dyn Future<Output = Probed> + Send + '_>> {
        unreachable!("the scheduler does not run here")
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        at(0)
    }

    fn monotonic(&self) -> std::time::Instant {
        SystemClock.monotonic()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn cameras(names: &[&str]) -> Config {
    config(names.iter().map(|name| stream(name, "rtsp://admin:s3cret@192.0.2.7/path")).collect())
}

/// Gate is up, Yard is down, the rest was never probed.
fn metrics(config: &Config) -> Metrics {
    let status = StatusTable::default();
    status.configure(config, |stream| {
        let mut row = StreamStatus::new(stream.clone(), at(-100));
        let took = Duration::from_micros(12_500);
        let failed = ProbeReport::failed(Stage::Connect, Reason::Unreachable, "no route", took);
        match stream.name.as_str() {
            "Gate" => {
                row.state.health = Health::Degraded;
                let report = Arc::new(ProbeReport { outcome: Outcome::Ok, ..failed });
                row.last = Some(LastProbe { at: at(-5), report });
                row.last_ok_at = Some(at(-5));
                row.ok_since = Some(at(-65));
                row.snapshot = Some(Snapshot { jpeg: Bytes::new(), taken_at: at(-5) });
            }
            "Yard" => {
                row.state.health = Health::Down;
                row.last = Some(LastProbe { at: at(-7), report: Arc::new(failed) });
            }
            _ => {}
        }
        row
    });
    let (_, watched) = watch::channel(Arc::new(config.clone()));
    let (handle, _) = scheduler(watched, Arc::new(Nobody), Arc::new(Noon), mpsc::channel(1).0, 64);
    Metrics::new(status, handle, Arc::new(Noon))
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_names_of_the_original() {
    let text = metrics(&cameras(&["Gate", "Yard", "New \"one\""])).render();
    let lines = lines(&text);
    for line in [
        "stream_up{stream=\"Gate\"} 1",
        "stream_up{stream=\"Yard\"} 0",
        "stream_latency_ms{stream=\"Gate\"} 12.5",
        "stream_last_seen_age_seconds{stream=\"Gate\"} 5",
        "stream_uptime_streak_seconds{stream=\"Gate\"} 65",
        "stream_uptime_streak_seconds{stream=\"Yard\"} 0",
        "stream_uptime_streak_seconds{stream=\"New \\\"one\\\"\"} 0",
        "system_total_streams 3",
        "system_ok_streams 1",
        "system_fail_streams 1",
        "system_up 1",
    ] {
        assert!(lines.contains(&line), "{line} is missing in\n{text}");
    }
    for absent in [
        "stream_up{stream=\"New",
        "stream_latency_ms{stream=\"Yard",
        "stream_last_seen_age_seconds{stream=\"Yard",
        "system_sla_ratio_30d",
    ] {
        assert!(!lines.iter().any(|line| line.starts_with(absent)), "{absent} in\n{text}");
    }
}

#[test]
fn our_own_names() {
    let metrics = metrics(&cameras(&["Gate", "Yard"]));
    let text = metrics.render();
    let lines = lines(&text);
    for line in [
        "streampulse_state{stream_id=\"gate\",state=\"degraded\"} 1",
        "streampulse_state{stream_id=\"gate\",state=\"up\"} 0",
        "streampulse_state{stream_id=\"yard\",state=\"down\"} 1",
        "streampulse_probes_total{stream_id=\"gate\"} 0",
        "streampulse_heartbeats_missed_total{stream_id=\"yard\"} 0",
        "streampulse_last_probe_timestamp_seconds{stream_id=\"yard\"} 1799999993",
        "streampulse_last_picture_timestamp_seconds{stream_id=\"gate\"} 1799999995",
        "streampulse_scheduler_lag_seconds_bucket{le=\"0.5\"} 0",
        "streampulse_scheduler_lag_seconds_bucket{le=\"+Inf\"} 0",
        "streampulse_scheduler_lag_seconds_count 0",
        "streampulse_config_last_reload_successful 1",
    ] {
        assert!(lines.contains(&line), "{line} is missing in\n{text}");
    }
    assert!(text.contains(&format!("streampulse_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))));
    assert!(text.contains("# TYPE streampulse_probes_total counter\n"));
    assert!(text.contains("# TYPE streampulse_scheduler_lag_seconds histogram\n"));
    metrics.set_reload_successful(false);
    assert!(metrics.render().contains("streampulse_config_last_reload_successful 0\n"));
}

#[test]
fn targets_that_are_switched_on_have_their_figures() {
    let of_phone = || Notified { target: "phone".to_owned(), delivered_total: 7, waiting: 2, ..Notified::default() };
    let metrics = metrics(&cameras(&["Gate"])).with_notify(move || vec![Notified { is_failing: true, ..of_phone() }]);
    let text = metrics.render();
    for line in [
        "streampulse_notify_delivered_total{target=\"phone\"} 7",
        "streampulse_notify_waiting{target=\"phone\"} 2",
        "streampulse_notify_dropped_total{target=\"phone\"} 0",
        "streampulse_notify_failing{target=\"phone\"} 1",
    ] {
        assert!(lines(&text).contains(&line), "{line} is missing in\n{text}");
    }
}

#[test]
fn mqtt_is_absent_while_it_is_off() {
    let told = |connected| {
        let metrics = metrics(&cameras(&["Gate"])).with_mqtt(move || Mqtt {
            connected,
            published_total: 7,
            queued: 3,
            dropped_total: 2,
        });
        let text = metrics.render();
        lines(&text).into_iter().filter(|line| line.contains("_mqtt_")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(told(None), ["streampulse_mqtt_published_total 7"]);
    assert_eq!(told(Some(false))[0], "streampulse_mqtt_connected 0");
    assert_eq!(
        told(Some(true)),
        [
            "streampulse_mqtt_connected 1",
            "streampulse_mqtt_published_total 7",
            "streampulse_mqtt_queued 3",
            "streampulse_mqtt_dropped_total 2"
        ]
    );
}

#[test]
fn a_removed_stream_leaves_no_series_and_a_secret_none_at_all() {
    let metrics = metrics(&cameras(&["Gate", "Yard"]));
    let now = cameras(&["Gate"]);
    metrics.status.configure(&now, |_| unreachable!("Gate is known"));
    let text = metrics.render().to_lowercase();
    for word in ["yard", "s3cret", "admin", "192.0.2.7", "rtsp:", "no route"] {
        assert!(!text.contains(word), "{word} in\n{text}");
    }
}

#[test]
fn a_stream_that_is_switched_off_leaves_no_series() {
    let mut config = cameras(&["Gate", "Yard"]);
    Arc::make_mut(&mut config.streams[1]).enabled = false;
    let text = metrics(&config).render();
    assert!(text.contains("system_total_streams 1\n") && text.contains("system_fail_streams 0\n"), "{text}");
    assert!(!text.to_lowercase().contains("yard"), "{text}");
}

#[tokio::test]
async fn totals_come_from_the_store_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for (second, reason) in [(-60, Reason::Ok), (-45, Reason::Ok), (-30, Reason::NoData), (-15, Reason::Ok)] {
        let health = Health::Up;
        let heartbeat = Heartbeat { at: at(second), reason, stage: Stage::Picture, latency_ms: 9, health };
        let state = crate::model::HealthState { health, ..crate::model::HealthState::new(at(-60)) };
        let stream = StreamId::from_name("gate");
        store.record(Record::of_heartbeat(stream, heartbeat, state)).await.unwrap();
    }
    let metrics = metrics(&cameras(&["Gate"]));
    assert!(!metrics.render().contains("system_total_samples_30d"));
    let cancel = CancellationToken::new();
    let (following, store_too, until) = (metrics.clone(), store.clone(), cancel.clone());
    let task = tokio::spawn(async move { following.follow(store_too, until).await });
    let text = loop {
        let text = metrics.render();
        if text.contains("system_total_samples_30d") {
            break text;
        }
        tokio::task::yield_now().await;
    };
    assert!(text.contains("system_ok_samples_30d 3\n") && text.contains("system_total_samples_30d 4\n"), "{text}");
    assert!(text.contains("system_sla_ratio_30d 0.75\n"), "{text}");
    cancel.cancel();
    task.await.unwrap();
    store.close().await;
}
