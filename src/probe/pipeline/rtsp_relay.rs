//! RTSP over TCP for `rtspsrc`, which says little of how it failed to connect and takes its time with each packet: the
//! connection to the camera is ours, and `rtspsrc` has this relay as its proxy. It says to a proxy what it would say to the
//! camera. What comes back goes through a [`Sieve`].
//!
//! The relay listens on loopback for as long as its probe lasts and serves one connection after the other. Whoever else
//! connects there reaches the camera without credentials, as from anywhere else.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gio::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;

use super::connect::connect;
use super::gate::Front;
use super::sieve::{Oversized, Sieve};
use super::watch::{Seen, Watch};
use crate::model::Codec;
use crate::probe::classify::End;

/// The relay only moves bytes.
const STACK_BYTES: usize = 128 * 1024;

/// What is read at once; a packet that is longer gets more room.
const CHUNK_BYTES: usize = 32 * 1024;

/// A request of `rtspsrc` has some hundred bytes; longer ones come in parts.
const REQUEST_BYTES: usize = 4 * 1024;

/// For what is on its way when the probe is over: `rtspsrc` has closed its connection by then.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What was chosen from the camera's description: codec and RTP payload type, `None` before.
#[derive(Debug, Default)]
pub struct Chosen(Mutex<Option<(Codec, u8)>>);

impl Chosen {
    /// Another choice, or none.
    pub fn set(&self, video: Option<(Codec, u8)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = video;
    }

    /// What is chosen.
    pub fn get(&self) -> Option<(Codec, u8)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running relay; it ends, with its connection, when this goes out of scope.
pub struct Relay {
    cancel: gio::Cancellable,
    /// Its end wakes the relay.
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Connects to the first of these that takes it, which `watch` is told of as [`Seen::Connected`] or as an end.
    ///
    /// # Errors
    /// When this machine has no thread left.
    pub fn start(
        addresses: Vec<SocketAddr>,
        deadline: Instant,
        watch: &Arc<Watch>,
        chosen: &Arc<Chosen>,
    ) -> io::Result<Self> {
        let cancel = gio::Cancellable::new();
        let (wake, woken) = UnixStream::pair()?;
        let (watch, chosen) = (watch.clone(), chosen.clone());
        let work = Work { addresses, deadline, watch, chosen, cancel: cancel.clone(), woken };
        let thread = std::thread::Builder::new().name("rtsp relay".to_owned()).stack_size(STACK_BYTES);
        let thread = Some(thread.spawn(move || work.run())?);
        Ok(Self { cancel, wake: Some(wake), thread })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

struct Work {
    addresses: Vec<SocketAddr>,
    deadline: Instant,
    watch: Arc<Watch>,
    chosen: Arc<Chosen>,
    cancel: gio::Cancellable,
    woken: UnixStream,
}

impl Work {
    fn run(&self) {
        match connect(&self.addresses, self.deadline, &self.cancel) {
            Ok(camera) => {
                if self.serve(camera).is_err() {
                    // This machine has no port or descriptor left.
                    self.watch.saw(Seen::Ended(End::Overloaded));
                }
            }
            Err(end) => self.watch.saw(Seen::Ended(end)),
        }
    }

    fn serve(&self, camera: TcpStream) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        self.watch.saw(Seen::Connected(address));
        let mut first = Some(camera);
        loop {
            let mut awaited = [PollFd::new(&listener, PollFlags::IN), PollFd::new(&self.woken, PollFlags::IN)];
            wait(&mut awaited, None)?;
            if !awaited[1].revents().is_empty() {
                return Ok(());
            }
            let client = match listener.accept() {
                Ok((client, _)) => client,
                Err(error) if is_not_yet(&error) => continue,
                Err(error) => return Err(error),
            };
            // It comes again when the camera has closed its connection: each has its own.
            let Some(camera) = first.take().or_else(|| connect(&self.addresses, self.deadline, &self.cancel).ok())
            else {
                continue;
            };
            // A connection that ends with an error has ended; `rtspsrc` sees that.
            let _ended = self.relay(&camera, &client);
        }
    }

    /// Moves bytes until one of the two closes.
    fn relay(&self, camera: &TcpStream, client: &TcpStream) -> io::Result<()> {
        client.set_nonblocking(true)?;
        // Requests and answers are small and awaited.
        client.set_nodelay(true)?;
        camera.set_nodelay(true)?;
        let mut requests = Outgoing::default();
        let mut answers = Answers::new();
        let (mut ended, mut until) = (false, None);
        loop {
            if requests.send(camera).is_err() {
                // What it has said before it went is still to be read, and then that it went.
                requests = Outgoing::default();
            }
            answers.passed.send(client)?;
            if answers.ended && answers.passed.is_empty() && !ended {
                // Not both directions at once: a request that comes now would make the system break the connection off.
                client.shutdown(Shutdown::Write)?;
                ended = true;
            }
            // A connection that is waited for in neither direction is left out: that it is broken would be told at once, and
            // again and again.
            let mut awaited = Vec::with_capacity(3);
            let from_camera = answers.passed.is_empty() && !ended && !answers.is_enough;
            let from_client = requests.is_empty();
            for (stream, reads, writes) in
                [(camera, from_camera, !from_client), (client, from_client, !answers.passed.is_empty())]
            {
                if reads || writes {
                    awaited.push(PollFd::new(stream, direction(reads, writes)));
                }
            }
            if until.is_none() {
                awaited.push(PollFd::new(&self.woken, PollFlags::IN));
            }
            wait(&mut awaited, until)?;
            if until.is_none() && awaited.last().is_some_and(|woken| !woken.revents().is_empty()) {
                until = Some(Instant::now() + LAST_WORDS);
            }
            if from_client && requests.read(client)? == Some(0) {
                // It has closed first, and its port would be taken for another minute (RFC 9293 section 3.5).
                let _ = sockopt::set_socket_linger(client, Some(Duration::ZERO));
                return Ok(());
            }
            if ended {
                requests = Outgoing::default();
            }
            if from_camera && let Err(error) = answers.read(camera, &self.chosen, &self.watch) {
                // Broken off there, it is broken off here, too.
                let _ = sockopt::set_socket_linger(client, Some(Duration::ZERO));
                return Err(error);
            }
        }
    }
}

/// What the camera says.
struct Answers {
    sieve: Sieve,
    front: Option<Front>,
    /// The beginning of a packet that is not whole, and room for more.
    came: Vec<u8>,
    filled: usize,
    /// What is on its way to `rtspsrc`.
    passed: Outgoing,
    /// Nothing more will come.
    ended: bool,
    /// Nothing more is taken. `rtspsrc`, which would connect again at an end, waits until it is told to hang up.
    is_enough: bool,
}

impl Answers {
    fn new() -> Self {
        let came = vec![0; CHUNK_BYTES];
        let passed = Outgoing::default();
        Self { sieve: Sieve::new(), front: None, came, filled: 0, passed, ended: false, is_enough: false }
    }

    /// Reads what is there and sifts it.
    fn read(&mut self, camera: &TcpStream, chosen: &Chosen, watch: &Watch) -> io::Result<()> {
        if self.filled == self.came.len() {
            // A packet has at most 64 KiB.
            self.came.resize(2 * self.filled, 0);
        }
        match read(camera, &mut self.came[self.filled..])? {
            None => return Ok(()),
            Some(0) => self.ended = true,
            Some(length) => self.filled += length,
        }
        if self.front.is_none() {
            self.front = chosen.get().map(|(codec, payload_type)| Front::new(codec, payload_type));
        }
        let came = &self.came[..self.filled];
        // What is left at the end is no whole packet, and still what the camera said.
        let done = if self.ended {
            self.passed.bytes.extend_from_slice(came);
            came.len()
        } else {
            let sifted = self.sieve.sift(came, &mut self.passed.bytes, self.front.as_mut(), || watch.saw_media());
            sifted.unwrap_or_else(|Oversized(what)| {
                watch.transcript().note(what);
                watch.saw(Seen::Ended(End::Protocol));
                self.is_enough = true;
                came.len()
            })
        };
        self.came.copy_within(done..self.filled, 0);
        self.filled -= done;
        Ok(())
    }
}

/// Waits until something can be done, or until then.
fn wait(awaited: &mut [PollFd<'_>], until: Option<Instant>) -> io::Result<()> {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    if left == Some(Duration::ZERO) {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    match poll(awaited, left.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn direction(reads: bool, writes: bool) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, reads);
    flags.set(PollFlags::OUT, writes);
    flags
}

/// `None` when there is nothing yet.
fn read(mut from: &TcpStream, into: &mut [u8]) -> io::Result<Option<usize>> {
    match from.read(into) {
        Ok(length) => Ok(Some(length)),
        Err(error) if is_not_yet(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_not_yet(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}

/// What is to be sent. Nothing more is read from the other side until it has gone, so it holds what one reading gave.
#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes what is there.
    fn read(&mut self, from: &TcpStream) -> io::Result<Option<usize>> {
        let mut part = [0; REQUEST_BYTES];
        let length = read(from, &mut part)?;
        self.bytes.extend_from_slice(&part[..length.unwrap_or(0)]);
        Ok(length)
    }

    /// Sends as much as goes at once.
    fn send(&mut self, mut to: &TcpStream) -> io::Result<()> {
        while self.sent < self.bytes.len() {
            match to.write(&self.bytes[self.sent..]) {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use super::*;
    use crate::probe::exchange::Transcript;

    type Events = Receiver<(Instant, Seen)>;

    fn camera() -> TcpListener {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// A relay to this camera, the camera's end of its connection, and the address to come to.
    fn relayed(camera: &TcpListener) -> (Relay, Arc<Chosen>, Events, TcpStream, SocketAddr) {
        let (watch, events) = Watch::new(&Arc::new(Transcript::new(Instant::now())));
        let chosen = Arc::default();
        let relay = Relay::start(vec![camera.local_addr().unwrap()], soon(), &watch, &chosen).unwrap();
        let (connection, _) = camera.accept().unwrap();
        // For a test that would wait for ever.
        connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let Ok((_, Seen::Connected(address))) = events.recv() else { panic!("no connection") };
        (relay, chosen, events, connection, address)
    }

    fn read_exactly(from: &mut TcpStream, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        from.read_exact(&mut read).unwrap();
        read
    }

    /// An interleaved packet of payload type 96 that begins a unit of this kind.
    fn packet(number: u8, unit: &[u8]) -> Vec<u8> {
        let head = [0x80, 96, 0, number, 0, 0, 0, number, 0, 0, 0, 9];
        [&[b'$', 0, 0, (head.len() + unit.len()) as u8][..], &head, unit].concat()
    }

    #[test]
    fn what_is_needed_passes_in_both_directions_to_the_last_byte() {
        let (_relay, chosen, events, mut camera, address) = relayed(&camera());
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"PLAY * RTSP/1.0\r\n\r\n").unwrap();
        assert_eq!(read_exactly(&mut camera, 19), b"PLAY * RTSP/1.0\r\n\r\n");
        chosen.set(Some((Codec::H264, 96)));
        let answer = b"RTSP/1.0 200 OK\r\n\r\n";
        let half = [b'$', 0, 0, 9, 1];
        let parts = [&answer[..], &packet(1, &[0x41, 0x9a]), &packet(2, &[0x65, 0x88]), &half];
        camera.write_all(&parts.concat()).unwrap();
        camera.shutdown(Shutdown::Write).unwrap();
        let mut came = Vec::new();
        client.read_to_end(&mut came).unwrap();
        let mut keyframe = packet(2, &[0x65, 0x88]);
        keyframe[7] = 1;
        assert_eq!(came, [&answer[..], &keyframe, &half].concat());
        assert!(matches!(events.recv(), Ok((_, Seen::Begins(crate::model::Stage::Keyframe)))), "what is held is media");
    }

    #[test]
    fn an_answer_without_end_is_the_end() {
        let (_relay, _, events, mut camera, address) = relayed(&camera());
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"DESCRIBE * RTSP/1.0\r\n\r\n").unwrap();
        let answer = b"RTSP/1.0 200 OK\r\nContent-Length: 2000000000\r\n\r\n";
        camera.write_all(&[&answer[..], &[b'x'; 100]].concat()).unwrap();
        assert!(matches!(events.recv(), Ok((_, Seen::Ended(End::Protocol)))));
        // Whoever waits for it can still say goodbye.
        client.write_all(b"TEARDOWN * RTSP/1.0\r\n\r\n").unwrap();
        assert_eq!(read_exactly(&mut camera, 23), b"DESCRIBE * RTSP/1.0\r\n\r\n");
        assert_eq!(read_exactly(&mut camera, 23), b"TEARDOWN * RTSP/1.0\r\n\r\n");
    }

    #[test]
    fn whoever_comes_again_has_a_connection_of_his_own() {
        let listener = camera();
        let (_relay, _, _, first, address) = relayed(&listener);
        let mut client = TcpStream::connect(address).unwrap();
        drop(first);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        // What comes too late breaks nothing off.
        client.write_all(b"DESCRIBE * RTSP/1.0\r\n\r\n").unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        let mut client = TcpStream::connect(address).unwrap();
        let (mut second, _) = listener.accept().unwrap();
        second.write_all(b"again").unwrap();
        assert_eq!(read_exactly(&mut client, 5), b"again");
    }

    #[test]
    fn what_is_broken_off_there_is_broken_off_here() {
        let (_relay, _, _, camera, address) = relayed(&camera());
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"OPTIONS * RTSP/1.0\r\n\r\n").unwrap();
        camera.peek(&mut [0]).unwrap();
        // With something unread, the system breaks a connection off when it is closed.
        drop(camera);
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_goodbye_passes_a_flood_that_nobody_reads() {
        let (relay, _, _, mut camera, address) = relayed(&camera());
        let mut client = TcpStream::connect(address).unwrap();
        let mut flooding = camera.try_clone().unwrap();
        let flood = std::thread::spawn(move || while flooding.write_all(&packet(1, &[9; 200])).is_ok() {});
        // Often enough for the way to the client to be full, and that to the relay.
        for _ in 0..5_000 {
            client.write_all(b"TEARDOWN * RTSP/1.0\r\n\r\n").unwrap();
            assert_eq!(read_exactly(&mut camera, 23), b"TEARDOWN * RTSP/1.0\r\n\r\n");
        }
        drop(client);
        drop(relay);
        flood.join().unwrap();
    }

    #[test]
    fn it_ends_while_nobody_comes_and_while_nobody_answers() {
        let (relay, _, _, connection, _) = relayed(&camera());
        drop(relay);
        assert_eq!((&connection).read(&mut [0]).unwrap(), 0);
        let (watch, events) = Watch::new(&Arc::new(Transcript::new(Instant::now())));
        let nobody = camera().local_addr().unwrap();
        let relay = Relay::start(vec![nobody], soon(), &watch, &Arc::default()).unwrap();
        assert!(matches!(events.recv(), Ok((_, Seen::Ended(End::Connect(_))))));
        drop(relay);
    }
}
