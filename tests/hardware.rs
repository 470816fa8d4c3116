//! Hardware decoders, played by stand-ins that are registered in a worker which is real in everything else.

mod common;
#[path = "hardware/stand_in.rs"]
mod stand_in;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::service::{PATIENCE, Site};
use common::{PROGRAM, decode_jpeg, pool_options, psnr, reference, request};
use stand_in::{Behaviour, StandIn};
use streampulse::config::Hardware;
use streampulse::model::{Codec, Outcome, Reason, Stage, VideoFacts};
use streampulse::probe::decoders::{Decoder, Flaw, NotUsed};
use streampulse::probe::pool::{CLEAN_PROBES, Pool, PoolOptions};
use streampulse::probe::worker::{Duties, run};
use streampulse::probe::{Probed, Prober as _};
use streampulse::simulator::{Fault, SimulatedCamera, Simulator, SimulatorOptions, Start, clips};

/// Says to this program what it is to do as a worker.
const WORKER: &str = "STREAMPULSE_TEST_WORKER";
/// Says which stand-ins the worker has.
const STAND_INS: &str = "STREAMPULSE_TEST_STAND_INS";

/// Least PSNR of a picture that is the reference, through one JPEG.
const TRUE_PICTURE_DB: f64 = 35.0;

/// In the process of a worker: has the stand-ins and is a worker. Elsewhere: nothing.
#[test]
#[allow(clippy::disallowed_methods, reason = "this process is a worker and nothing else")]
fn worker() {
    let Ok(arguments) = std::env::var(WORKER) else { return };
    stand_in::register(&std::env::var(STAND_INS).expect("stand-ins"));
    if !arguments.contains("--warm-registry") {
        let with_hardware = arguments.contains("--hardware");
        run(Duties { decode_slots: 1, with_hardware, in_background: false }).expect("a worker");
    }
    std::process::exit(0);
}

/// A program in place of the real one, in a directory that holds the "devices", too.
struct Machine {
    directory: tempfile::TempDir,
    program: PathBuf,
}

impl Machine {
    /// A program that runs these lines of shell.
    fn running(lines: impl FnOnce(&str) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("device"), "").expect("a device");
        let lines = lines(&directory.path().display().to_string());
        let program = directory.path().join("program");
        // By another process: a file that this one has open for writing while another test starts a program is busy.
        let mut install = Command::new("install");
        install.args(["-m", "755", "/dev/stdin"]).arg(&program).stdin(Stdio::piped());
        let mut install = install.spawn().expect("install");
        let text = format!("#!/bin/sh\n{lines}\n");
        install.stdin.take().expect("its input").write_all(text.as_bytes()).expect("a program");
        assert!(install.wait().expect("install").success());
        Self { directory, program }
    }

    /// A machine with these decoders. In a device's path, `DIRECTORY` stands for the machine's.
    fn with(decoders: &[StandIn]) -> Self {
        let words: Vec<_> = decoders.iter().map(StandIn::to_word).collect();
        let this = std::env::current_exe().expect("this program").display().to_string();
        Self::running(|directory| {
            let words = words.join(" ").replace("DIRECTORY", directory);
            format!("{WORKER}=\"$*\" {STAND_INS}='{words}' exec '{this}' --exact worker --test-threads=1 --nocapture")
        })
    }

    async fn start(&self, hardware: Hardware) -> Pool {
        let options = PoolOptions { program: self.program.clone(), hardware, ..pool_options() };
        Pool::start(options.with_workers(1)).await.expect("pool")
    }

    async fn pool(&self, hardware: Hardware) -> Pool {
        let pool = self.start(hardware).await;
        // The start waits for the worker with the devices, but not for long.
        let is_tried = |decoder: &Decoder| decoder.not_used != Some(NotUsed::NotTried);
        let begun = Instant::now();
        while hardware != Hardware::Off && !pool.measures().hardware.iter().all(is_tried) {
            assert!(begun.elapsed() < PATIENCE, "{:?}", pool.measures());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        pool
    }
}

/// A decoder of H.264 with one slot, as those of a Raspberry Pi.
fn h264(behaviour: Behaviour) -> StandIn {
    StandIn {
        element: format!("v4l2{}", format!("{behaviour:?}").to_lowercase()),
        codec: Codec::H264,
        behaviour,
        rank: 257,
        device: "DIRECTORY/device".to_owned(),
    }
}

async fn cameras() -> Simulator {
    let rtsp = |name, clip| SimulatedCamera::rtsp(name, clip).start(Start::KeyframeFirst);
    let cameras = [
        rtsp("gate", clips::gate()),
        rtsp("street", clips::street()),
        rtsp("h265", clips::pattern_h265()),
        rtsp("damaged", clips::gate()).fault(Fault::DamagedPictures),
        SimulatedCamera::mjpeg("pool", clips::pool_mjpeg()),
    ];
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

async fn probe(pool: &Pool, simulator: &Simulator, name: &str) -> Probed {
    pool.probe(request(name, &simulator.url(name))).await
}

fn video(probed: &Probed) -> VideoFacts {
    probed.report.video.clone().unwrap_or_else(|| panic!("no video: {:?}", probed.report))
}

/// There is a picture, it is the true one, and this element decoded it.
fn expect_true_picture(probed: &Probed, reference_name: &str, decoder: &str) {
    assert_eq!(probed.report.outcome, Outcome::Ok, "{:?}", probed.report);
    let got = decode_jpeg(probed.jpeg.as_ref().expect("a picture"));
    let db = psnr(&got, &reference(reference_name));
    assert!(db > TRUE_PICTURE_DB, "{db:.1} dB");
    assert_eq!(video(probed).decoder.as_deref(), Some(decoder));
    assert_eq!(video(probed).hardware, decoder.starts_with("v4l2"), "{:?}", video(probed));
}

/// Element by element: why it is not used.
fn decoders(pool: &Pool) -> Vec<(String, Option<NotUsed>)> {
    pool.measures().hardware.into_iter().map(|decoder| (decoder.element, decoder.not_used)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_decoder_is_used_from_inside_the_sandbox() {
    let simulator = cameras().await;
    let machine = Machine::with(&[h264(Behaviour::Good)]);
    let pool = machine.pool(Hardware::Auto).await;
    assert_eq!(decoders(&pool), [("v4l2good".to_owned(), None)]);
    let [decoder] = &pool.measures().hardware[..] else { panic!("{:?}", pool.measures()) };
    let device = machine.directory.path().join("device").display().to_string();
    assert_eq!((decoder.device.as_deref(), decoder.slots), (Some(device.as_str()), 1));
    for _ in 0..3 {
        expect_true_picture(&probe(&pool, &simulator, "gate").await, "gate.png", "v4l2good");
        expect_true_picture(&probe(&pool, &simulator, "street").await, "street.png", "v4l2good");
        // There is none for these.
        expect_true_picture(&probe(&pool, &simulator, "h265").await, "pattern-720p-h265.png", "avdec_h265");
        let jpeg = probe(&pool, &simulator, "pool").await;
        assert_eq!((video(&jpeg).decoder.as_deref(), video(&jpeg).hardware_refused), (Some("jpegdec"), None));
    }
    let pids = pool.measures().worker_pids;
    assert_eq!(pids.len(), 2, "one without devices and one with");
    for pid in pids {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        assert!(status.lines().any(|line| line == "Seccomp:\t2"), "{status}");
        assert!(status.lines().any(|line| line == "NoNewPrivs:\t1"), "{status}");
    }
    pool.close().await;
}

/// Many at once share the one slot; nobody gets another's picture, and nobody is failed for waiting.
#[tokio::test(flavor = "multi_thread")]
async fn more_keyframes_than_slots() {
    let simulator = cameras().await;
    let machine = Machine::with(&[h264(Behaviour::Good)]);
    let pool = machine.pool(Hardware::Auto).await;
    let mut probes = tokio::task::JoinSet::new();
    for number in 0..24 {
        let name = if number % 2 == 0 { "gate" } else { "street" };
        let mut request = request(name, &simulator.url(name));
        request.key = format!("{name} {number}");
        let pool = pool.clone();
        probes.spawn(async move { (name, pool.probe(request).await) });
    }
    let mut by_hardware = 0;
    for (name, probed) in probes.join_all().await {
        let decoder = if video(&probed).hardware { "v4l2good" } else { "avdec_h264" };
        by_hardware += usize::from(video(&probed).hardware);
        expect_true_picture(&probed, &format!("{name}.png"), decoder);
        assert_eq!(video(&probed).hardware_refused, None);
    }
    assert!(by_hardware > 0);
    pool.close().await;
}

/// The first failure of each kind: the same keyframe is decoded in software, the stream stays there, and its facts say why.
async fn expect_fallback(behaviour: Behaviour, flaw: Flaw, left: Option<NotUsed>) {
    let simulator = cameras().await;
    let decoder = h264(behaviour);
    let machine = Machine::with(std::slice::from_ref(&decoder));
    let pool = machine.pool(Hardware::Auto).await;
    assert_eq!(decoders(&pool), [(decoder.element.clone(), None)], "{behaviour:?} passes the self-test");
    let why = Some(format!("{}: {flaw}", decoder.element));
    for _ in 0..3 {
        let probed = probe(&pool, &simulator, "gate").await;
        expect_true_picture(&probed, "gate.png", "avdec_h264");
        assert_eq!(video(&probed).hardware_refused, why, "{behaviour:?}");
    }
    assert_eq!(decoders(&pool), [(decoder.element.clone(), left)], "{behaviour:?}");
    let measures = pool.measures();
    assert_eq!((measures.restarts_total, measures.suspects), (0, 0), "no worker was lost for it");
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_refuses_the_size_is_left_for_that_stream() {
    expect_fallback(Behaviour::Refuses, Flaw::Format, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_without_memory_is_left_for_that_stream() {
    expect_fallback(Behaviour::NoMemory, Flaw::NoMemory, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_gives_no_picture_is_left_for_that_stream() {
    expect_fallback(Behaviour::Silent, Flaw::Silent, None).await;
}

/// Its one slot hangs: there is nothing left that could take the next stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_never_answers_is_left_for_all_streams() {
    expect_fallback(Behaviour::Hangs, Flaw::Silent, Some(NotUsed::Left(Flaw::Silent))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_is_right_within_the_deadline_when_a_device_hangs() {
    let simulator = cameras().await;
    let machine = Machine::with(&[h264(Behaviour::Hangs)]);
    let pool = machine.pool(Hardware::Auto).await;
    let mut short = request("gate", &simulator.url("gate"));
    short.timeout = std::time::Duration::from_secs(4);
    let probed = pool.probe(short.clone()).await;
    expect_true_picture(&probed, "gate.png", "avdec_h264");
    assert!(probed.report.latency < short.timeout, "{:?}", probed.report.latency);
    pool.close().await;
}

/// The stream is probed alone, as any that took a worker down, and no hardware decoder gets it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_crashes_costs_one_attempt() {
    let simulator = cameras().await;
    let machine = Machine::with(&[h264(Behaviour::Crashes)]);
    let pool = machine.pool(Hardware::Auto).await;
    for _ in 0..CLEAN_PROBES + 1 {
        let probed = probe(&pool, &simulator, "gate").await;
        expect_true_picture(&probed, "gate.png", "avdec_h264");
        let why = "the worker with the hardware decoders was lost while it had this stream";
        assert_eq!(video(&probed).hardware_refused.as_deref(), Some(why));
    }
    let measures = pool.measures();
    assert_eq!((measures.restarts_total, measures.suspects), (1, 0));
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_start_with_the_devices_is_done_without() {
    let simulator = cameras().await;
    let machine = Machine::with(&[h264(Behaviour::Good)]);
    let program = std::fs::read_to_string(&machine.program).expect("the program");
    let ends = program.replacen('\n', "\ncase \"$*\" in *--hardware*) exit 1;; esac\n", 1);
    std::fs::write(&machine.program, ends).expect("written");
    let pool = machine.start(Hardware::Auto).await;
    assert_eq!(decoders(&pool), [("v4l2good".to_owned(), Some(NotUsed::NotTried))]);
    expect_true_picture(&probe(&pool, &simulator, "gate").await, "gate.png", "avdec_h264");
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_not_used_and_says_why() {
    let simulator = cameras().await;
    let with = |behaviour, rank, device: &str| StandIn { rank, device: device.to_owned(), ..h264(behaviour) };
    let named = |stand_in: StandIn, element: &str| StandIn { element: element.to_owned(), ..stand_in };
    for (stand_ins, expected, decoder) in [
        (
            vec![
                with(Behaviour::Wrong, 300, "DIRECTORY/device"),
                with(Behaviour::Good, 200, "DIRECTORY/device"),
                named(with(Behaviour::Good, 100, "DIRECTORY/device"), "v4l2second"),
            ],
            [
                ("v4l2wrong", Some(NotUsed::SelfTest(Flaw::Wrong))),
                ("v4l2good", None),
                ("v4l2second", Some(NotUsed::Outranked)),
            ],
            "v4l2good",
        ),
        (
            vec![
                named(with(Behaviour::Good, 300, "DIRECTORY/nothing"), "v4l2absent"),
                // A directory does not open for writing, whoever asks.
                named(with(Behaviour::Good, 200, "DIRECTORY"), "v4l2closed"),
                with(Behaviour::Wrong, 100, "DIRECTORY/device"),
            ],
            [
                ("v4l2absent", Some(NotUsed::NoDevice)),
                ("v4l2closed", Some(NotUsed::NotOpened)),
                ("v4l2wrong", Some(NotUsed::SelfTest(Flaw::Wrong))),
            ],
            "avdec_h264",
        ),
    ] {
        let machine = Machine::with(&stand_ins);
        let pool = machine.pool(Hardware::Auto).await;
        assert_eq!(decoders(&pool), expected.map(|(element, why)| (element.to_owned(), why)));
        for _ in 0..2 {
            let probed = probe(&pool, &simulator, "gate").await;
            expect_true_picture(&probed, "gate.png", decoder);
            assert_eq!(video(&probed).hardware_refused, None, "it is not this stream's fault");
        }
        pool.close().await;
    }
}

/// Damage is the camera's fault, whoever finds it.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_picture_is_no_fault_of_the_hardware() {
    let simulator = cameras().await;
    let machine = Machine::with(&[h264(Behaviour::Good)]);
    let pool = machine.pool(Hardware::Auto).await;
    for _ in 0..2 {
        let probed = probe(&pool, &simulator, "damaged").await;
        assert_eq!(probed.report.reason(), Reason::Corrupt, "{:?}", probed.report);
        assert_eq!(video(&probed).hardware_refused, None);
    }
    expect_true_picture(&probe(&pool, &simulator, "gate").await, "gate.png", "v4l2good");
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn off_means_no_worker_with_devices() {
    let simulator = cameras().await;
    let machine = Machine::with(&[h264(Behaviour::Good)]);
    let pool = machine.pool(Hardware::Off).await;
    assert_eq!(decoders(&pool), [("v4l2good".to_owned(), Some(NotUsed::Off))]);
    expect_true_picture(&probe(&pool, &simulator, "gate").await, "gate.png", "avdec_h264");
    assert_eq!(pool.measures().worker_pids.len(), 1);
    pool.close().await;
}

/// Stage, reason and detail of a failure.
fn failure(probed: &Probed) -> (Reason, String) {
    match &probed.report.outcome {
        Outcome::Failed { reason, detail, .. } => (*reason, detail.clone()),
        Outcome::Ok => panic!("{:?}", probed.report),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn required_means_no_software() {
    let simulator = cameras().await;
    let machine = Machine::with(&[h264(Behaviour::Good)]);
    let pool = machine.pool(Hardware::Required).await;
    expect_true_picture(&probe(&pool, &simulator, "gate").await, "gate.png", "v4l2good");
    assert_eq!(probe(&pool, &simulator, "pool").await.report.outcome, Outcome::Ok, "JPEG is always software's");
    let h265 = failure(&probe(&pool, &simulator, "h265").await);
    let expected = "codec h265, and probe.hardware is required: there is no hardware decoder for it";
    assert_eq!(h265, (Reason::UnsupportedCodec, expected.to_owned()));
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn required_says_what_the_hardware_could_not_do() {
    let simulator = cameras().await;
    for (behaviour, reason, detail) in [
        (
            Behaviour::Refuses,
            Reason::UnsupportedCodec,
            "codec h264, and probe.hardware is required: v4l2refuses: the decoder refuses its format",
        ),
        (
            Behaviour::Wrong,
            Reason::UnsupportedCodec,
            "codec h264, and probe.hardware is required: v4l2wrong: the self-test failed: a known keyframe came out as another picture",
        ),
        // Nobody knows what the camera's picture is worth.
        (
            Behaviour::NoMemory,
            Reason::Overloaded,
            "probe.hardware is required: v4l2nomemory: the decoder has no memory for it",
        ),
        (Behaviour::Hangs, Reason::Overloaded, "probe.hardware is required: v4l2hangs: the decoder gave no picture"),
    ] {
        let machine = Machine::with(&[h264(behaviour)]);
        let pool = machine.pool(Hardware::Required).await;
        let probed = probe(&pool, &simulator, "gate").await;
        assert_eq!(failure(&probed), (reason, detail.to_owned()), "{behaviour:?}");
        pool.close().await;
    }
}

/// The real program with `--hardware`, whatever this machine has: it starts, is in its sandbox, and finds the picture.
#[tokio::test(flavor = "multi_thread")]
async fn the_real_worker_with_devices_works_without_any() {
    let simulator = cameras().await;
    let machine = Machine::running(|_| {
        format!("case \"$*\" in *--warm-registry*) exec '{PROGRAM}' \"$@\";; esac\nexec '{PROGRAM}' \"$@\" --hardware")
    });
    let pool = machine.pool(Hardware::Off).await;
    let probed = probe(&pool, &simulator, "gate").await;
    expect_true_picture(&probed, "gate.png", "avdec_h264");
    for pid in pool.measures().worker_pids {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("a process");
        assert!(command.contains("--hardware"), "{command:?}");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        assert!(status.lines().any(|line| line == "Seccomp:\t2"), "{status}");
    }
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_v_says_which_decoders_there_are() {
    let simulator = cameras().await;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.arg("probe").arg(simulator.url("gate")).args(arguments);
        let output = command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).output().expect("streampulse probe");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = run(&["-v", "--hardware", "off"]);
    assert!(text.contains("\nsoftware decoders: h264: avdec_h264, h265: avdec_h265, mjpeg: jpegdec\n"), "{text}");
    let hardware: Vec<_> = text.lines().filter(|line| line.starts_with("hardware decoder")).collect();
    assert!(!hardware.is_empty(), "{text}");
    for line in hardware {
        assert!(
            line == "hardware decoders: none found" || line.ends_with(": not used: probe.hardware is off"),
            "{line}"
        );
    }
    assert!(!run(&["--hardware", "off"]).contains("decoders"), "only when asked");
    let json: serde_json::Value = serde_json::from_str(&run(&["--json", "-v"])).expect("JSON");
    assert!(json["hardware_decoders"].is_array(), "{json}");
}

#[test]
fn the_health_of_the_service_has_the_hardware_decoders() {
    let site = Site::new("probe: {hardware: off}\n");
    let service = site.start();
    let hardware = &service.json("/api/health")["workers"]["hardware"];
    assert_eq!(hardware["setting"], "off");
    for decoder in hardware["decoders"].as_array().expect("decoders") {
        assert_eq!((&decoder["used"], &decoder["slots"]), (&false.into(), &0.into()), "{decoder}");
        assert_eq!(decoder["not_used_because"], "probe.hardware is off");
    }
    let (code, log) = service.stop();
    assert_eq!(code, 0);
    assert!(log.contains("hardware decoder"), "{log}");
}

/// A picture that keeps the only decoder of the only worker busy, and cameras whose keyframes wait behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_never_decoded_costs_its_own_probe_and_no_other() {
    // In place of the software decoder, by its name.
    let (element, device) = ("jpegdec".to_owned(), String::new());
    let jpegdec = StandIn { element, device, codec: Codec::Mjpeg, ..h264(Behaviour::Hangs) };
    let machine = Machine::with(&[jpegdec]);
    let pool = machine.pool(Hardware::Off).await;
    let simulator = cameras().await;
    let bomb = tokio::spawn({
        let (pool, request) = (pool.clone(), request("pool", &simulator.url("pool")));
        async move { pool.probe(request).await }
    });
    while !bomb.is_finished() {
        for name in ["gate", "street", "h265"] {
            assert_eq!(probe(&pool, &simulator, name).await.report.outcome, Outcome::Ok, "{name}");
        }
    }
    let report = bomb.await.expect("a report").report;
    assert_eq!((report.stage(), report.reason()), (Stage::Decode, Reason::WorkerTimeout), "{report:?}");
    assert_eq!((pool.measures().suspects, pool.measures().restarts_total), (1, 1));
    assert_eq!(probe(&pool, &simulator, "gate").await.report.outcome, Outcome::Ok);
    pool.close().await;
}
