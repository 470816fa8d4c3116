//! A real Prometheus scrapes the real service: the rules load, an alert fires and clears, every panel has data.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::service::{Service, Site, http_get, wait_until};
use serde_json::Value;
use streampulse::simulator::{Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file)
}

/// Three cameras: one is well, one is broken, one sends what its owner does not expect.
async fn simulator() -> Simulator {
    let cameras = [
        SimulatedCamera::rtsp("gate", clips::gate()),
        SimulatedCamera::rtsp("yard", clips::street()).fault(Fault::Status(404)),
        SimulatedCamera::rtsp("lobby", clips::lobby()),
    ];
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

fn site(simulator: &Simulator, more: &str) -> Site {
    let url = |name: &str| simulator.url(name);
    Site::new(&format!(
        "heartbeat_seconds: 2\nprobe: {{retry_after_seconds: 1}}\n{more}streams:\n\
         \x20 - {{name: Gate, url: \"{}\", group: outside}}\n\
         \x20 - {{name: Yard, url: \"{}\", group: outside, tags: [night]}}\n\
         \x20 - {{name: Lobby, url: \"{}\", expect: {{width: 999}}}}\n",
        url("gate"),
        url("yard"),
        url("lobby")
    ))
}

fn settle(service: &Service) {
    let wanted = [("gate", "up"), ("yard", "down"), ("lobby", "degraded")];
    service.streams_when(|streams| wanted.iter().all(|(id, state)| streams[*id]["state"] == *state));
}

/// A Prometheus of Debian's package, in a directory of its own. Dropping it kills it.
struct Prometheus {
    process: Child,
    address: SocketAddr,
    directory: tempfile::TempDir,
}

impl Prometheus {
    /// Scrapes this service each second, with the rules of the package; what takes minutes there takes a second.
    fn start(service: SocketAddr, more_jobs: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for file in ["recording.rules.yml", "alerts.rules.yml"] {
            let rules = std::fs::read_to_string(packaging("prometheus").join(file)).expect(file);
            let quick = ["for: 1m", "interval: 1m", "interval: 2m"].iter().fold(rules.clone(), |rules, minutes| {
                let (key, _) = minutes.split_once(' ').expect("a key");
                rules.replace(minutes, &format!("{key} 1s"))
            });
            assert_ne!(quick, rules, "{file} has other times now");
            std::fs::write(directory.path().join(file), quick).expect(file);
        }
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [\"*.rules.yml\"]\nscrape_configs:\n\
             \x20 - {{job_name: streampulse, static_configs: [{{targets: [\"{service}\"]}}]}}\n{more_jobs}"
        );
        std::fs::write(directory.path().join("prometheus.yml"), config).expect("prometheus.yml");
        let mut process = Command::new("prometheus")
            .arg(format!("--config.file={}", directory.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus: make test installs it");
        let mut lines = BufReader::new(process.stderr.take().expect("standard error")).lines();
        let listening = |line: String| {
            let said: Value = serde_json::from_str(&line).ok()?;
            if said["msg"] != "Listening on" {
                return None;
            }
            said["address"].as_str()?.parse::<SocketAddr>().ok()
        };
        let address =
            lines.by_ref().map_while(Result::ok).find_map(listening).expect("Prometheus says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        let prometheus = Self { process, address, directory };
        wait_until(|| http_get(address, "/-/ready").status == 200);
        prometheus
    }

    fn api(&self, path: &str) -> Value {
        let answer = http_get(self.address, &format!("/api/v1/{path}"));
        let json = answer.json();
        assert_eq!(json["status"], "success", "{path}: {json}");
        json["data"].clone()
    }

    /// What an expression gives now.
    fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        self.api(&format!("query?query={encoded}"))["result"].as_array().cloned().unwrap_or_default()
    }

    /// Streams for which this alert fires.
    fn firing(&self, alert: &str) -> BTreeSet<String> {
        let alerts = self.api("alerts")["alerts"].as_array().cloned().expect("alerts");
        let fires = alerts.iter().filter(|a| a["labels"]["alertname"] == alert && a["state"] == "firing");
        fires.map(|a| a["labels"]["stream_id"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.directory.path();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_fires_and_clears_and_every_panel_has_data() {
    let simulator = simulator().await;
    let site = site(&simulator, "");
    let service = site.start();
    settle(&service);
    let prometheus = Prometheus::start(service.address(), "");
    let target_is_up = || {
        let targets = prometheus.api("targets")["activeTargets"].as_array().cloned().expect("targets");
        targets.iter().any(|target| target["health"] == "up")
    };
    wait_until(target_is_up);

    let yard = || BTreeSet::from(["yard".to_owned()]);
    wait_until(|| prometheus.firing("StreamDown") == yard());
    simulator.set_fault("gate", Some(Fault::ConnectionRefused)).await.expect("a camera");
    wait_until(|| prometheus.firing("StreamDown").len() == 2);
    simulator.set_fault("gate", None).await.expect("a camera");
    wait_until(|| prometheus.firing("StreamDown") == yard());

    let rules = || -> Vec<Value> {
        let groups = prometheus.api("rules")["groups"].as_array().cloned().expect("groups");
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().expect("rules")).collect()
    };
    wait_until(|| rules().iter().all(|rule| rule["health"] != "unknown"));
    assert!(rules().len() > 15, "{}", rules().len());
    for rule in rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }

    let dashboard = std::fs::read_to_string(packaging("grafana/streampulse.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let expressions = expressions(&dashboard["panels"]);
    assert!(expressions.len() > 30, "{} queries", expressions.len());
    // The rates of a minute need more than one sample, and what follows a scrape is there a moment later.
    for (panel, expression) in &expressions {
        let expression = substituted(expression);
        assert!(!expression.contains('$'), "{panel}: {expression}");
        println!("{panel}: {expression}");
        wait_until(|| !prometheus.query(&expression).is_empty());
    }
}

/// Title and expression of every query of these panels, those of rows included.
fn expressions(panels: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in panels.as_array().into_iter().flatten() {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        let targets = panel["targets"].as_array().into_iter().flatten();
        found.extend(targets.filter_map(|target| Some((title.clone(), target["expr"].as_str()?.to_owned()))));
        found.extend(expressions(&panel["panels"]));
    }
    found
}

/// As Grafana fills it in.
fn substituted(expression: &str) -> String {
    let values = [
        ("$__rate_interval", "1m"),
        ("$__interval", "15s"),
        ("$__range", "6h"),
        ("$instance", ".*"),
        ("$group", ".*"),
        ("$stream", ".*"),
        ("$window", "30d"),
    ];
    values.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_has_nothing_to_say_about_our_own_family() {
    let simulator = simulator().await;
    let site = site(&simulator, "");
    let service = site.start();
    settle(&service);
    let own = |text: &str| -> String {
        let is_ours =
            |line: &&str| line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").starts_with("streampulse_");
        text.lines().filter(is_ours).map(|line| format!("{line}\n")).collect()
    };
    let mut text = String::new();
    wait_until(|| {
        text = own(&service.get_as(None, "/metrics").text());
        // The last that is told of a verdict.
        text.contains("streampulse_availability_ratio{stream_id=\"gate\",window=\"30d\"} 1")
            && ["down", "degraded"]
                .iter()
                .all(|health| text.contains(&format!("streampulse_incidents_open{{health=\"{health}\"}} 1\n")))
    });
    for family in [
        "state",
        "state_seconds_total",
        "probe_duration_seconds",
        "probe_phase_duration_seconds",
        "probes_total",
        "probe_failures_total",
        "last_probe_timestamp_seconds",
        "last_picture_timestamp_seconds",
        "stream_info",
        "picture_issue",
        "availability_ratio",
        "scheduler_lag_seconds",
        "heartbeats_missed_total",
        "worker_restarts_total",
        "config_last_reload_successful",
        "build_info",
        "incidents_open",
    ] {
        assert!(text.contains(&format!("# TYPE streampulse_{family} ")), "{family} is missing in\n{text}");
    }
    for line in [
        "streampulse_probe_failures_total{stream_id=\"yard\",reason=\"not_found\"}",
        "streampulse_picture_issue{stream_id=\"lobby\",issue=\"facts_changed\"} 1",
        "streampulse_state{stream_id=\"lobby\",state=\"degraded\"} 1",
        "streampulse_stream_info{stream_id=\"gate\",stream=\"Gate\",group=\"outside\",codec=\"h264\",width=\"640\",height=\"360\"} 1",
        "streampulse_incidents_open{health=\"down\"} 1",
        "streampulse_incidents_open{health=\"degraded\"} 1",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: make test installs it");
    promtool.stdin.take().expect("standard input").write_all(text.as_bytes()).expect("write");
    let output = promtool.wait_with_output().expect("promtool");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_a_target_of_its_own() {
    let simulator = simulator().await;
    let site = site(&simulator, "metrics: {token: scrape-me}\n");
    let service = site.start();
    settle(&service);
    for path in ["/metrics", "/probe?target=gate", "/api/sd"] {
        assert_eq!(service.get_as(None, path).status, 401, "{path}");
        assert_eq!(service.get_as(Some("wrong"), path).status, 401, "{path}");
        assert_eq!(service.get_as(Some("scrape-me"), path).status, 200, "{path}");
    }
    assert_eq!(service.get("/api/sd").status, 200, "an account will do");
    let probe = |target: &str| service.get_as(Some("scrape-me"), &format!("/probe?target={target}"));
    let gate = probe("Gate").text();
    assert!(gate.contains("\nprobe_success 1\n") && gate.contains("probe_video_width_pixels 640\n"), "{gate}");
    let yard = probe("yard").text();
    assert!(yard.contains("\nprobe_success 0\n"), "{yard}");
    assert!(yard.contains("probe_reason{reason=\"not_found\",stage=\"describe\"} 1\n"), "{yard}");
    assert!(probe("lobby").text().contains("probe_picture_issue{issue=\"facts_changed\"} 1\n"));
    assert_eq!(probe("127.0.0.1").status, 404, "only what is configured");
    assert_eq!(service.get_as(Some("scrape-me"), "/probe").status, 400);

    // As the sample configuration has it: found by service discovery, scraped through the service, and with more
    // patience than a probe has.
    let directory = site.path().join("token");
    std::fs::write(&directory, "scrape-me").expect("token");
    let address = service.address();
    let credentials = format!("authorization: {{type: Bearer, credentials_file: \"{}\"}}", directory.display());
    let job = format!(
        "\x20 - job_name: streampulse_streams\n    metrics_path: /probe\n    scrape_interval: 10s\n    scrape_timeout: 10s\n\
         \x20   {credentials}\n    http_sd_configs:\n\
         \x20     - {{url: \"http://{address}/api/sd\", refresh_interval: 1s, {credentials}}}\n    relabel_configs:\n\
         \x20     - {{source_labels: [__address__], target_label: __param_target}}\n\
         \x20     - {{source_labels: [__param_target], target_label: instance}}\n\
         \x20     - {{source_labels: [__meta_streampulse_group], target_label: group}}\n\
         \x20     - {{source_labels: [__meta_streampulse_tags], regex: '.*,night,.*', replacement: 'yes', target_label: night}}\n\
         \x20     - {{target_label: __address__, replacement: \"{address}\"}}\n"
    );
    let prometheus = Prometheus::start(address, &job);
    wait_until(|| prometheus.query("probe_success").len() == 3);
    let one = |query: &str| prometheus.query(query).first().map(|sample| sample["value"][1].clone());
    assert_eq!(one("probe_success{instance=\"gate\",group=\"outside\"}"), Some("1".into()));
    assert_eq!(one("probe_success{instance=\"yard\",night=\"yes\"}"), Some("0".into()));
}
