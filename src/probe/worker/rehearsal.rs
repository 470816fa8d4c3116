//! A probe of each kind before the first camera comes, against an answer of our own.
//!
//! GObject sets up a class when its first object is made, under a lock (`g_type_class_ref()`), and registers a type when it
//! is first asked for, under another. In GIO the two need each other: setting up `GSocketClient` asks for the type
//! `GSocketAddress`, registering which adds an interface, which wants the first lock. Two first probes at once have been
//! seen to wait for each other for ever, and with them all of the worker. One probe alone cannot; what comes later finds
//! everything set up.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{Transport, Trust};
use crate::probe::SnapshotSize;
use crate::probe::exchange::Transcript;
use crate::probe::pipeline::receive::receive;
use crate::probe::protocol::{HardwareUse, Target};

/// A machine on which this takes longer is better off with a worker that begins.
const DEADLINE: Duration = Duration::from_secs(1);

/// Scheme, and what is answered: what ends a probe at once.
const KINDS: [(&str, &str); 2] = [
    ("http", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    ("rtsp", "RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n"),
];

/// Probes once by each protocol, one after the other. What becomes of it does not matter: where this machine has no
/// loopback interface, much of it was set up anyhow.
pub fn rehearse() {
    for (scheme, answer) in KINDS {
        // Without a port a probe has none, either, and says so.
        let _ = probe_once(scheme, answer);
    }
}

fn probe_once(scheme: &str, answer: &str) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::scope(|scope| {
        let camera = std::thread::Builder::new().name("rehearsal".to_owned());
        camera.spawn_scoped(scope, || answer_once(&listener, answer))?;
        let begun = Instant::now();
        let transcript = Arc::new(Transcript::new(begun));
        receive(&target(scheme, address), Transport::Tcp, begun + DEADLINE, &transcript, |_| (), |_| ());
        // In case that nobody came: the listening thread waits for one.
        let _ = TcpStream::connect_timeout(&address, DEADLINE);
        Ok(())
    })
}

/// Reads the head of a request and answers it.
fn answer_once(listener: &TcpListener, answer: &str) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let until = Instant::now() + DEADLINE;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Some other program of this machine may have been faster, and slow from then on.
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        stream.set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    stream.write_all(answer.as_bytes())
}

fn target(scheme: &str, address: SocketAddr) -> Target {
    Target {
        location: format!("{scheme}://{address}/"),
        scheme: scheme.to_owned(),
        host: address.ip().to_string(),
        port: address.port(),
        credentials: None,
        password_left_behind: false,
        transport: Transport::Tcp,
        timeout: DEADLINE,
        trust: Trust::default(),
        max_megapixels: 1,
        snapshot: SnapshotSize::None,
        hardware: HardwareUse::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stage;
    use crate::probe::classify::End;
    use crate::probe::pipeline;

    #[test]
    fn each_kind_gets_as_far_as_its_answer() {
        pipeline::init().unwrap();
        for (scheme, answer) in KINDS {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.local_addr().unwrap();
            let camera = std::thread::spawn(move || answer_once(&listener, answer).unwrap());
            let begun = Instant::now();
            let transcript = Arc::new(Transcript::new(begun));
            let deadline = begun + Duration::from_secs(20);
            let received = receive(&target(scheme, address), Transport::Tcp, deadline, &transcript, |_| (), |_| ());
            camera.join().unwrap();
            let (stage, end) = received.result.unwrap_err();
            assert!(matches!(end, End::Status(404)), "{scheme}: {end:?}");
            assert!(matches!(stage, Stage::Request | Stage::Options), "{scheme}: {stage:?}");
        }
    }
}
