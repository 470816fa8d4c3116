//! Clients that are slow, many or broken, against the real program: whoever behaves gets answers all the while.

mod common;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use common::service::{ADMIN_PASSWORD, Answer, PATIENCE, Service, Site, wait_until};
use serde_json::{Value, json};

/// A head that has no end yet, a byte a turn.
const HEAD: &[u8] =
    b"GET /api/status HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Connects from an address of its own: every address in 127.0.0.0/8 is this machine's.
fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddr::from((Ipv4Addr::from(source), 0))).expect("an address");
    connect(&socket, &to).expect("connected");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    stream
}

/// So many clients, spread over so many addresses.
fn clients(service: &Service, count: usize, addresses: usize) -> Vec<TcpStream> {
    let source = |number: usize| [127, 9, 0, 1 + u8::try_from(number % addresses).expect("few addresses")];
    (0..count).map(|number| connect_from(source(number), service.address())).collect()
}

/// True while the server has neither answered nor hung up.
fn is_waited_for(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("set");
    let read = stream.read(&mut [0; 1]);
    stream.set_nonblocking(false).expect("set");
    matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    stream.write_all(request).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends turn after turn one byte from each slow client, and asks as a normal one after each.
fn normal_among(service: &Service, slow: &[TcpStream], bytes: &[u8]) {
    let token = service.token();
    for turn in 0..20 {
        for mut stream in slow {
            // Those that had to give way are told so by an error.
            let _ = stream.write_all(&bytes[turn..=turn]);
        }
        for path in ["/api/status", "/", "/healthz"] {
            assert_eq!(service.get_as(Some(&token), path).status, 200, "{path} at turn {turn}");
        }
    }
}

/// As many open files as 2,000 clients need.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("more files");
}

#[test]
fn two_hundred_slow_clients_are_waited_for_and_a_normal_one_is_served() {
    allow_many_files();
    let site = Site::new("streams: []\n");
    let service = site.start();
    let slow = clients(&service, 200, 2);
    normal_among(&service, &slow, HEAD);
    assert!(slow.iter().all(is_waited_for), "there is room for all of them");
    let web = || service.json("/api/health")["web"].clone();
    // A normal connection that has just ended may be counted for a moment yet.
    wait_until(|| web()["connections"] == 201);
    assert_eq!(web()["gave_way_total"], 0);
}

#[test]
fn more_slow_clients_than_there_are_places_keep_no_normal_one_out() {
    allow_many_files();
    let site = Site::new("streams: []\n");
    let service = site.start();
    let heads = clients(&service, 600, 6);
    normal_among(&service, &heads, HEAD);
    // Bodies without end beside them. Their heads are whole, so they take the places of those without one.
    let bodies = clients(&service, 600, 6);
    for mut stream in &bodies {
        let head =
            b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n";
        let _ = stream.write_all(head);
    }
    normal_among(&service, &bodies, &[b' '; 20]);
    let web = service.json("/api/health")["web"].clone();
    assert!(web["gave_way_total"].as_u64().expect("a count") > 600, "{web}");
    assert!(web["connections"].as_u64().expect("a count") <= 512, "{web}");
}

#[test]
fn one_address_cannot_take_every_place() {
    allow_many_files();
    let site = Site::new("streams: []\n");
    let service = site.start();
    let other = clients(&service, 100, 1);
    let greedy: Vec<_> = (0..2_000).map(|_| connect_from([127, 9, 1, 1], service.address())).collect();
    normal_among(&service, &greedy, HEAD);
    assert!(other.iter().all(is_waited_for), "it costs nobody else a place");
    wait_until(|| service.json("/api/health")["web"]["connections"].as_u64() == Some(100 + 128 + 1));
    // From that address too a request is answered: it takes the place of one of its own.
    let mut same = connect_from([127, 9, 1, 1], service.address());
    same.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    same.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_proxy_speaks_for_many() {
    let site = Site::new("web: {trusted_proxies: [127.9.0.1]}\n");
    let service = site.start();
    let proxied = clients(&service, 300, 1);
    wait_until(|| service.json("/api/health")["web"]["connections"].as_u64() == Some(301));
    assert!(proxied.iter().all(is_waited_for));
}

fn login_as(address: &str) -> String {
    let body = json!({"username": "admin", "password": "not the password"}).to_string();
    format!(
        "POST /api/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: {address}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn only_a_trusted_proxy_says_whose_address_it_is() {
    // All are there before any is answered: the wait counts from when a try began, and a slow machine hashes for longer.
    let statuses = |service: &Service, address: &dyn Fn(u8) -> String| {
        let log_in = |last: u8| {
            let mut stream = TcpStream::connect(service.address()).expect("connected");
            stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
            stream.write_all(login_as(&address(last)).as_bytes()).expect("sent");
            stream
        };
        let asked: Vec<_> = (1..=6).map(log_in).collect();
        let status = |mut stream: TcpStream| {
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an answer");
            Answer::parse(&answer).status
        };
        let mut statuses: Vec<_> = asked.into_iter().map(status).collect();
        statuses.sort_unstable();
        statuses
    };
    for (config, then) in [("streams: []\n", 429), ("web: {trusted_proxies: [127.0.0.0/8]}\n", 401)] {
        let site = Site::new(config);
        let service = site.start();
        let seen = statuses(&service, &|last| format!("192.0.2.{last}"));
        assert_eq!(seen, [401, 401, 401, 401, 401, then], "{config}");
        // The proxy adds the address that it saw behind what its client says.
        let seen = statuses(&service, &|last| format!("203.0.113.{last}, 192.0.2.99"));
        assert_eq!(seen.last(), Some(&429), "{config}: {seen:?}");
    }
}

#[test]
fn a_flood_of_logins_starves_neither_the_dashboard_nor_the_schedule() {
    let config = "heartbeat_seconds: 2\nweb: {trusted_proxies: [127.0.0.1]}\n\
                  streams: [{name: Gate, url: 'rtsp://127.0.0.1:9/'}]\n";
    let site = Site::new(config);
    let service = site.start();
    let token = service.token();
    let (address, over) = (service.address(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let listening = scope.spawn(|| {
            let _end = Ends(&over);
            service.events(|text| text.matches("event:stream").count() >= 3);
        });
        let mut wave = 0_u32;
        while !over.load(Ordering::Relaxed) {
            wave += 1;
            // A hundred clients from as many addresses, or they would be slowed down; a third of them waits for its hash.
            let log_in = |number: u32| {
                let mut stream = TcpStream::connect(address).expect("connected");
                stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
                let client = Ipv4Addr::from(0x0a00_0000 + wave * 256 + number);
                stream.write_all(login_as(&client.to_string()).as_bytes()).expect("sent");
                stream
            };
            let logins: Vec<_> = (0..100).map(log_in).collect();
            assert_eq!(service.get_as(Some(&token), "/api/status").status, 200);
            assert!(logins.iter().any(is_waited_for), "it was answered before them");
            let statuses: Vec<_> = logins
                .into_iter()
                .map(|mut stream| {
                    let mut answer = Vec::new();
                    stream.read_to_end(&mut answer).expect("an answer");
                    Answer::parse(&answer).status
                })
                .collect();
            assert!(statuses.iter().all(|status| [401, 503].contains(status)), "{statuses:?}");
            assert!(statuses.contains(&401) && statuses.contains(&503), "{statuses:?}");
        }
        listening.join().expect("three heartbeats");
    });
    let health = service.json("/api/health");
    assert_eq!(health["scheduler"]["heartbeats_missed"], 0, "{health}");
}

/// Ends the flood, also when an assertion fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn code(answer: &str) -> (u16, String) {
    let answer = Answer::parse(answer.as_bytes());
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_broken_head_is_answered_in_our_form() {
    let site = Site::new("streams: []\n");
    let service = site.start();
    let get =
        |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    let long = |length: usize| "a".repeat(length);
    let fields: String = (0..101).map(|number| format!("X-{number}: a\r\n")).collect();
    for (what, request, status, expected) in [
        ("no HTTP", "hello\r\n\r\n".to_owned(), 400, "bad_request"),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\r\n\r\n".to_owned(), 400, "bad_request"),
        ("a space in the address", get("/a b", ""), 400, "bad_request"),
        ("a space before the colon", get("/", "X-A : b\r\n"), 400, "bad_request"),
        ("a folded header", get("/", "X-A: b\r\n c\r\n"), 400, "bad_request"),
        ("no Host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), 400, "bad_request"),
        ("two Hosts", get("/", "Host: y\r\n"), 400, "bad_request"),
        ("a long address", get(&format!("/{}", long(9_000)), ""), 414, "uri_too_long"),
        ("a longer address", get(&format!("/{}", long(40_000)), ""), 414, "uri_too_long"),
        ("a large header", get("/", &format!("X-A: {}\r\n", long(40_000))), 431, "headers_too_large"),
        ("many headers", get("/", &fields), 431, "headers_too_large"),
        ("two lengths", get("/", "Content-Length: 1\r\nContent-Length: 2\r\n"), 400, "bad_request"),
        ("a length that is none", get("/", "Content-Length: +1\r\n"), 400, "bad_request"),
        ("another transfer coding", get("/", "Transfer-Encoding: gzip\r\n"), 400, "bad_request"),
        ("chunked before the last", get("/", "Transfer-Encoding: chunked, identity\r\n"), 400, "bad_request"),
    ] {
        let answer = raw(service.address(), request.as_bytes());
        assert_eq!(code(&answer), (status, expected.to_owned()), "{what}: {answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'"), "{what}: {answer}");
    }
}

#[test]
fn nothing_is_smuggled_past_a_proxy() {
    let site = Site::new("streams: []\n");
    let service = site.start();
    let hidden = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    // With both, the chunks count and the connection ends: what stands behind them is no second request (RFC 9112
    // section 6.3).
    for lengths in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked", 5 + hidden.len()),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}", 5 + hidden.len()),
    ] {
        let request = format!("POST /api/login HTTP/1.1\r\nHost: x\r\n{lengths}\r\n\r\n0\r\n\r\n{hidden}");
        let answer = raw(service.address(), request.as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let old = raw(
        service.address(),
        format!("POST /api/login HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}").as_bytes(),
    );
    assert_eq!((code(&old), old.matches("HTTP/1.1 ").count()), ((400, "bad_request".to_owned()), 1), "{old}");
    // A body that nobody reads is not taken for the next request.
    let unread = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len());
    let answer = raw(
        service.address(),
        format!("{unread}GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
    );
    let ok = answer.matches("HTTP/1.1 200").count();
    assert!(ok <= 2 && answer.matches("{\"status\":\"ok\"}").count() == 1, "{answer}");
}

#[test]
fn requests_in_a_row_and_a_body_that_waits_to_be_asked_for() {
    let site = Site::new("streams: []\n");
    let service = site.start();
    let pipelined = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n\
                     GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = raw(service.address(), pipelined.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{answer}");
    assert!(answer.find("{\"status\":\"ok\"}") < answer.find("{\"status\":\"ready\"}"), "{answer}");
    let broken = raw(service.address(), b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n");
    assert!(broken.starts_with("HTTP/1.1 200") && broken.contains("HTTP/1.1 400"), "{broken}");
    let body = json!({"username": "admin", "password": ADMIN_PASSWORD}).to_string();
    let mut stream = TcpStream::connect(service.address()).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let head = format!(
        "POST /api/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).expect("to be asked for it");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // What is too large is refused before it is sent.
    let large = head.replace(&format!("Content-Length: {}", body.len()), "Content-Length: 99999");
    assert_eq!(code(&raw(service.address(), large.as_bytes())), (413, "body_too_large".to_owned()));
}

#[test]
fn one_account_cannot_take_every_listeners_place() {
    let site = Site::new("streams: []\n");
    let service = site.start();
    let token = service.token();
    let listen = || {
        let mut stream = TcpStream::connect(service.address()).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        let request = format!("GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("an answer");
        (String::from_utf8_lossy(&status[9..]).into_owned(), stream)
    };
    let listeners: Vec<_> = (0..17).map(|_| listen()).collect();
    let refused: Vec<_> = listeners.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!((refused[15], refused[16]), ("200", "503"), "{refused:?}");
    drop(listeners);
    // Their places are free when the server has seen them go.
    wait_until(|| listen().0 == "200");
}
