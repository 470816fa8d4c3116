//! The same true picture from a server that is not ours: gst-rtsp-server.

mod common;

use std::time::Duration;

use common::{decode_jpeg, pool, psnr, reference, request};
use gstreamer_rtsp_server::glib;
use gstreamer_rtsp_server::prelude::*;
use streampulse::model::{Codec, Outcome, Transport};
use streampulse::probe::Prober as _;

const TRUE_PICTURE_DB: f64 = 35.0;

/// A server in a thread of its own that plays a clip again and again, to every client from where it is.
struct Server {
    main_loop: glib::MainLoop,
    thread: Option<std::thread::JoinHandle<()>>,
    port: i32,
}

impl Server {
    fn start(codec: Codec) -> Self {
        gstreamer_rtsp_server::gst::init().expect("GStreamer");
        let played = |name: &str| {
            let clip = format!("{}/src/simulator/clips/pattern-720p.{name}", env!("CARGO_MANIFEST_DIR"));
            format!(
                "( multifilesrc location={clip} loop=true caps=video/x-{name},stream-format=byte-stream,framerate=25/1 \
                 ! {name}parse ! video/x-{name},framerate=25/1 ! rtp{name}pay name=pay0 pt=96 config-interval=-1 )"
            )
        };
        let launch = match codec {
            Codec::H265 => played("h265"),
            Codec::H264 => played("h264"),
            // Bars that do not move, so that every picture is the reference; in the full range of JFIF, which the encoder
            // leaves to what is before it.
            Codec::Mjpeg => "( videotestsrc is-live=true pattern=smpte100 \
                 ! video/x-raw,format=RGB,width=640,height=360,framerate=25/1 \
                 ! videoconvert ! video/x-raw,format=I420,colorimetry=1:4:0:0 \
                 ! jpegenc quality=95 ! rtpjpegpay name=pay0 pt=26 )"
                .to_owned(),
        };
        let (started, port) = std::sync::mpsc::sync_channel(1);
        let context = glib::MainContext::new();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let running = main_loop.clone();
        let thread = std::thread::spawn(move || {
            let served = context.with_thread_default(|| {
                let server = gstreamer_rtsp_server::RTSPServer::new();
                server.set_address("127.0.0.1");
                server.set_service("0");
                let factory = gstreamer_rtsp_server::RTSPMediaFactory::new();
                factory.set_launch(&launch);
                factory.set_shared(true);
                let mounts = server.mount_points().expect("mount points");
                mounts.add_factory("/clip", factory);
                let _source = server.attach(Some(&context)).expect("attached");
                started.send(server.bound_port()).expect("told");
                running.run();
            });
            served.expect("a context of our own");
        });
        let port = port.recv_timeout(Duration::from_secs(30)).expect("a port");
        Self { main_loop, thread: Some(thread), port }
    }

    fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/clip", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn expect_true_pictures(codec: Codec, transport: Transport, times: usize) {
    let server = Server::start(codec);
    let expected = reference(if codec == Codec::H265 { "pattern-720p-h265.png" } else { "pattern-720p-h264.png" });
    let pool = pool().await;
    for time in 0..times {
        let mut request = request("independent", &server.url());
        request.transport = transport;
        let probed = pool.probe(request).await;
        assert_eq!(probed.report.outcome, Outcome::Ok, "{codec:?} {transport:?} {time}: {:?}", probed.report);
        assert_eq!(
            probed.report.transport,
            Some(if transport == Transport::Udp { Transport::Udp } else { Transport::Tcp })
        );
        let db = psnr(&decode_jpeg(&probed.jpeg.expect("a picture")), &expected);
        assert!(db > TRUE_PICTURE_DB, "{codec:?} {transport:?} {time}: {db:.1} dB");
    }
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_over_tcp() {
    expect_true_pictures(Codec::H264, Transport::Auto, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_over_udp() {
    expect_true_pictures(Codec::H264, Transport::Udp, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_over_tcp_and_udp() {
    expect_true_pictures(Codec::H265, Transport::Auto, 10).await;
    expect_true_pictures(Codec::H265, Transport::Udp, 10).await;
}

/// Seven bars of full colour (SMPTE EG 1, at 100 %), from the left: white, yellow, cyan, green, magenta, red, blue.
#[tokio::test(flavor = "multi_thread")]
async fn mjpeg_over_rtp() {
    let server = Server::start(Codec::Mjpeg);
    let pool = pool().await;
    for transport in [Transport::Auto, Transport::Udp] {
        let mut request = request("bars", &server.url());
        request.transport = transport;
        let probed = pool.probe(request).await;
        assert_eq!(probed.report.outcome, Outcome::Ok, "{transport:?}: {:?}", probed.report);
        let video = probed.report.video.expect("facts");
        assert_eq!((video.codec, video.width, video.height), (Codec::Mjpeg, Some(640), Some(360)));
        let picture = decode_jpeg(&probed.jpeg.expect("a picture"));
        let bars =
            [[255, 255, 255], [255, 255, 0], [0, 255, 255], [0, 255, 0], [255, 0, 255], [255, 0, 0], [0, 0, 255]];
        for (number, bar) in bars.iter().enumerate() {
            let at = (60 * picture.width + picture.width * (2 * number + 1) / 14) * 3;
            let far = picture.pixels[at..at + 3].iter().zip(bar).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(far < Some(12), "{transport:?} bar {number}: {:?}", &picture.pixels[at..at + 3]);
        }
    }
    pool.close().await;
}

/// A second client keeps the media running, so that probes join in the middle of a group of pictures.
#[tokio::test(flavor = "multi_thread")]
async fn joined_in_the_middle() {
    let server = Server::start(Codec::H264);
    let expected = reference("pattern-720p-h264.png");
    let pool = pool().await;
    let keeper = tokio::net::TcpStream::connect(("127.0.0.1", server.port as u16)).await.expect("connected");
    let mut keeper = Keeper { socket: tokio::io::BufReader::new(keeper), number: 0 };
    keeper.play(&server.url()).await;
    let draining = tokio::spawn(async move { tokio::io::copy(&mut keeper.socket, &mut tokio::io::sink()).await });
    for time in 0..20 {
        let probed = pool.probe(request("joined", &server.url())).await;
        assert_eq!(probed.report.outcome, Outcome::Ok, "{time}: {:?}", probed.report);
        let db = psnr(&decode_jpeg(&probed.jpeg.expect("a picture")), &expected);
        assert!(db > TRUE_PICTURE_DB, "{time}: {db:.1} dB");
    }
    draining.abort();
    pool.close().await;
}

/// The least RTSP client: enough to keep a shared media playing over TCP.
struct Keeper {
    socket: tokio::io::BufReader<tokio::net::TcpStream>,
    number: u32,
}

impl Keeper {
    async fn play(&mut self, url: &str) {
        self.ask("DESCRIBE", url, "Accept: application/sdp\r\n").await;
        let setup =
            self.ask("SETUP", &format!("{url}/stream=0"), "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n").await;
        let session = setup.lines().find_map(|line| line.strip_prefix("Session: ")).expect("a session");
        let session = session.split(';').next().expect("an id").trim().to_owned();
        self.ask("PLAY", url, &format!("Session: {session}\r\nRange: npt=0.000-\r\n")).await;
    }

    async fn ask(&mut self, method: &str, url: &str, headers: &str) -> String {
        use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
        self.number += 1;
        let request = format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\n{headers}\r\n", self.number);
        self.socket.get_mut().write_all(request.as_bytes()).await.expect("sent");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.socket.read_line(&mut head).await.expect("a line") > 0, "{method}: {head}");
        }
        assert!(head.starts_with("RTSP/1.0 200"), "{method}: {head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .map_or(0, |l| l.trim().parse().expect("a length"));
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await.expect("a body");
        head
    }
}
