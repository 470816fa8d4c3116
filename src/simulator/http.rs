//! Motion JPEG over HTTP (`multipart/x-mixed-replace`), and web pages where none should be.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::camera::SimulatedCamera;
use super::connection::{Connection, Event};
use super::crafted;
use super::device::CameraState;
use super::fault::{Fault, MediaFault, Method};
use super::media::Timeline;
use super::request::{Request, reason_phrase};

const BOUNDARY: &str = "frame";
const LOGIN_PAGE: &str = "<!DOCTYPE html><html><head><title>Login</title></head><body><form method=\"post\">\
    <input name=\"user\"><input name=\"password\" type=\"password\"><button>Log in</button></form></body></html>";
/// A client that is this far behind loses pictures.
const MAX_BACKLOG_BYTES: usize = 512 * 1024;

/// Serves a connection until it ends. `only` is the camera behind the port, if there is only one.
pub(super) async fn serve(
    mut connection: Connection,
    cameras: &[Arc<CameraState>],
    only: Option<Arc<CameraState>>,
) -> io::Result<()> {
    let request = match connection.next(None).await? {
        Event::Request(request) => request,
        Event::Due | Event::Ended => return Ok(()),
    };
    let Some(camera) = cameras.iter().find(|c| c.description.path == request.path()) else {
        return refuse(connection, 404, only.as_ref(), &request).await;
    };
    if only.is_none() {
        camera.counts.update(|c| c.connections += 1);
        connection.end_with(camera.until());
    }
    if request.header("Authorization").is_some() {
        camera.counts.update(|c| c.requests_with_credentials += 1);
    }
    if let Some(fault) = camera.fault() {
        if fault.is_silent_to(Method::Get) {
            return connection.be_silent().await;
        }
        if let Some((code, location)) = camera.redirects(Method::Get) {
            let head = format!("HTTP/1.1 {code} {}\r\nLocation: {location}\r\n", reason_phrase(code));
            let text = format!("{head}Content-Length: 0\r\nConnection: close\r\n\r\n");
            connection.outbox.extend_from_slice(text.as_bytes());
            return connection.finish().await;
        }
    }
    if let Some(code) = camera.fault().and_then(|fault| fault.answer(Method::Get)) {
        return refuse(connection, code, Some(camera), &request).await;
    }
    if request.method != "GET" {
        return refuse(connection, 405, Some(camera), &request).await;
    }
    if !camera.description.auth.accepts(request.header("Authorization"), &request.method, &camera.nonce) {
        return refuse(connection, 401, Some(camera), &request).await;
    }
    let Some(_session) = camera.open_session() else {
        return refuse(connection, 503, Some(camera), &request).await;
    };
    stream(connection, camera).await
}

/// Answers a page to whatever is asked, as the web interface of a camera would, and hangs up.
pub(super) async fn answer_page(mut connection: Connection) -> io::Result<()> {
    if let Event::Request(_) = connection.next(None).await? {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n", LOGIN_PAGE.len());
        let text = format!("{head}Connection: close\r\n\r\n{LOGIN_PAGE}");
        connection.outbox.extend_from_slice(text.as_bytes());
    }
    connection.finish().await
}

async fn refuse(
    mut connection: Connection,
    code: u16,
    camera: Option<&Arc<CameraState>>,
    request: &Request,
) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {code} {}\r\n", reason_phrase(code));
    if let Some(camera) = camera.filter(|_| code == 401) {
        if request.header("Authorization").is_some() {
            camera.counts.update(|c| c.requests_refused += 1);
        }
        for challenge in camera.description.auth.challenges(&camera.nonce) {
            text.push_str(&format!("WWW-Authenticate: {challenge}\r\n"));
        }
    }
    text.push_str("Content-Length: 0\r\nConnection: close\r\n\r\n");
    connection.outbox.extend_from_slice(text.as_bytes());
    connection.finish().await
}

async fn stream(mut connection: Connection, camera: &CameraState) -> io::Result<()> {
    let fault = camera.fault();
    let media = Fault::media(fault);
    let kind = if fault.is_some_and(Fault::audio_only) {
        "audio/basic".to_owned()
    } else {
        format!("multipart/x-mixed-replace; boundary={BOUNDARY}")
    };
    let picture_kind = if fault.is_some_and(Fault::unknown_codec) { "image/x-wavelet" } else { "image/jpeg" };
    let own = (
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"),
        &*format!("--{BOUNDARY}\r\nContent-Type: {picture_kind}\r\nContent-Length: {{length}}\r\n\r\n"),
        "\r\n",
    );
    let reply = camera.description.reply_to(Method::Get, 200).and_then(SimulatedCamera::multipart);
    let (head, before, behind) = reply.unwrap_or(own);
    // RFC 9112 section 7.1.
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    connection.outbox.extend_from_slice(head.as_bytes());
    let crafted = match fault {
        Some(Fault::EndlessPicture) => {
            let part = format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n");
            connection.outbox.extend_from_slice(part.as_bytes());
            return connection.pour(&[0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff].repeat(4_000), Duration::ZERO).await;
        }
        Some(Fault::DecoderBomb) => Some(crafted::bomb()),
        Some(Fault::HugePictures) => Some(crafted::huge()),
        _ => None,
    };
    let (timeline, mut next) = Timeline::join(camera);
    let started = tokio::time::Instant::now();
    let pictures = camera.description.clip.pictures();
    loop {
        let due = timeline.due(next);
        let wanted = match media {
            MediaFault::Nothing | MediaFault::NoKeyframe => None,
            MediaFault::EndsAfter(time) if due > started + time => None,
            _ => Some(due),
        };
        match connection.next(wanted).await? {
            // A client that pipelines requests into an endless answer is not served.
            Event::Request(_) => {}
            Event::Ended => return Ok(()),
            Event::Due => {
                let index = if media == MediaFault::Frozen { 0 } else { timeline.index(next) };
                let picture = &pictures[index];
                next += 1;
                if connection.backlog_bytes() > MAX_BACKLOG_BYTES {
                    continue;
                }
                for jpeg in &picture.units {
                    let whole = if media == MediaFault::Damaged { jpeg.len() / 2 } else { jpeg.len() };
                    let jpeg = crafted.as_deref().unwrap_or(&jpeg[..whole]);
                    let before = before.replace("{length}", &jpeg.len().to_string());
                    if chunked {
                        let length = format!("{:x}\r\n", before.len() + jpeg.len() + behind.len());
                        connection.outbox.extend_from_slice(length.as_bytes());
                    }
                    connection.outbox.extend_from_slice(before.as_bytes());
                    connection.outbox.extend_from_slice(jpeg);
                    connection.outbox.extend_from_slice(behind.as_bytes());
                    if chunked {
                        connection.outbox.extend_from_slice(b"\r\n");
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Buf, BytesMut};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::simulator::auth::digest_header;
    use crate::simulator::{Auth, SimulatedCamera, Simulator, SimulatorOptions, clips};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Sends a GET and reads the head of the answer.
    async fn get(simulator: &Simulator, name: &str, authorization: &str) -> (String, BytesMut, TcpStream) {
        let mut stream = TcpStream::connect(simulator.address(name)).await.expect("connects");
        let request = format!("GET /video.mjpg HTTP/1.1\r\nHost: x\r\n{authorization}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut inbox = BytesMut::new();
        let head = read_head(&mut stream, &mut inbox).await;
        (head, inbox, stream)
    }

    async fn read(stream: &mut TcpStream, inbox: &mut BytesMut) {
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(inbox)).await.expect("in time").expect("reads");
        assert!(read > 0, "the connection ended");
    }

    async fn read_head(stream: &mut TcpStream, inbox: &mut BytesMut) -> String {
        loop {
            if let Some(end) = inbox.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8(inbox.split_to(end).to_vec()).expect("text");
                inbox.advance(4);
                return head;
            }
            read(stream, inbox).await;
        }
    }

    async fn start(cameras: impl IntoIterator<Item = SimulatedCamera>) -> Simulator {
        Simulator::start(SimulatorOptions::new(cameras)).await.expect("starts")
    }

    #[tokio::test]
    async fn jpegs_come_part_by_part() {
        let simulator = start([SimulatedCamera::mjpeg("Pool", clips::pool_mjpeg()).session_limit(1)]).await;
        let (head, mut inbox, mut stream) = get(&simulator, "Pool", "").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("multipart/x-mixed-replace; boundary=frame"));
        for _ in 0..2 {
            let head = read_head(&mut stream, &mut inbox).await;
            assert!(head.trim_start().starts_with("--frame\r\nContent-Type: image/jpeg"), "{head}");
            let length: usize = head.rsplit("Content-Length: ").next().and_then(|l| l.parse().ok()).expect("length");
            while inbox.len() < length {
                read(&mut stream, &mut inbox).await;
            }
            let jpeg = inbox.split_to(length);
            assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
        }
        assert!(get(&simulator, "Pool", "").await.0.starts_with("HTTP/1.1 503"));
        drop(stream);
        let counts = simulator.counts_when("Pool", PATIENCE, |c| c.http_sessions_open == 0).await.expect("ends");
        assert_eq!((counts.http_sessions_opened, counts.sessions_opened, counts.refused_busy), (1, 0, 1));
    }

    #[tokio::test]
    async fn the_account_is_asked_for() {
        let simulator = start([
            SimulatedCamera::mjpeg("Digest", clips::pool_mjpeg()).auth(Auth::digest("admin", "swim")),
            SimulatedCamera::mjpeg("Basic", clips::pool_mjpeg()).auth(Auth::basic("admin", "swim")),
            SimulatedCamera::mjpeg("Gone", clips::pool_mjpeg()).fault(Fault::Status(404)),
        ])
        .await;
        let (head, ..) = get(&simulator, "Digest", "").await;
        assert!(head.starts_with("HTTP/1.1 401"));
        let nonce = head.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("nonce").to_owned();
        for (password, code) in [("swim", "200"), ("sink", "401")] {
            let value = digest_header("admin", password, "GET", "/video.mjpg", &nonce);
            let (head, ..) = get(&simulator, "Digest", &format!("Authorization: {value}\r\n")).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {code}")), "{head}");
        }
        let counts = simulator.counts("Digest");
        assert_eq!((counts.requests_with_credentials, counts.requests_refused), (2, 1));
        // admin:swim
        let (head, ..) = get(&simulator, "Basic", "Authorization: Basic YWRtaW46c3dpbQ==\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(get(&simulator, "Gone", "").await.0.starts_with("HTTP/1.1 404"));
    }
}
