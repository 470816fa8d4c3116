//! An RTSP server (RFC 2326) for one connection.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;

use super::camera::Transports;
use super::connection::{Connection, Event, SESSION_TIMEOUT};
use super::device::{CameraState, SessionTicket, random_u64};
use super::fault::{Fault, Method};
use super::media::{Media, Route};
use super::request::{Request, reason_phrase};
use super::sdp::{self, TRACK};

const PUBLIC: &str = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER\r\n";

/// Serves a connection until it ends. `camera` is the only one behind the port, if there is only one.
pub(super) async fn serve(
    connection: Connection,
    cameras: &[Arc<CameraState>],
    camera: Option<Arc<CameraState>>,
) -> io::Result<()> {
    let mut conversation = Conversation { connection, cameras, camera, session: None };
    loop {
        let due = conversation.session.as_ref().and_then(|s| s.media.as_ref()).and_then(Media::due);
        match conversation.connection.next(due).await? {
            Event::Request(request) if request.version.starts_with("RTSP/") => {
                if conversation.is_silent_to(&request) {
                    continue;
                }
                let answer = conversation.answer(&request).await?;
                conversation.send(&request, &answer);
                if answer.code == 401 && conversation.closes_after_challenge() {
                    return conversation.connection.finish().await;
                }
            }
            Event::Request(request) => {
                conversation.send(&request, &Answer::status(400));
                return conversation.connection.finish().await;
            }
            Event::Due => {
                if let Some(Session { media: Some(media), route, .. }) = &mut conversation.session {
                    media.send(route, &mut conversation.connection).await?;
                }
            }
            Event::Ended => return Ok(()),
        }
    }
}

struct Conversation<'a> {
    connection: Connection,
    cameras: &'a [Arc<CameraState>],
    camera: Option<Arc<CameraState>>,
    session: Option<Session>,
}

/// A session from SETUP to TEARDOWN or the end of its connection.
struct Session {
    id: String,
    _ticket: SessionTicket,
    route: Route,
    media: Option<Media>,
}

/// Status, further header lines, body.
struct Answer {
    code: u16,
    headers: String,
    body: String,
}

impl Answer {
    fn status(code: u16) -> Self {
        Self { code, headers: String::new(), body: String::new() }
    }

    fn ok(headers: String) -> Self {
        Self { code: 200, headers, body: String::new() }
    }
}

impl Conversation<'_> {
    fn send(&mut self, request: &Request, answer: &Answer) {
        let Answer { code, headers, body } = answer;
        let sequence = request.header("CSeq").unwrap_or_default();
        if let (Some(camera), Some(method)) = (&self.camera, Method::parse(&request.method))
            && let Some(reply) = camera.description.reply_to(method, *code)
        {
            let address = camera.address.to_string();
            let text = camera.description.fill(reply, &address, sequence, &camera.nonce, headers);
            self.connection.outbox.extend_from_slice(text.as_bytes());
            return;
        }
        let mut text = format!("RTSP/1.0 {code} {}\r\n", reason_phrase(*code));
        if let Some(sequence) = request.header("CSeq") {
            text.push_str(&format!("CSeq: {sequence}\r\n"));
        }
        text.push_str(headers);
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.connection.outbox.extend_from_slice(text.as_bytes());
    }

    fn is_silent_to(&self, request: &Request) -> bool {
        let fault = self.named_camera(request).or_else(|| self.camera.clone()).and_then(|camera| camera.fault());
        Method::parse(&request.method).is_some_and(|method| fault.is_some_and(|fault| fault.is_silent_to(method)))
    }

    fn closes_after_challenge(&self) -> bool {
        self.camera.as_ref().and_then(|camera| camera.fault()) == Some(Fault::ClosesAfterChallenge)
    }

    async fn answer(&mut self, request: &Request) -> io::Result<Answer> {
        let Some(method) = Method::parse(&request.method).filter(|m| *m != Method::Get) else {
            return Ok(Answer::status(501));
        };
        let named = self.named_camera(request);
        if self.camera.is_none()
            && let Some(camera) = &named
        {
            camera.counts.update(|c| c.connections += 1);
            self.connection.end_with(camera.until());
            self.camera = Some(Arc::clone(camera));
        }
        // What a request is counted for and its fault are those of the camera it names, or else of the connection's.
        let Some(camera) = named.clone().or_else(|| self.camera.clone()) else {
            return Ok(if method == Method::Options { Answer::ok(PUBLIC.to_owned()) } else { Answer::status(404) });
        };
        if request.header("Authorization").is_some() {
            camera.counts.update(|c| c.requests_with_credentials += 1);
        }
        if let Some((code, location)) = camera.redirects(method) {
            return Ok(Answer { code, headers: format!("Location: {location}\r\n"), body: String::new() });
        }
        match camera.fault().and_then(|fault| fault.answer(method)) {
            Some(401) => return Ok(unauthorised(&camera, request)),
            Some(code) => return Ok(Answer::status(code)),
            None => {}
        }
        let opens = matches!(method, Method::Describe | Method::Setup | Method::Play);
        let auth = &camera.description.auth;
        if opens && !auth.accepts(request.header("Authorization"), &request.method, &camera.nonce) {
            return Ok(unauthorised(&camera, request));
        }
        // RFC 2326 section 11.3.8: a session that is not known here.
        let known = self.session.as_ref().map(|s| s.id.as_str());
        let given = request.header("Session").map(|s| s.split(';').next().unwrap_or_default().trim());
        if given.is_some() && given != known {
            return Ok(Answer::status(454));
        }
        match method {
            Method::Options => Ok(Answer::ok(PUBLIC.to_owned())),
            Method::Describe if named.is_none() => Ok(Answer::status(404)),
            Method::Describe => Ok(describe(&camera)),
            Method::Setup if named.is_none() || !has_video(&camera, request) => Ok(Answer::status(404)),
            Method::Setup => self.set_up(&camera, request).await,
            Method::Play => Ok(self.play(&camera)),
            Method::Pause => Ok(self.pause(&camera)),
            Method::Teardown => {
                if let Some(session) = self.session.take() {
                    // First: whoever waits for the session to end then looks at what was counted.
                    camera.counts.update(|c| c.teardowns += 1);
                    drop(session);
                    Ok(Answer::ok(String::new()))
                } else {
                    Ok(Answer::status(454))
                }
            }
            Method::GetParameter | Method::SetParameter | Method::Get => Ok(Answer::ok(String::new())),
        }
    }

    /// The camera whose path, or whose track, a request is about.
    fn named_camera(&self, request: &Request) -> Option<Arc<CameraState>> {
        let path = request.path().replacen(&format!("/{TRACK}"), "", 1);
        let path = path.trim_end_matches('/');
        let exact = self.cameras.iter().find(|c| c.description.path.trim_end_matches('/') == path);
        exact.or_else(|| self.cameras.iter().find(|c| c.description.owns_track(path))).cloned()
    }

    async fn set_up(&mut self, camera: &Arc<CameraState>, request: &Request) -> io::Result<Answer> {
        let offers = request.header("Transport").unwrap_or_default();
        let granted = offers.split(',').find_map(|offer| Offer::parse(offer, camera.description.transports));
        let Some(granted) = granted else { return Ok(Answer::status(461)) };
        // A second SETUP changes the transport of the one session.
        let ticket = match self.session.take() {
            Some(session) => session._ticket,
            None => match camera.open_session() {
                Some(ticket) => ticket,
                None => return Ok(Answer::status(453)),
            },
        };
        let (route, transport) = match granted {
            Offer::Interleaved { channel } => {
                (Route::Interleaved { channel }, format!("RTP/AVP/TCP;unicast;interleaved={channel}-{}", channel + 1))
            }
            Offer::Udp { rtp, rtcp } => {
                let client = self.connection.peer().ip();
                let (rtp_socket, rtcp_socket) = udp_pair(camera.address).await?;
                rtp_socket.connect((client, rtp)).await?;
                rtcp_socket.connect((client, rtcp)).await?;
                let server = (rtp_socket.local_addr()?.port(), rtcp_socket.local_addr()?.port());
                (
                    Route::Udp { rtp: rtp_socket, rtcp: rtcp_socket },
                    format!("RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={}-{}", server.0, server.1),
                )
            }
        };
        let id = format!("{:016X}", random_u64());
        let headers = format!("Session: {id};timeout={}\r\nTransport: {transport}\r\n", SESSION_TIMEOUT.as_secs());
        self.session = Some(Session { id, _ticket: ticket, route, media: None });
        Ok(Answer::ok(headers))
    }

    fn play(&mut self, camera: &CameraState) -> Answer {
        let Some(session) = &mut self.session else { return Answer::status(455) };
        let media = Media::start(camera, &session.route);
        let (sequence, time) = media.rtp_info();
        let sequence = sequence.wrapping_add(camera.description.announced_ahead);
        let url = format!("{}/{TRACK}", camera.url());
        session.media = Some(media);
        camera.counts.update(|c| c.plays += 1);
        Answer::ok(format!(
            "Session: {}\r\nRange: npt=now-\r\nRTP-Info: url={url};seq={sequence};rtptime={time}\r\n",
            session.id
        ))
    }

    fn pause(&mut self, camera: &CameraState) -> Answer {
        match &mut self.session {
            Some(session) => {
                session.media = None;
                camera.counts.update(|c| c.pauses += 1);
                Answer::ok(format!("Session: {}\r\n", session.id))
            }
            None => Answer::status(455),
        }
    }
}

fn has_video(camera: &CameraState, request: &Request) -> bool {
    camera.description.video_track.as_ref().is_none_or(|track| request.target.contains(track))
}

fn unauthorised(camera: &CameraState, request: &Request) -> Answer {
    if request.header("Authorization").is_some() {
        camera.counts.update(|c| c.requests_refused += 1);
    }
    let mut headers = String::new();
    for challenge in camera.description.auth.challenges(&camera.nonce) {
        // Writing to a String cannot fail.
        let _infallible = write!(headers, "WWW-Authenticate: {challenge}\r\n");
    }
    Answer { code: 401, headers, body: String::new() }
}

fn describe(camera: &CameraState) -> Answer {
    let base = format!("{}/", camera.url());
    Answer {
        code: 200,
        headers: format!("Content-Type: application/sdp\r\nContent-Base: {base}\r\n"),
        body: sdp::describe(&camera.description, camera.address.ip(), camera.fault()),
    }
}

/// One alternative of a `Transport` header (RFC 2326 section 12.39).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    Interleaved { channel: u8 },
    Udp { rtp: u16, rtcp: u16 },
}

impl Offer {
    /// `None` when it is not understood or not granted.
    fn parse(text: &str, granted: Transports) -> Option<Self> {
        let mut parts = text.trim().split(';');
        let profile = parts.next()?.trim();
        let mut pair = None;
        for part in parts {
            let (name, value) = part.trim().split_once('=').unwrap_or((part.trim(), ""));
            match name {
                "multicast" => return None,
                "interleaved" | "client_port" => {
                    let (first, second) = value.split_once('-').unwrap_or((value, ""));
                    let first: u16 = first.parse().ok()?;
                    pair = Some((first, second.parse().unwrap_or(first.wrapping_add(1))));
                }
                _ => {}
            }
        }
        match profile {
            "RTP/AVP/TCP" if granted != Transports::UdpOnly => {
                let channel = u8::try_from(pair.map_or(0, |(rtp, _)| rtp)).ok().filter(|c| *c < u8::MAX)?;
                Some(Self::Interleaved { channel })
            }
            "RTP/AVP" | "RTP/AVP/UDP" if granted != Transports::TcpOnly => {
                pair.map(|(rtp, rtcp)| Self::Udp { rtp, rtcp })
            }
            _ => None,
        }
    }
}

/// Two sockets with an even port and the next one (RFC 3550 section 11).
async fn udp_pair(address: SocketAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let ip = address.ip();
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..64 {
        let first = UdpSocket::bind((ip, 0)).await?;
        let port = first.local_addr()?.port();
        if port % 2 != 0 {
            continue;
        }
        match UdpSocket::bind((ip, port + 1)).await {
            Ok(second) => return Ok((first, second)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_is_granted_or_not() {
        let parse = |text: &str| Offer::parse(text, Transports::Both);
        assert_eq!(parse("RTP/AVP/TCP;unicast;interleaved=2-3"), Some(Offer::Interleaved { channel: 2 }));
        assert_eq!(parse("RTP/AVP/TCP;unicast"), Some(Offer::Interleaved { channel: 0 }));
        assert_eq!(parse(" RTP/AVP;unicast;client_port=5000-5001"), Some(Offer::Udp { rtp: 5000, rtcp: 5001 }));
        assert_eq!(parse("RTP/AVP;multicast"), None);
        assert_eq!(parse("RTP/SAVP;unicast;client_port=5000-5001"), None);
        assert_eq!(Offer::parse("RTP/AVP/TCP;unicast;interleaved=0-1", Transports::UdpOnly), None);
        assert_eq!(Offer::parse("RTP/AVP;unicast;client_port=1-2", Transports::TcpOnly), None);
    }
}
