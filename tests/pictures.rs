//! The picture that comes back is the true one: compared with a reference made by another decoder.

mod common;

use common::{clip, decode_jpeg, pool, psnr, reference, request};
use streampulse::model::{Outcome, Transport};
use streampulse::probe::Prober as _;
use streampulse::simulator::{ParameterSets, SimulatedCamera, Simulator, SimulatorOptions, Start, Transports, clips};

/// Least PSNR of a picture that is the reference, through one JPEG.
const TRUE_PICTURE_DB: f64 = 35.0;

/// Probes a camera of a fresh simulator `times` times and compares each picture.
async fn expect_true_picture(camera: SimulatedCamera, reference_name: &str, transport: Transport, times: usize) {
    let name = camera.name().to_owned();
    let simulator = Simulator::start(SimulatorOptions::new([camera])).await.expect("simulator");
    let pool = pool().await;
    let expected = reference(reference_name);
    for time in 0..times {
        let mut request = request(&name, &simulator.url_with_credentials(&name));
        request.transport = transport;
        let probed = pool.probe(request).await;
        assert_eq!(probed.report.outcome, Outcome::Ok, "{name}, time {time}: {:?}", probed.report);
        let got = decode_jpeg(&probed.jpeg.expect("a picture"));
        let db = psnr(&got, &expected);
        assert!(db > TRUE_PICTURE_DB, "{name}, time {time}: {db:.1} dB");
    }
    pool.close().await;
}

#[tokio::test]
async fn h264_joined_anywhere() {
    let camera = SimulatedCamera::rtsp("h264", clips::pattern_h264());
    expect_true_picture(camera, "pattern-720p-h264.png", Transport::Auto, 20).await;
}

#[tokio::test]
async fn h265_joined_anywhere() {
    let camera = SimulatedCamera::rtsp("h265", clips::pattern_h265());
    expect_true_picture(camera, "pattern-720p-h265.png", Transport::Auto, 20).await;
}

#[tokio::test]
async fn h264_over_udp() {
    let camera = SimulatedCamera::rtsp("udp", clips::pattern_h264()).transports(Transports::UdpOnly);
    expect_true_picture(camera, "pattern-720p-h264.png", Transport::Auto, 5).await;
    let camera = SimulatedCamera::rtsp("udp asked for", clips::pattern_h265());
    expect_true_picture(camera, "pattern-720p-h265.png", Transport::Udp, 3).await;
}

#[tokio::test]
async fn the_transport_that_worked_is_remembered() {
    let camera = SimulatedCamera::rtsp("udp", clips::pattern_h264()).transports(Transports::UdpOnly);
    let simulator = Simulator::start(SimulatorOptions::new([camera])).await.expect("simulator");
    let pool = pool().await;
    let mut connections = Vec::new();
    for _ in 0..3 {
        let probed = pool.probe(request("udp", &simulator.url_with_credentials("udp"))).await;
        assert_eq!(probed.report.outcome, Outcome::Ok, "{:?}", probed.report);
        connections.push(simulator.counts("udp").connections);
    }
    pool.close().await;
    assert_eq!(connections, [2, 3, 4], "TCP and then UDP the first time, UDP at once from then on");
}

#[tokio::test]
async fn mjpeg_over_http() {
    // Every picture of Motion JPEG is a keyframe, so the one that comes back is any one of the clip.
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/src/simulator/clips/pool.mjpeg")).expect("clip");
    let starts: Vec<_> = (0..bytes.len() - 2).filter(|&i| bytes[i..].starts_with(&[0xff, 0xd8, 0xff])).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let pictures: Vec<_> = starts.iter().zip(ends).map(|(&start, end)| decode_jpeg(&bytes[start..end])).collect();
    let simulator =
        Simulator::start(SimulatorOptions::new([SimulatedCamera::mjpeg("pool", clips::pool_mjpeg())])).await;
    let simulator = simulator.expect("simulator");
    let pool = pool().await;
    for time in 0..20 {
        let probed = pool.probe(request("pool", &simulator.url("pool"))).await;
        assert_eq!(probed.report.outcome, Outcome::Ok, "time {time}: {:?}", probed.report);
        let got = decode_jpeg(&probed.jpeg.expect("a picture"));
        let best = pictures.iter().map(|picture| psnr(&got, picture)).fold(0.0, f64::max);
        assert!(best > TRUE_PICTURE_DB, "time {time}: {best:.1} dB");
    }
    pool.close().await;
}

#[tokio::test]
async fn every_kind_of_h264() {
    for (file, reference_name) in [
        ("bframes.h264", "bframes.png"),
        ("slices.h264", "slices.png"),
        ("interlaced.h264", "interlaced.png"),
        ("fullrange.h264", "fullrange.png"),
        ("bt601.h264", "bt601.png"),
        ("odd-322x182.h264", "odd-322x182.png"),
        ("odd-426x242.h264", "odd-426x242.png"),
    ] {
        let camera = SimulatedCamera::rtsp(file, clip(file));
        expect_true_picture(camera, reference_name, Transport::Auto, 2).await;
    }
}

#[tokio::test]
async fn parameter_sets_anywhere() {
    for place in [ParameterSets::SdpOnly, ParameterSets::InBandOnly, ParameterSets::Both] {
        for start in [Start::Live, Start::KeyframeFirst] {
            let camera =
                SimulatedCamera::rtsp(format!("{place:?}"), clips::pattern_h264()).parameter_sets(place).start(start);
            expect_true_picture(camera, "pattern-720p-h264.png", Transport::Auto, 1).await;
            let camera = SimulatedCamera::rtsp(format!("{place:?} h265"), clips::pattern_h265())
                .parameter_sets(place)
                .start(start);
            expect_true_picture(camera, "pattern-720p-h265.png", Transport::Auto, 1).await;
        }
    }
}
