//! What several black-box tests share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod broker;
pub mod certificates;
pub mod fates;
pub mod receivers;
pub mod service;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use streampulse::model::{CameraUrl, Codec, Transport, Trust};
use streampulse::probe::pool::{Pool, PoolOptions};
use streampulse::probe::{ProbeRequest, SnapshotSize};
use streampulse::simulator::Clip;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_streampulse");

/// What `streampulse probe --json` says of a URL, with these further arguments.
pub async fn probe_json(url: &str, arguments: &[&str]) -> serde_json::Value {
    probe_json_of(tokio::process::Command::new(PROGRAM), url, arguments).await
}

/// What it says when it is started by this command.
pub async fn probe_json_of(mut program: tokio::process::Command, url: &str, arguments: &[&str]) -> serde_json::Value {
    let program = program.args(["probe", url, "--json"]).args(arguments);
    let output = program.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).output().await.expect("streampulse probe");
    let [said, complaint] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{complaint}"))
}

/// Where it ended and why: `stage reason`.
pub fn stage_and_reason(report: &serde_json::Value) -> String {
    let said = |field: &str| report[field].as_str().unwrap_or_default();
    format!("{} {}", said("stage"), said("reason"))
}

/// A file of `tests/fixtures`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// A clip of `tests/fixtures/clips`.
pub fn clip(name: &str) -> Arc<Clip> {
    let bytes = std::fs::read(fixture("clips").join(name)).expect(name);
    let codec = if name.ends_with(".h265") { Codec::H265 } else { Codec::H264 };
    Clip::from_annex_b(codec, bytes, 25).expect(name)
}

/// Options for a pool of the real program, with a registry that all tests share.
pub fn pool_options() -> PoolOptions {
    let registry = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gstreamer-registry.bin");
    PoolOptions { program: PROGRAM.into(), ..PoolOptions::new(registry) }
}

/// A pool of the real program.
pub async fn pool() -> Pool {
    Pool::start(pool_options()).await.expect("pool")
}

/// A request for the whole picture.
pub fn request(key: &str, url: &str) -> ProbeRequest {
    let (url, credentials) = CameraUrl::parse(url).expect(url);
    ProbeRequest {
        key: key.to_owned(),
        url,
        credentials,
        transport: Transport::Auto,
        timeout: Duration::from_secs(10),
        trust: Trust::default(),
        max_megapixels: 40,
        snapshot: SnapshotSize::Full,
    }
}

/// Pixels as RGB.
pub struct Rgb {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

/// Decodes a JPEG with a decoder that is not the one under test.
pub fn decode_jpeg(jpeg: &[u8]) -> Rgb {
    let options = zune_jpeg::zune_core::options::DecoderOptions::default()
        .jpeg_set_out_colorspace(zune_jpeg::zune_core::colorspace::ColorSpace::RGB);
    let cursor = zune_jpeg::zune_core::bytestream::ZCursor::new(jpeg);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(cursor, options);
    let pixels = decoder.decode().expect("a JPEG");
    let (width, height) = decoder.dimensions().expect("dimensions");
    Rgb { width, height, pixels }
}

/// The reference picture of a clip.
pub fn reference(name: &str) -> Rgb {
    let file = std::fs::File::open(fixture("reference").join(name)).expect(name);
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("size")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    Rgb { width: info.width as usize, height: info.height as usize, pixels }
}

/// Peak signal-to-noise ratio over all three channels, in dB.
pub fn psnr(a: &Rgb, b: &Rgb) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let squares: u64 = a.pixels.iter().zip(&b.pixels).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * a.pixels.len() as f64 / squares.max(1) as f64).log10()
}
