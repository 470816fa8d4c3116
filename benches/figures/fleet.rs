//! The whole service: 100 cameras at a 5 s heartbeat, for two minutes unless told otherwise; alone, or among hostile ones.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use streampulse::simulator::{Fault, Method, SimulatedCamera, Simulator, SimulatorOptions, Start, clips};

use crate::machine::{Memory, median, total_cpu};

const CAMERAS: usize = 100;
const HEARTBEAT_SECONDS: u64 = 5;
/// Memory is compared from here on: every worker has then seen its share of cameras at once.
const WARM: Duration = Duration::from_secs(30);

/// What the hostile cameras do, each fault with two of them, and what must be said of it. The last three send MJPEG.
const FAULTS: [(Fault, &str); 12] = [
    (Fault::Drips, "response_timeout"),
    (Fault::EndlessHeader, "protocol_error"),
    (Fault::EndlessBody, "protocol_error"),
    (Fault::RedirectsToItself, "redirect_loop"),
    (Fault::Garbage, "protocol_error"),
    (Fault::DamagedPictures, "corrupt"),
    (Fault::SilentTo(Method::Play), "response_timeout"),
    (Fault::NoKeyframe, "no_keyframe"),
    (Fault::SilentAfterAccept, "response_timeout"),
    (Fault::DecoderBomb, "corrupt"),
    (Fault::EndlessPicture, "protocol_error"),
    (Fault::HugePictures, "picture_too_large"),
];
const MJPEG_FAULTS: usize = 3;

/// A hundred healthy cameras alone, and then among 24 hostile ones: what that costs them. First cameras that begin with a
/// keyframe, so that any delay shows; then cameras as they are, which are joined wherever their clock is.
pub async fn among_hostile(seconds: u64) {
    for (start, seconds) in [(Start::KeyframeFirst, seconds), (Start::Live, seconds.min(60))] {
        let alone_ms = hundred_cameras(seconds.min(60), 0, start).await;
        let among_ms = hundred_cameras(seconds, 24, start).await;
        println!(
            "a healthy camera's verdict ({start:?}): {alone_ms:.1} ms alone, {among_ms:.1} ms among hostile ones (medians), \
             ratio {:.2}\n",
            among_ms / alone_ms
        );
    }
}

/// No heartbeat missed, memory flat; with `hostile` cameras beside them no healthy one suffers. Gives the median time to the
/// verdict of the healthy ones, in milliseconds.
pub async fn hundred_cameras(seconds: u64, hostile: usize, start: Start) -> f64 {
    let run = Duration::from_secs(seconds);
    let camera = |name: String| SimulatedCamera::rtsp(name, clips::pattern_h264()).start(start);
    let healthy = (0..CAMERAS).map(|number| camera(format!("cam{number}")));
    let broken = (0..hostile).map(|number| {
        let (fault, _) = FAULTS[number % FAULTS.len()];
        let name = format!("hostile{number}");
        match number % FAULTS.len() >= FAULTS.len() - MJPEG_FAULTS {
            true => SimulatedCamera::mjpeg(name, clips::pool_mjpeg()).fault(fault),
            false => SimulatedCamera::rtsp(name, clips::pattern_h264()).fault(fault),
        }
    });
    let simulator = Simulator::start(SimulatorOptions::new(healthy.chain(broken))).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut text = format!("heartbeat_seconds: {HEARTBEAT_SECONDS}\nstreams:\n");
    for name in simulator.names() {
        // A camera that begins each session with the same keyframe looks frozen.
        let frozen = start == Start::Live;
        text.push_str(&format!(
            "  - {{name: {name}, url: \"{}\", checks: {{frozen: {frozen}}}}}\n",
            simulator.url(name)
        ));
    }
    let config = directory.path().join("config.yaml");
    std::fs::write(&config, text).unwrap();
    let started = Instant::now();
    let mut service = Command::new(env!("CARGO_BIN_EXE_streampulse"))
        .arg("--config")
        .arg(&config)
        .env("STREAMPULSE_STATE_DIR", directory.path().join("state"))
        .env("STREAMPULSE_LISTEN", "127.0.0.1:0")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(service.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address =
        log.find_map(|line| Some(line.split("address=").nth(1)?.split_whitespace().next()?.to_owned())).unwrap();
    let first_verdict = log.find(|line| line.contains("to=\"up\"")).map(|_| started.elapsed());
    // The rest of the log is read away, or the service would wait for a full pipe.
    let draining = std::thread::spawn(move || Transitions::read(log));

    tokio::time::sleep(WARM).await;
    let (warm, warm_cpu) = (Memory::of(service.id()), total_cpu(service.id()));
    let mut verdicts_ms = Vec::new();
    for _ in 0..(run - WARM).as_secs() / HEARTBEAT_SECONDS {
        tokio::time::sleep(Duration::from_secs(HEARTBEAT_SECONDS)).await;
        let metrics = get(&address, "/metrics");
        let healthy = metrics.lines().filter(|line| line.starts_with("stream_latency_ms{stream=\"cam"));
        verdicts_ms.extend(healthy.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()));
    }
    let (end, end_cpu) = (Memory::of(service.id()), total_cpu(service.id()));
    let metrics = get(&address, "/metrics");
    let sum = |name: &str| -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with(name) && !line.starts_with('#'));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let probes = sum("streampulse_probes_total");
    println!(
        "{CAMERAS} cameras (720p, 1 Mbit/s) and {hostile} hostile ones, {HEARTBEAT_SECONDS} s heartbeat, {} s, simulator \
         on the same cores",
        run.as_secs()
    );
    println!("  start to the first verdict   {:.2} s", first_verdict.unwrap().as_secs_f64());
    println!("  probes                       {probes}");
    println!("  up at the end                {} of {CAMERAS}", sum("stream_up{"));
    let missed = sum("streampulse_heartbeats_missed_total");
    let missed_by_healthy = sum("streampulse_heartbeats_missed_total{stream_id=\"cam");
    println!(
        "  heartbeats missed            {missed_by_healthy} of healthy cameras, {} of hostile ones",
        missed - missed_by_healthy
    );
    println!("  time to a healthy verdict    {:.1} ms (median)", median(verdicts_ms.clone()));
    println!("  start lag at most 0.5 s      {:.2} %", lag_share(&metrics) * 100.0);
    println!(
        "  memory (sum of PSS)          {:.0} MB after {} s, {:.0} MB at the end",
        warm.pss_mb,
        WARM.as_secs(),
        end.pss_mb
    );
    println!(
        "  of it heap and stacks        {:.0} MB after {} s, {:.0} MB at the end",
        warm.anonymous_mb,
        WARM.as_secs(),
        end.anonymous_mb
    );
    println!(
        "  CPU of all processes         {:.0} % of one core",
        (end_cpu - warm_cpu).as_secs_f64() / (run - WARM).as_secs_f64() * 100.0
    );
    println!("  sessions, TEARDOWNs          {}, {}", simulator.total().sessions_opened, simulator.total().teardowns);
    let pid = rustix::process::Pid::from_raw(service.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    service.wait().unwrap();
    let transitions = draining.join().unwrap();
    println!("  healthy ones that were not up {}", transitions.healthy_not_up);
    let right = |number: &usize| {
        let (_, expected) = FAULTS[number % FAULTS.len()];
        let told = transitions.told_of(*number);
        if told != [expected] {
            println!("    hostile{number} ({:?}): {told:?}, expected {expected}", FAULTS[number % FAULTS.len()].0);
        }
        told == [expected]
    };
    println!("  hostile ones named rightly    {} of {hostile}\n", (0..hostile).filter(right).count());
    median(verdicts_ms)
}

/// What the service's log says of changes of health.
#[derive(Default)]
struct Transitions {
    healthy_not_up: usize,
    /// Number of a hostile camera and the reason of one of its changes.
    hostile: Vec<(usize, String)>,
}

impl Transitions {
    fn read(log: impl Iterator<Item = String>) -> Self {
        let mut transitions = Self::default();
        for line in log.filter(|line| line.contains(" to=\"")) {
            let field = |name: &str| {
                let value = line.split(name).nth(1).and_then(|rest| rest.split_whitespace().next());
                value.unwrap_or_default().trim_matches('"').to_owned()
            };
            let stream = field("stream=");
            if let Some(number) = stream.strip_prefix("hostile").and_then(|number| number.parse().ok()) {
                transitions.hostile.push((number, field("reason=")));
            } else if field("to=") != "up" {
                transitions.healthy_not_up += 1;
            }
        }
        transitions
    }

    fn told_of(&self, number: usize) -> Vec<&str> {
        let mut told: Vec<_> = self.hostile.iter().filter(|(of, _)| *of == number).map(|(_, why)| &**why).collect();
        told.sort_unstable();
        told.dedup();
        told
    }
}

/// The share of heartbeats that started within half a second of their time.
fn lag_share(metrics: &str) -> f64 {
    let value = |start: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(start)).unwrap_or("x 0");
        line.rsplit(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0)
    };
    value("streampulse_scheduler_lag_seconds_bucket{le=\"0.5\"}") / value("streampulse_scheduler_lag_seconds_count")
}

fn get(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}
