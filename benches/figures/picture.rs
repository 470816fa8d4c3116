//! What one verified 1080p H.264 picture costs, beside ffmpeg.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use streampulse::model::{CameraUrl, Codec, Outcome, Transport, Trust, stage::to_ms};
use streampulse::probe::pool::{Pool, PoolOptions};
use streampulse::probe::{ProbeRequest, Prober as _, SnapshotSize};
use streampulse::simulator::{Clip, SimulatedCamera, Simulator, SimulatorOptions, Start};

use crate::machine::{children_cpu, cpu, median};

const FFMPEG_RUNS: usize = 11;

/// The camera begins with a keyframe: what a probe costs when nothing has to be waited for.
pub async fn keyframe_first() {
    measure("one 1080p H.264 picture, camera starts at a keyframe", Start::KeyframeFirst, 201).await;
}

/// The camera is joined wherever its clock is: a second of 4 Mbit/s passes before the keyframe, on average.
pub async fn mid_gop() {
    measure("one 1080p H.264 picture, joined mid-GOP (2 s GOP, 4 Mbit/s)", Start::Live, 51).await;
}

async fn measure(title: &str, start: Start, runs: usize) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clips/bench-1080p.h264");
    let clip = Clip::from_annex_b(Codec::H264, std::fs::read(file).unwrap(), 25).unwrap();
    let camera = SimulatedCamera::rtsp("bench", clip).start(start);
    let simulator = Simulator::start(SimulatorOptions::new([camera])).await.unwrap();
    let url = simulator.url("bench");
    let registry = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-registry.bin");
    let options = PoolOptions { program: env!("CARGO_BIN_EXE_streampulse").into(), ..PoolOptions::new(registry) };
    let pool = Pool::start(options.with_workers(1)).await.unwrap();
    let request = ProbeRequest {
        key: "bench".to_owned(),
        url: CameraUrl::parse(&url).unwrap().0,
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
    println!(
        "{title}\n  streampulse  {cpu_ms:6.1} ms CPU   {:7.1} ms to the verdict (median of {runs})",
        median(verdict_ms)
    );
    let url_for_peer = url.clone();
    match tokio::task::spawn_blocking(move || ffmpeg(&url_for_peer)).await.unwrap() {
        Some((peer_cpu_ms, peer_ms)) => println!(
            "  ffmpeg       {peer_cpu_ms:6.1} ms CPU   {peer_ms:7.1} ms to the picture (median of {FFMPEG_RUNS})\n  ratio        1/{:.1} of the CPU\n",
            peer_cpu_ms / cpu_ms
        ),
        None => println!("  ffmpeg       not installed: sudo apt install ffmpeg\n"),
    }
}

/// CPU a run and median wall time of `ffmpeg -frames:v 1` to a JPEG, or `None` without ffmpeg.
fn ffmpeg(url: &str) -> Option<(f64, f64)> {
    let run = || {
        let mut command = Command::new("ffmpeg");
        command.args([
            "-nostdin",
            "-v",
            "error",
            "-rtsp_transport",
            "tcp",
            "-i",
            url,
            "-frames:v",
            "1",
            "-f",
            "mjpeg",
            "-y",
        ]);
        command.arg("/dev/null").stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    run().ok().filter(std::process::ExitStatus::success)?;
    let before = children_cpu();
    let wall_ms = (0..FFMPEG_RUNS).map(|_| {
        let started = Instant::now();
        assert!(run().unwrap().success());
        to_ms(started.elapsed())
    });
    let wall_ms: Vec<f64> = wall_ms.collect();
    Some((to_ms(children_cpu() - before) / FFMPEG_RUNS as f64, median(wall_ms)))
}
