//! Every way for a simulated camera to be broken, and what must be said of it.

use std::time::Duration;

use streampulse::simulator::{Auth, Fault, Method, SimulatedCamera, Start, Transports, clips};
use tokio::net::{TcpSocket, TcpStream};

/// A fault: its name, the camera that has it, and the stage and reason that must be told.
pub type Fate = (&'static str, SimulatedCamera, &'static str, &'static str);

fn rtsp(what: &'static str, fault: Fault, stage: &'static str, reason: &'static str) -> Fate {
    (what, SimulatedCamera::rtsp(what, clips::gate()).fault(fault), stage, reason)
}

fn http(what: &'static str, fault: Fault, stage: &'static str, reason: &'static str) -> Fate {
    (what, SimulatedCamera::mjpeg(what, clips::pool_mjpeg()).fault(fault), stage, reason)
}

/// The password is taken first and refused later.
fn password_refused_at(what: &'static str, method: Method, stage: &'static str) -> Fate {
    let camera = SimulatedCamera::rtsp(what, clips::gate()).auth(Auth::digest("admin", "right"));
    (what, camera.fault(Fault::StatusTo(method, 401)), stage, "auth_failed")
}

/// RTSP.
pub fn rtsp_fates() -> Vec<Fate> {
    let refused = |what, auth: Auth| {
        (what, SimulatedCamera::rtsp(what, clips::gate()).auth(auth).told("admin", "wrong"), "describe", "auth_failed")
    };
    vec![
        rtsp("refused", Fault::ConnectionRefused, "connect", "connection_refused"),
        rtsp("silent", Fault::SilentAfterAccept, "options", "response_timeout"),
        rtsp("closes", Fault::ClosesAfterRequest, "options", "protocol_error"),
        rtsp("drips", Fault::Drips, "options", "response_timeout"),
        rtsp("garbage", Fault::Garbage, "options", "protocol_error"),
        rtsp("a web page", Fault::Html, "options", "protocol_error"),
        rtsp("endless header", Fault::EndlessHeader, "options", "protocol_error"),
        rtsp("endless SDP", Fault::EndlessBody, "describe", "protocol_error"),
        rtsp("redirects to itself", Fault::RedirectsToItself, "describe", "redirect_loop"),
        rtsp("401 for ever", Fault::Status(401), "describe", "auth_failed"),
        refused("wrong Basic password", Auth::basic("admin", "right")),
        refused("wrong Digest password", Auth::digest("admin", "right")),
        rtsp("400", Fault::Status(400), "describe", "request_refused"),
        rtsp("403", Fault::Status(403), "describe", "forbidden"),
        rtsp("404", Fault::Status(404), "describe", "not_found"),
        rtsp("500", Fault::Status(500), "describe", "server_error"),
        rtsp("503", Fault::Status(503), "describe", "busy"),
        rtsp("453 to SETUP", Fault::StatusTo(Method::Setup, 453), "setup", "busy"),
        rtsp("454 to PLAY", Fault::StatusTo(Method::Play, 454), "play", "session_not_found"),
        rtsp("405", Fault::Status(405), "describe", "request_refused"),
        rtsp("551 to PLAY", Fault::StatusTo(Method::Play, 551), "play", "request_refused"),
        rtsp("302 without a place", Fault::Status(302), "describe", "protocol_error"),
        rtsp("to HTTP", Fault::Redirects { status: 302, location: "http://192.0.2.1/x" }, "describe", "redirect_loop"),
        rtsp("to a path", Fault::Redirects { status: 301, location: "/elsewhere" }, "describe", "redirect_loop"),
        password_refused_at("401 to SETUP", Method::Setup, "setup"),
        password_refused_at("401 to PLAY", Method::Play, "play"),
        rtsp("461 to SETUP", Fault::StatusTo(Method::Setup, 461), "setup", "unsupported_transport"),
        rtsp("500 to PLAY", Fault::StatusTo(Method::Play, 500), "play", "server_error"),
        rtsp("silent to OPTIONS", Fault::SilentTo(Method::Options), "options", "response_timeout"),
        rtsp("silent to DESCRIBE", Fault::SilentTo(Method::Describe), "describe", "response_timeout"),
        rtsp("silent to SETUP", Fault::SilentTo(Method::Setup), "setup", "response_timeout"),
        rtsp("silent to PLAY", Fault::SilentTo(Method::Play), "play", "response_timeout"),
        rtsp("audio only", Fault::AudioOnly, "describe", "no_video"),
        rtsp("unknown codec", Fault::UnknownCodec, "describe", "unsupported_codec"),
        rtsp("no media", Fault::NoMedia, "first_packet", "no_data"),
        rtsp("no keyframe", Fault::NoKeyframe, "keyframe", "no_keyframe"),
        rtsp("scrambled slices", Fault::DamagedPictures, "decode", "corrupt"),
        (
            "no media over UDP",
            SimulatedCamera::rtsp("no media over UDP", clips::gate())
                .transports(Transports::UdpOnly)
                .fault(Fault::NoMedia),
            "first_packet",
            "no_data",
        ),
        (
            "stops before its second keyframe",
            // Delta frames only, and then not even these.
            SimulatedCamera::rtsp("stops before its second keyframe", clips::gate())
                .start(Start::Live)
                .gop_loops(50)
                .fault(Fault::StallsAfter(Duration::from_millis(300))),
            "keyframe",
            "stalled",
        ),
    ]
}

/// MJPEG over HTTP.
pub fn http_fates() -> Vec<Fate> {
    let refused = |what, auth: Auth| {
        let camera = SimulatedCamera::mjpeg(what, clips::pool_mjpeg()).auth(auth).told("admin", "wrong");
        (what, camera, "request", "auth_failed")
    };
    vec![
        http("MJPEG: refused", Fault::ConnectionRefused, "connect", "connection_refused"),
        http("MJPEG: silent", Fault::SilentAfterAccept, "request", "response_timeout"),
        http("MJPEG: closes", Fault::ClosesAfterRequest, "request", "protocol_error"),
        http("MJPEG: drips", Fault::Drips, "request", "response_timeout"),
        http("MJPEG: garbage", Fault::Garbage, "request", "protocol_error"),
        http("MJPEG: a login page", Fault::Html, "first_packet", "no_video"),
        http("MJPEG: endless header", Fault::EndlessHeader, "request", "protocol_error"),
        http("MJPEG: redirects to itself", Fault::RedirectsToItself, "request", "redirect_loop"),
        refused("MJPEG: wrong Basic password", Auth::basic("admin", "right")),
        refused("MJPEG: wrong Digest password", Auth::digest("admin", "right")),
        http("MJPEG: 403", Fault::Status(403), "request", "forbidden"),
        http("MJPEG: 404", Fault::Status(404), "request", "not_found"),
        http("MJPEG: 500", Fault::Status(500), "request", "server_error"),
        http("MJPEG: 503", Fault::Status(503), "request", "busy"),
        http("MJPEG: sound", Fault::AudioOnly, "first_packet", "no_video"),
        http("MJPEG: unknown codec", Fault::UnknownCodec, "first_packet", "unsupported_codec"),
        http("MJPEG: no media", Fault::NoMedia, "first_packet", "no_data"),
        http("MJPEG: stops before its first picture", Fault::StallsAfter(Duration::ZERO), "first_packet", "no_data"),
        http("MJPEG: endless body", Fault::EndlessBody, "first_packet", "protocol_error"),
        http("MJPEG: endless picture", Fault::EndlessPicture, "first_packet", "protocol_error"),
        http("MJPEG: too large", Fault::HugePictures, "keyframe", "picture_too_large"),
        http("MJPEG: decoder bomb", Fault::DecoderBomb, "decode", "corrupt"),
        http("MJPEG: cut in the middle", Fault::DamagedPictures, "decode", "corrupt"),
    ]
}

/// A port whose queue of connections is full: the next one is not answered. The sockets hold it so.
pub async fn full_port() -> (String, Vec<TcpStream>, tokio::net::TcpListener) {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
    let listener = socket.listen(1).expect("listen");
    let address = listener.local_addr().expect("address");
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        waiting.push(stream.expect("connects"));
    }
    (address.to_string(), waiting, listener)
}
