//! HTTPS for `souphttpsrc`, which can neither pin a certificate nor say what is wrong with one: it speaks plain HTTP to
//! this relay as its proxy, and the relay speaks TLS to the camera, over a connection whose certificate it judged.
//!
//! The relay listens on loopback for as long as its probe lasts and serves one connection after the other, each one
//! request long. Whoever else connects there reaches the camera without credentials, as from anywhere else.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gio::prelude::*;

use super::dial::{Dialled, dial};
use super::watch::{Seen, Watch};
use crate::model::Stage;
use crate::probe::protocol::Target;

/// Longest head of a request; ours have a few hundred bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The relay only moves bytes; the TLS library needs some stack.
const STACK_BYTES: usize = 256 * 1024;

/// A running relay; it ends, with its connection, when this goes out of scope.
pub struct Relay {
    address: SocketAddr,
    cancel: gio::Cancellable,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Listens. What happens on the way to the camera is reported to `watch`.
    ///
    /// # Errors
    /// When this machine has no port or thread left.
    pub fn start(target: &Target, deadline: Instant, watch: &Arc<Watch>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let cancel = gio::Cancellable::new();
        let work = Work { target: target.clone(), deadline, watch: watch.clone(), cancel: cancel.clone() };
        let thread = std::thread::Builder::new().name("relay".to_owned()).stack_size(STACK_BYTES);
        let thread = Some(thread.spawn(move || work.serve(&listener))?);
        Ok(Self { address, cancel, thread })
    }

    /// The address of the proxy, and the address to ask it for.
    pub fn proxy_and_location(&self, target: &Target) -> (String, String) {
        let path = target.location.splitn(4, '/').nth(3).unwrap_or_default();
        (format!("http://{}", self.address), format!("http://{}/{path}", authority(target)))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cancel.cancel();
        // Wakes the relay where it waits for a client.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// `host:port`, an IPv6 address in brackets.
fn authority(target: &Target) -> String {
    let host = target.host_without_zone();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("{host}:{}", target.port)
}

struct Work {
    target: Target,
    deadline: Instant,
    watch: Arc<Watch>,
    cancel: gio::Cancellable,
}

impl Work {
    fn serve(&self, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            if self.cancel.is_cancelled() {
                return;
            }
            // A connection that ends with an error has ended; its client sees that.
            let _ended = self.relay(client);
        }
    }

    fn relay(&self, mut client: TcpStream) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        client.set_read_timeout(Some(left))?;
        client.set_write_timeout(Some(left))?;
        let Some(request) = read_head(&mut client)?.and_then(|head| self.rewritten(&head)) else { return Ok(()) };
        let mut camera =
            match dial(&self.target, self.deadline, &self.cancel, |stage| self.watch.saw(Seen::Begins(stage))) {
                Ok(camera) => camera,
                Err((stage, end)) => {
                    self.watch.saw(Seen::Begins(stage));
                    self.watch.saw(Seen::Ended(end));
                    return Ok(());
                }
            };
        self.watch.transcript().note("connected, with TLS; sending the request");
        self.watch.saw(Seen::Begins(Stage::Request));
        let request: Vec<u8> = request.chars().filter_map(|c| u8::try_from(c).ok()).collect();
        camera.write_all(&request)?;
        camera.flush()?;
        pour(&mut camera, &mut client)?;
        client.shutdown(Shutdown::Both)
    }

    /// The absolute-form of a request to a proxy as the origin-form for the server (RFC 9112 section 3.2); the
    /// connection ends with the answer.
    fn rewritten(&self, head: &str) -> Option<String> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let path = target.strip_prefix("http://")?.split_once('/')?.1;
        let mut request = format!("{method} /{path} {version}\r\n");
        for line in lines.filter(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default();
            // The client took the port for one that is not its scheme's own.
            let line = if name.eq_ignore_ascii_case("host") { line.trim_end_matches(":443") } else { line };
            if !["connection", "proxy-connection", "keep-alive"].iter().any(|own| name.eq_ignore_ascii_case(own)) {
                request.push_str(line);
                request.push_str("\r\n");
            }
        }
        request.push_str("Connection: close\r\n\r\n");
        Some(request)
    }
}

/// The head of a request with its empty line; `None` when the client goes before it is whole.
fn read_head(client: &mut TcpStream) -> io::Result<Option<String>> {
    let (mut head, mut chunk) = (Vec::new(), [0; 2048]);
    while !head.ends_with(b"\r\n\r\n") {
        let length = client.read(&mut chunk)?;
        if length == 0 || head.len() + length > MAX_HEAD_BYTES {
            return Ok(None);
        }
        head.extend_from_slice(&chunk[..length]);
    }
    // Each byte as the character with its number, so that none is lost: names and passwords have any encoding.
    Ok(Some(head.into_iter().map(char::from).collect()))
}

/// Moves what comes until the end. The client may go earlier: then writing fails, or the relay is cancelled.
fn pour(camera: &mut Dialled, client: &mut TcpStream) -> io::Result<()> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let length = camera.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        client.write_all(&chunk[..length])?;
    }
}
