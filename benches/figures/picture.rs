//! What one verified 1080p H.264 picture costs, beside ffmpeg and OpenCV.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use streampulse::model::{CameraUrl, Codec, Outcome, Transport, Trust, stage::to_ms};
use streampulse::probe::pool::{Pool, PoolOptions};
use streampulse::probe::{ProbeRequest, Prober as _, SnapshotSize};
use streampulse::simulator::{Clip, SimulatedCamera, Simulator, SimulatorOptions, Start};

use crate::machine::{children_cpu, cpu, median};
use crate::report::{Report, Row};

const PEER_RUNS: usize = 11;

/// Milliseconds of CPU a picture, and until it is there (median).
struct Cost {
    cpu_ms: f64,
    wall_ms: f64,
}

/// What is to be reached: milliseconds of CPU, and how many times less than ffmpeg.
struct Aim {
    cpu_ms: f64,
    of_ffmpeg: f64,
}

/// The camera begins with a keyframe: what a probe costs when nothing has to be waited for.
pub async fn keyframe_first(report: &mut Report) {
    let aim = Aim { cpu_ms: 10.0, of_ffmpeg: 14.0 };
    let figure = "one 1080p H.264 picture, camera starts at a keyframe";
    let (ours, ffmpeg, opencv) = measure(figure, Start::KeyframeFirst, 201, aim, report).await;
    report.add(Row {
        figure: "time to the verdict, camera starts at a keyframe".to_owned(),
        to_reach: "≤ 30 ms".to_owned(),
        measured: format!("{:.1} ms", ours.wall_ms),
        peers: beside([("ffmpeg", ffmpeg.map(|it| it.wall_ms)), ("OpenCV", opencv.map(|it| it.wall_ms))], ours.wall_ms),
        reached: ours.wall_ms <= 30.0,
    });
}

/// The camera is joined wherever its clock is. One probe after the other begins when a keyframe has just gone by, so all of
/// the 2 s pass before the next one: the dearest case, for the peers as well.
pub async fn mid_gop(report: &mut Report) {
    let aim = Aim { cpu_ms: 18.0, of_ffmpeg: 16.0 };
    measure("one 1080p H.264 picture, joined mid-GOP (2 s GOP, 4 Mbit/s)", Start::Live, 51, aim, report).await;
}

/// Ours, ffmpeg's and OpenCV's, each when it could be measured.
async fn measure(
    figure: &str,
    start: Start,
    runs: usize,
    aim: Aim,
    report: &mut Report,
) -> (Cost, Option<Cost>, Option<Cost>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clips/bench-1080p.h264");
    let clip = Clip::from_annex_b(Codec::H264, std::fs::read(file).unwrap(), 25).unwrap();
    let camera = SimulatedCamera::rtsp("bench", clip).start(start);
    let simulator = Simulator::start(SimulatorOptions::new([camera])).await.unwrap();
    let url = simulator.url("bench");
    let ours = streampulse(&url, runs).await;
    println!("{figure}");
    println!("  streampulse  {:6.1} ms CPU   {:7.1} ms to the verdict (median of {runs})", ours.cpu_ms, ours.wall_ms);
    let peer_url = url.clone();
    let peers = tokio::task::spawn_blocking(move || [("ffmpeg", ffmpeg(&peer_url)), ("OpenCV", opencv(&peer_url))]);
    let peers = peers.await.unwrap();
    for (name, cost) in &peers {
        match cost {
            Some(Cost { cpu_ms, wall_ms }) => println!(
                "  {name:<11}  {cpu_ms:6.1} ms CPU   {wall_ms:7.1} ms to the picture (median of {PEER_RUNS}), CPU 1/{:.1}",
                cpu_ms / ours.cpu_ms
            ),
            None => println!("  {name:<11}  not there: `make bench` installs it"),
        }
    }
    println!();
    let [ffmpeg, opencv] = peers.map(|(_, cost)| cost);
    let of_ffmpeg = ffmpeg.as_ref().map_or(0.0, |it| it.cpu_ms / ours.cpu_ms);
    report.add(Row {
        figure: format!("CPU of {figure}"),
        to_reach: format!("≤ {} ms, ≤ 1/{} of ffmpeg", aim.cpu_ms, aim.of_ffmpeg),
        measured: format!("{:.1} ms", ours.cpu_ms),
        peers: beside(
            [("ffmpeg", ffmpeg.as_ref().map(|it| it.cpu_ms)), ("OpenCV, warm", opencv.as_ref().map(|it| it.cpu_ms))],
            ours.cpu_ms,
        ),
        reached: ours.cpu_ms <= aim.cpu_ms && of_ffmpeg >= aim.of_ffmpeg,
    });
    (ours, ffmpeg, opencv)
}

/// Peers with their ratios, for a table.
fn beside<const N: usize>(peers: [(&str, Option<f64>); N], ours_ms: f64) -> String {
    let peers = peers.map(|(name, ms)| match ms {
        Some(ms) => format!("{name} {ms:.0} ms (1/{:.1})", ms / ours_ms),
        None => format!("{name} not measured"),
    });
    peers.join(", ")
}

/// One warm worker, one probe after another.
async fn streampulse(url: &str, runs: usize) -> Cost {
    let registry = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-registry.bin");
    let options = PoolOptions { program: env!("CARGO_BIN_EXE_streampulse").into(), ..PoolOptions::new(registry) };
    let pool = Pool::start(options.with_workers(1)).await.unwrap();
    let request = ProbeRequest {
        key: "bench".to_owned(),
        url: CameraUrl::parse(url).unwrap().0,
        credentials: None,
        transport: Transport::Tcp,
        timeout: Duration::from_secs(10),
        trust: Trust::default(),
        max_megapixels: 40,
        // As the service asks for it.
        snapshot: SnapshotSize::AtMostWidth(960),
    };
    // Plugins and decoder are loaded once in a worker's life, not once a probe.
    for _ in 0..3 {
        assert_eq!(pool.probe(request.clone()).await.report.outcome, Outcome::Ok);
    }
    let pid = pool.measures().worker_pids[0];
    let before = cpu(pid);
    let mut verdict_ms = Vec::new();
    for _ in 0..runs {
        let started = Instant::now();
        let probed = pool.probe(request.clone()).await;
        verdict_ms.push(to_ms(started.elapsed()));
        assert_eq!(probed.report.outcome, Outcome::Ok, "{:?}", probed.report);
    }
    let cpu_ms = to_ms(cpu(pid) - before) / runs as f64;
    pool.close().await;
    Cost { cpu_ms, wall_ms: median(verdict_ms) }
}

/// OpenCV in one process that is warm, or `None` where it is not installed.
fn opencv(url: &str) -> Option<Cost> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/opencv.py");
    let python = std::env::var("OPENCV_PYTHON").ok()?;
    let output = Command::new(python).arg(script).args([url, &PEER_RUNS.to_string()]).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    Some(Cost { cpu_ms: numbers.next().unwrap(), wall_ms: numbers.next().unwrap() })
}

/// `ffmpeg -frames:v 1` to a JPEG, a process a picture, or `None` without ffmpeg.
fn ffmpeg(url: &str) -> Option<Cost> {
    let run = || {
        let mut command = Command::new("ffmpeg");
        command.args("-nostdin -v error -rtsp_transport tcp -i".split(' ')).arg(url);
        command.args("-frames:v 1 -f mjpeg -y /dev/null".split(' '));
        command.stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    run().ok().filter(std::process::ExitStatus::success)?;
    let before = children_cpu();
    let wall_ms = (0..PEER_RUNS).map(|_| {
        let started = Instant::now();
        assert!(run().unwrap().success());
        to_ms(started.elapsed())
    });
    let wall_ms: Vec<f64> = wall_ms.collect();
    Some(Cost { cpu_ms: to_ms(children_cpu() - before) / PEER_RUNS as f64, wall_ms: median(wall_ms) })
}
