//! Motion JPEG over HTTP (`multipart/x-mixed-replace`), and web pages where none should be.

use std::io;
use std::sync::Arc;

use super::connection::{Connection, Event};
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
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
    connection.outbox.extend_from_slice(head.as_bytes());
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
                let picture = &pictures[timeline.index(next)];
                next += 1;
                if connection.backlog_bytes() > MAX_BACKLOG_BYTES {
                    continue;
                }
                for jpeg in &picture.units {
                    let part =
                        format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
                    connection.outbox.extend_from_slice(part.as_bytes());
                    connection.outbox.extend_from_slice(jpeg);
                    connection.outbox.extend_from_slice(b"\r\n");
                }
            }
        }
    }
}
