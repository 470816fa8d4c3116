//! Dashboards that look on: events, the list of streams, pictures; and Prometheus.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cameras::{SOUND_EVERY, name_of};
use crate::site::FIRST_EXTRA;

const DASHBOARDS: usize = 5;
const EVERY: Duration = Duration::from_secs(2);
/// The service sends a word at least so often.
const PATIENCE: Duration = Duration::from_secs(60);

/// They, until they are stopped.
pub struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    address: Mutex<SocketAddr>,
    token: String,
    paused: AtomicBool,
    stopped: AtomicBool,
    answered: AtomicUsize,
    events: AtomicUsize,
    refused: AtomicUsize,
}

/// What they saw.
pub struct Answers {
    pub answered: usize,
    pub events: usize,
    /// Not answered with what was asked for, while the service ran.
    pub refused: usize,
}

impl Clients {
    /// Starts all, paused.
    pub fn start(address: SocketAddr, token: &str) -> Self {
        let shared = Arc::new(Shared {
            address: Mutex::new(address),
            token: token.to_owned(),
            paused: AtomicBool::new(true),
            stopped: AtomicBool::new(false),
            answered: AtomicUsize::default(),
            events: AtomicUsize::default(),
            refused: AtomicUsize::default(),
        });
        let mut threads = Vec::new();
        for number in 0..DASHBOARDS {
            let (listener, asker) = (shared.clone(), shared.clone());
            threads.push(std::thread::spawn(move || listener.listen()));
            threads.push(std::thread::spawn(move || asker.ask(number)));
        }
        Self { shared, threads }
    }

    /// While it is restarted, nobody minds that it does not answer, nor that there are no pictures at first.
    pub fn pause(&self) {
        self.shared.paused.store(true, Relaxed);
    }

    /// It is there again, at this address.
    pub fn move_to(&self, address: SocketAddr) {
        *self.shared.address.lock().unwrap() = address;
    }

    /// Every camera was probed once.
    pub fn go_on(&self) {
        self.shared.paused.store(false, Relaxed);
    }

    /// Ends all.
    pub fn stop(self) -> Answers {
        self.shared.stopped.store(true, Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let read = |counter: &AtomicUsize| counter.load(Relaxed);
        Answers {
            answered: read(&self.shared.answered),
            events: read(&self.shared.events),
            refused: read(&self.shared.refused),
        }
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stopped.load(Relaxed)
    }

    fn connect(&self, path: &str) -> std::io::Result<TcpStream> {
        let address = *self.address.lock().unwrap();
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let token = &self.token;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n")?;
        Ok(stream)
    }

    /// Events, again and again; a dashboard is closed after a while.
    fn listen(&self) {
        while self.goes_on() {
            let lines = self.connect("/api/events").map(|stream| BufReader::new(stream).lines().map_while(Result::ok));
            for line in lines.into_iter().flatten().take(2_000).take_while(|_| self.goes_on()) {
                if line.starts_with("data:") {
                    self.events.fetch_add(1, Relaxed);
                }
            }
            std::thread::sleep(EVERY);
        }
    }

    fn ask(&self, number: usize) {
        let mut turn = number;
        while self.goes_on() {
            turn += 1;
            let path = match turn % 5 {
                0 => "/metrics".to_owned(),
                1 => "/api/streams?strip=1".to_owned(),
                // One that never breaks, nor is taken out: others may have no picture yet.
                2 => format!("/api/streams/{}/snapshot.jpg", name_of(turn * SOUND_EVERY % FIRST_EXTRA)),
                3 => format!("/api/streams/{}/history", name_of(turn * SOUND_EVERY % FIRST_EXTRA)),
                _ => "/api/status".to_owned(),
            };
            let answer = self.connect(&path).and_then(|mut stream| {
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer)?;
                Ok(answer)
            });
            let is_good = answer.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"));
            if is_good {
                self.answered.fetch_add(1, Relaxed);
            } else if !self.paused.load(Relaxed) {
                self.refused.fetch_add(1, Relaxed);
                println!("           not answered: {path}");
            }
            std::thread::sleep(EVERY);
        }
    }
}
