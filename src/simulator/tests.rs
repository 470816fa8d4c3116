//! Conversations over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::packetise::tests::depacketise;
use super::*;
use crate::model::Codec;

const PATIENCE: Duration = Duration::from_secs(30);
const TCP: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";

/// A client that reads one thing at a time.
struct Client {
    stream: TcpStream,
    inbox: BytesMut,
    sequence: u32,
    session: String,
    /// RTP packets that came before an answer.
    packets: Vec<Vec<u8>>,
}

struct Reply {
    code: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> String {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v.to_owned())
            .unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connects");
        Self { stream, inbox: BytesMut::new(), sequence: 0, session: String::new(), packets: Vec::new() }
    }

    /// False at the end of the connection.
    async fn read(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.inbox)).await.expect("in time");
        read.unwrap_or(0) > 0
    }

    async fn ended(mut self) -> bool {
        while self.read().await {}
        true
    }

    fn take_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        if self.inbox.first() != Some(&b'$') || self.inbox.len() < 4 {
            return None;
        }
        let length = 4 + usize::from(u16::from_be_bytes([self.inbox[2], self.inbox[3]]));
        if self.inbox.len() < length {
            return None;
        }
        let packet = self.inbox.split_to(length);
        Some((packet[1], packet[4..].to_vec()))
    }

    async fn packet(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some(packet) = self.take_packet() {
                return packet;
            }
            assert!(self.read().await, "the connection ended");
        }
    }

    async fn ask(&mut self, method: &str, url: &str, header: &str) -> Reply {
        self.sequence += 1;
        let mut text = format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\n", self.sequence);
        for line in [header, self.session.as_str()] {
            if !line.is_empty() {
                text.push_str(&format!("{line}\r\n"));
            }
        }
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await.expect("sends");
        loop {
            while let Some((channel, packet)) = self.take_packet() {
                if channel == 0 {
                    self.packets.push(packet);
                }
            }
            if self.inbox.first() != Some(&b'$')
                && let Some(end) = self.inbox.windows(4).position(|w| w == b"\r\n\r\n")
            {
                let head = String::from_utf8(self.inbox[..end].to_vec()).expect("text");
                let mut reply = Reply { code: head[9..12].parse().expect("code"), head, body: String::new() };
                let length: usize = if reply.head.contains("Content-Length") {
                    reply.header("Content-Length").parse().unwrap()
                } else {
                    0
                };
                if self.inbox.len() >= end + 4 + length {
                    self.inbox.advance(end + 4);
                    reply.body = String::from_utf8(self.inbox.split_to(length).to_vec()).expect("text");
                    assert!(reply.head.contains(&format!("CSeq: {}", self.sequence)));
                    return reply;
                }
            }
            assert!(self.read().await, "the connection ended");
        }
    }

    /// OPTIONS to PLAY; the SDP.
    async fn play(&mut self, url: &str, transport: &str) -> String {
        let sdp = self.ask("DESCRIBE", url, "Accept: application/sdp").await;
        assert_eq!(sdp.code, 200, "{}", sdp.head);
        let track = format!("{}trackID=0", sdp.header("Content-Base"));
        let reply = self.ask("SETUP", &track, transport).await;
        assert_eq!(reply.code, 200, "{}", reply.head);
        self.session = format!("Session: {}", reply.header("Session").split(';').next().unwrap());
        let reply = self.ask("PLAY", url, "Range: npt=now-").await;
        assert_eq!(reply.code, 200, "{}", reply.head);
        assert!(reply.header("RTP-Info").contains("rtptime="));
        sdp.body
    }

    /// The RTP packets of the next whole picture on channel 0.
    async fn picture(&mut self) -> Vec<Vec<u8>> {
        let mut picture = Vec::new();
        loop {
            let (channel, packet) = self.packet().await;
            if channel != 0 {
                continue;
            }
            let last = packet[1] & 0x80 != 0;
            picture.push(packet);
            if last {
                return picture;
            }
        }
    }
}

async fn start(cameras: impl IntoIterator<Item = SimulatedCamera>) -> Simulator {
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("starts")
}

fn kinds(codec: Codec, packets: &[Vec<u8>]) -> Vec<u8> {
    let kind = |u: &Vec<u8>| if codec == Codec::H264 { u[0] & 0x1f } else { u[0] >> 1 & 0x3f };
    depacketise(codec, packets).iter().map(kind).collect()
}

#[tokio::test]
async fn a_client_plays_over_tcp_and_hangs_up() {
    let simulator = start([SimulatedCamera::rtsp("Gate", clips::pattern_h264())]).await;
    let url = simulator.url("Gate");
    let mut client = Client::connect(simulator.address("Gate")).await;
    assert!(client.ask("OPTIONS", &url, "").await.header("Public").contains("TEARDOWN"));
    let sdp = client.play(&url, TCP).await;
    assert!(
        sdp.contains("H264/90000") && sdp.contains("sprop-parameter-sets=Z") && sdp.contains("profile-level-id=4D")
    );
    let (first, second) = (client.picture().await, client.picture().await);
    let number = |p: &[Vec<u8>]| u16::from_be_bytes([p[0][2], p[0][3]]);
    let time = |p: &[Vec<u8>]| u32::from_be_bytes([p[0][4], p[0][5], p[0][6], p[0][7]]);
    assert_eq!(number(&second), number(&first).wrapping_add(first.len() as u16));
    assert_eq!(time(&second), time(&first).wrapping_add(3_600));
    assert_eq!(simulator.counts("Gate").sessions_open, 1);
    assert_eq!(client.ask("GET_PARAMETER", &url, "").await.code, 200);
    assert_eq!(client.ask("TEARDOWN", &url, "").await.code, 200);
    assert_eq!(client.ask("TEARDOWN", &url, "").await.code, 454);
    let expected = Counts {
        connections: 1,
        sessions_opened: 1,
        most_sessions_open: 1,
        plays: 1,
        teardowns: 1,
        ..Counts::default()
    };
    assert_eq!(simulator.counts("Gate"), expected);
    assert_eq!(simulator.total(), expected);
    assert_eq!(simulator.device_counts("Gate"), DeviceCounts { open: 0, most_open: 1 });
}

#[tokio::test]
async fn a_session_begins_mid_group_or_with_a_keyframe() {
    for codec in [Codec::H264, Codec::H265] {
        let (clip, expected): (_, &[u8]) = match codec {
            Codec::H264 => (clips::pattern_h264(), &[7, 8, 5]),
            _ => (clips::pattern_h265(), &[32, 33, 34, 20]),
        };
        let keyframe_first = |name: &str| SimulatedCamera::rtsp(name, Arc::clone(&clip)).start(Start::KeyframeFirst);
        let simulator = start([
            keyframe_first("Both"),
            keyframe_first("SDP").parameter_sets(ParameterSets::SdpOnly),
            keyframe_first("In band").parameter_sets(ParameterSets::InBandOnly),
            keyframe_first("Deltas").fault(Fault::NoKeyframe),
        ])
        .await;
        for (name, in_sdp, kinds_expected) in [
            ("Both", true, expected),
            ("SDP", true, &expected[expected.len() - 1..]),
            ("In band", false, expected),
            ("Deltas", true, &[1]),
        ] {
            let mut client = Client::connect(simulator.address(name)).await;
            let sdp = client.play(&simulator.url(name), TCP).await;
            assert_eq!(sdp.contains("sprop"), in_sdp, "{name}: {sdp}");
            assert_eq!(kinds(codec, &client.picture().await), kinds_expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_live_camera_comes_to_its_keyframe_within_two_seconds_of_pictures() {
    let simulator = start([SimulatedCamera::rtsp("Gate", clips::pattern_h264())]).await;
    let mut client = Client::connect(simulator.address("Gate")).await;
    client.play(&simulator.url("Gate"), TCP).await;
    let mut pictures = 1;
    while kinds(Codec::H264, &client.picture().await) != [7, 8, 5] {
        pictures += 1;
    }
    assert!(pictures <= 50, "{pictures}");
}

#[tokio::test]
async fn a_client_plays_over_udp() {
    let camera = |name: &str| SimulatedCamera::rtsp(name, clips::pattern_h264()).start(Start::KeyframeFirst);
    let simulator =
        start([camera("Gate").transports(Transports::UdpOnly), camera("TCP").transports(Transports::TcpOnly)]).await;
    let rtp = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let rtcp = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let ports = format!("{}-{}", rtp.local_addr().unwrap().port(), rtcp.local_addr().unwrap().port());
    let udp = format!("Transport: RTP/AVP;unicast;client_port={ports}");
    let mut client = Client::connect(simulator.address("Gate")).await;
    assert_eq!(client.ask("SETUP", &simulator.url("Gate"), TCP).await.code, 461);
    client.play(&simulator.url("Gate"), &udp).await;
    let mut report = [0; 2_000];
    let length = tokio::time::timeout(PATIENCE, rtcp.recv(&mut report)).await.expect("in time").expect("report");
    assert_eq!((report[1], length), (200, 48));
    let mut packets = Vec::new();
    while packets.last().is_none_or(|last: &Vec<u8>| last[1] & 0x80 == 0) {
        let mut packet = vec![0; 2_000];
        let length = tokio::time::timeout(PATIENCE, rtp.recv(&mut packet)).await.expect("in time").expect("packet");
        packet.truncate(length);
        packets.push(packet);
    }
    assert_eq!(kinds(Codec::H264, &packets), [7, 8, 5]);
    let mut client = Client::connect(simulator.address("TCP")).await;
    assert_eq!(client.ask("SETUP", &simulator.url("TCP"), &udp).await.code, 461);
    client.play(&simulator.url("TCP"), &format!("{udp},RTP/AVP/TCP;unicast;interleaved=0-1")).await;
}

#[tokio::test]
async fn the_account_is_asked_for_and_counted() {
    let camera = |name: &str| SimulatedCamera::rtsp(name, clips::pattern_h264()).auth(Auth::digest("admin", "p@ss"));
    let simulator = start([camera("Gate"), camera("Endless").fault(Fault::Status(401))]).await;
    for (name, password, code) in [("Gate", "p@ss", 200), ("Gate", "wrong", 401), ("Endless", "p@ss", 401)] {
        let url = simulator.url(name);
        let mut client = Client::connect(simulator.address(name)).await;
        let challenge = client.ask("DESCRIBE", &url, "").await;
        assert_eq!(challenge.code, 401);
        let challenge = challenge.header("WWW-Authenticate");
        let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("nonce");
        let header = auth::digest_header("admin", password, "DESCRIBE", &url, nonce);
        assert_eq!(client.ask("DESCRIBE", &url, &format!("Authorization: {header}")).await.code, code, "{name}");
    }
    let counts = simulator.counts("Gate");
    assert_eq!((counts.requests_with_credentials, counts.requests_refused), (2, 1));
    let counts = simulator.counts("Endless");
    assert_eq!((counts.requests_with_credentials, counts.requests_refused), (1, 1));
    assert!(simulator.url_with_credentials("Gate").starts_with("rtsp://admin:p%40ss@127."));
}

#[tokio::test]
async fn a_device_serves_as_many_sessions_as_it_can() {
    let stream = |name: &str, path: &str| SimulatedCamera::rtsp(name, clips::pattern_h264()).device("NVR").path(path);
    let simulator = start([stream("One", "/ch?n=1").session_limit(1), stream("Two", "/ch?n=2")]).await;
    assert_eq!(simulator.address("One"), simulator.address("Two"));
    let mut first = Client::connect(simulator.address("One")).await;
    first.play(&simulator.url("One"), TCP).await;
    let mut second = Client::connect(simulator.address("Two")).await;
    assert_eq!(second.ask("SETUP", &simulator.url("Two"), TCP).await.code, 453);
    assert_eq!(simulator.counts("Two").refused_busy, 1);
    // A client that goes without TEARDOWN frees its session too.
    drop(first);
    simulator.counts_when("One", PATIENCE, |c| c.sessions_open == 0).await.expect("ends");
    second.play(&simulator.url("Two"), TCP).await;
    assert_eq!(simulator.device_counts("One"), DeviceCounts { open: 1, most_open: 1 });
    assert_eq!(simulator.counts("One").teardowns, 0);
    assert_eq!(second.ask("DESCRIBE", &simulator.url("One").replace("n=1", "n=3"), "").await.code, 404);
}

#[tokio::test]
async fn a_camera_breaks_and_heals() {
    let simulator = start([SimulatedCamera::rtsp("Gate", clips::pattern_h264())]).await;
    let (url, address) = (simulator.url("Gate"), simulator.address("Gate"));
    let mut client = Client::connect(address).await;
    client.play(&url, TCP).await;
    simulator.set_fault("Gate", Some(Fault::ConnectionRefused)).await.expect("breaks");
    assert!(client.ended().await);
    let refused = TcpStream::connect(address).await.expect_err("refused");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    simulator.counts_when("Gate", PATIENCE, |c| c.sessions_open == 0).await.expect("ends");

    simulator.set_fault("Gate", Some(Fault::Status(404))).await.expect("breaks");
    assert_eq!(Client::connect(address).await.ask("DESCRIBE", &url, "").await.code, 404);
    simulator.set_fault("Gate", Some(Fault::AudioOnly)).await.expect("breaks");
    let sdp = Client::connect(address).await.ask("DESCRIBE", &url, "").await.body;
    assert!(sdp.contains("m=audio") && !sdp.contains("m=video"));
    simulator.set_fault("Gate", Some(Fault::Html)).await.expect("breaks");
    let mut client = Client::connect(address).await;
    client.stream.write_all(format!("OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n").as_bytes()).await.expect("sends");
    while client.read().await {}
    assert!(client.inbox.starts_with(b"HTTP/1.1 200 OK"));
    // Nothing comes: the connection ends only when the camera changes.
    simulator.set_fault("Gate", Some(Fault::SilentAfterAccept)).await.expect("breaks");
    let before = simulator.counts("Gate").connections;
    let mut client = Client::connect(address).await;
    client.stream.write_all(format!("OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n").as_bytes()).await.expect("sends");
    simulator.counts_when("Gate", PATIENCE, |c| c.connections > before).await.expect("accepted");
    simulator.set_fault("Gate", None).await.expect("heals");
    while client.read().await {}
    assert!(client.inbox.is_empty());

    Client::connect(address).await.play(&url, TCP).await;
    assert!(matches!(simulator.set_fault("Gone", None).await, Err(SimulatorError::NoSuchCamera(_))));
}

#[tokio::test]
async fn media_that_ends_or_never_comes_leaves_the_session_open() {
    let camera = |name: &str, fault| SimulatedCamera::rtsp(name, clips::pattern_h264()).fault(fault);
    let simulator = start([
        camera("None", Fault::NoMedia),
        camera("Stalls", Fault::StallsAfter(Duration::from_millis(200))).start(Start::KeyframeFirst),
    ])
    .await;
    let mut client = Client::connect(simulator.address("Stalls")).await;
    client.play(&simulator.url("Stalls"), TCP).await;
    for _ in 0..5 {
        client.picture().await;
    }
    // 200 ms are the pictures 0 to 5; the sixth is the last.
    assert_eq!(kinds(Codec::H264, &client.picture().await), [1]);
    assert_eq!(client.ask("GET_PARAMETER", &simulator.url("Stalls"), "").await.code, 200);
    assert!(client.packets.is_empty());
    let mut client = Client::connect(simulator.address("None")).await;
    client.play(&simulator.url("None"), TCP).await;
    assert_eq!(client.ask("GET_PARAMETER", &simulator.url("None"), "").await.code, 200);
    assert!(client.packets.is_empty() && client.inbox.is_empty());
    assert_eq!(simulator.total().sessions_open, 2);
}

#[tokio::test]
async fn what_makes_no_sense_does_not_start() {
    let camera = |name: &str| SimulatedCamera::rtsp(name, clips::pattern_h264());
    let twice = Simulator::start(SimulatorOptions::new([camera("Gate"), camera("Gate")])).await;
    assert!(matches!(twice, Err(SimulatorError::DuplicateName(_))));
    let wrong = Simulator::start(SimulatorOptions::new([SimulatedCamera::mjpeg("Gate", clips::pattern_h264())])).await;
    assert!(matches!(wrong, Err(SimulatorError::WrongClip(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_carries_a_thousand_cameras() {
    let camera = |n: usize| SimulatedCamera::rtsp(format!("Camera {n}"), clips::pattern_h264());
    let simulator = start((0..1_000).map(camera)).await;
    let addresses: std::collections::HashSet<_> =
        simulator.names().iter().map(|name| simulator.address(name).ip()).collect();
    assert_eq!(addresses.len(), 1_000);
    for name in ["Camera 0", "Camera 499", "Camera 999"] {
        let mut client = Client::connect(simulator.address(name)).await;
        client.play(&simulator.url(name), TCP).await;
        client.picture().await;
    }
    assert_eq!(simulator.total().sessions_opened, 3);
}
