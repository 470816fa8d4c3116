//! `/api/status` under load: a thousand cameras are probed by the same machine while a hundred clients ask as fast as
//! they are answered, alone and beside two hundred clients that send a byte a second.

#![allow(clippy::disallowed_methods, reason = "load is measured over a time, and slow clients are slow by the clock")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use streampulse::simulator::{SimulatedCamera, Start, clips};

use crate::machine::total_cpu;
use crate::service::{Service, sum};
use crate::watched::{CAMERAS, Fleet, HEARTBEAT_SECONDS};

const CLIENTS: usize = 100;
const DRIBBLING: usize = 200;
/// They come from so many addresses: one alone has not as many places.
const ADDRESSES: usize = 4;

/// Requests a second and their latency, each for `seconds`, and what they do to the schedule.
pub async fn under_load(seconds: u64) {
    let camera = |name| SimulatedCamera::rtsp(name, clips::pattern_h264()).start(Start::Live);
    let thousand = Fleet::start(HEARTBEAT_SECONDS, camera).await;
    let service = &thousand.service;
    let bytes = service.ask("/api/status").len();
    println!(
        "/api/status of {CAMERAS} cameras ({:.0} kB), each probed every {HEARTBEAT_SECONDS} s, with the simulator and \
         wrk on the same cores; {CLIENTS} connections, a token checked in each request, {seconds} s",
        bytes as f64 / 1e3
    );
    println!(
        "{:<26} {:>11} {:>9} {:>9} {:>7} {:>8} {:>12} {:>10}",
        "", "requests/s", "50 %", "99 %", "missed", "probes", "lag ≤ 0.5 s", "CPU"
    );
    service.measure("nobody asks", seconds, || {
        std::thread::sleep(Duration::from_secs(seconds));
        None
    });
    service.measure("asked", seconds, || Some(service.wrk(seconds)));
    let dribbling = Dribbling::start(service.address);
    service.measure(&format!("and {DRIBBLING} slow clients"), seconds, || Some(service.wrk(seconds)));
    println!("the slow clients still connected at the end: {}\n", dribbling.stop());
}

/// What wrk says.
struct Answers {
    per_second: f64,
    half: String,
    most: String,
}

impl Service {
    /// Prints a row: what `load` says, and what the schedule did meanwhile.
    fn measure(&self, name: &str, seconds: u64, load: impl FnOnce() -> Option<Answers>) {
        let used = || total_cpu(self.pid());
        let (before, used_before) = (self.ask("/metrics"), used());
        let answers = load();
        let (after, used_after) = (self.ask("/metrics"), used());
        let more = |start: &str| sum(&after, start) - sum(&before, start);
        let on_time = more("streampulse_scheduler_lag_seconds_bucket{le=\"0.5\"}");
        let (per_second, half, most) = match answers {
            Some(answers) => (format!("{:.0}", answers.per_second), answers.half, answers.most),
            None => Default::default(),
        };
        println!(
            "{name:<26} {per_second:>11} {half:>9} {most:>9} {:>7} {:>8} {:>10.2} % {:>8.0} %",
            more("streampulse_heartbeats_missed_total"),
            more("streampulse_probes_total"),
            100.0 * on_time / more("streampulse_scheduler_lag_seconds_count"),
            100.0 * (used_after - used_before).as_secs_f64() / seconds as f64,
        );
    }

    fn wrk(&self, seconds: u64) -> Answers {
        let output = Command::new("wrk")
            .args(["-t1", &format!("-c{CLIENTS}"), &format!("-d{seconds}s"), "--timeout", "10s", "--latency"])
            .args(["-H", &format!("Authorization: Bearer {}", self.token)])
            .arg(format!("http://{}/api/status", self.address))
            .output()
            .expect("wrk; scripts/install bench installs it");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let field = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
        for complaint in ["Socket errors:", "Non-2xx or 3xx responses:"] {
            if let Some(said) = field(complaint) {
                println!("  wrk: {complaint} {said}");
            }
        }
        let text_of = |name: &str| field(name).unwrap_or("none").to_owned();
        let per_second = field("Requests/sec:").and_then(|text| text.parse().ok()).unwrap_or(0.0);
        Answers { per_second, half: text_of("50%"), most: text_of("99%") }
    }
}

/// Clients that send a request at a byte a second and come again when they are cut off.
struct Dribbling {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<usize>,
}

impl Dribbling {
    fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let head =
            b"GET /api/status HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        let thread = std::thread::spawn(move || {
            let connect = |number: usize| connect_from([127, 9, 0, 1 + (number % ADDRESSES) as u8], address);
            let mut clients: Vec<(TcpStream, usize)> = (0..DRIBBLING).map(|number| (connect(number), 0)).collect();
            while !asked.load(Ordering::Relaxed) {
                for (number, (stream, sent)) in clients.iter_mut().enumerate() {
                    if stream.write_all(&head[*sent % head.len()..][..1]).is_ok() {
                        *sent += 1;
                    } else {
                        (*stream, *sent) = (connect(number), 0);
                    }
                }
                std::thread::sleep(Duration::from_secs(1));
            }
            clients.into_iter().filter(|(stream, _)| is_open(stream)).count()
        });
        Self { stop, thread }
    }

    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Every address in 127.0.0.0/8 is this machine's.
fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::from((source, 0))).unwrap();
    connect(&socket, &to).unwrap();
    socket.into()
}

/// True while the other side has not hung up.
fn is_open(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    matches!(stream.read(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
