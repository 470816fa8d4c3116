//! Receivers of messages: a web server and a mail server, each on a port of its own, with or without TLS.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use serde_json::Value;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::certificates::Identity;
use super::service::PATIENCE;

/// What came to a server, and who waits for more.
struct Inbox<T>(Arc<(Mutex<Vec<T>>, Condvar)>);

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone> Inbox<T> {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(Vec::new()), Condvar::new())))
    }

    fn add(&self, item: T) {
        self.0.0.lock().expect("inbox").push(item);
        self.0.1.notify_all();
    }

    fn all(&self) -> Vec<T> {
        self.0.0.lock().expect("inbox").clone()
    }

    #[track_caller]
    fn wait_for(&self, enough: impl Fn(&[T]) -> bool) -> Vec<T> {
        let begun = Instant::now();
        let mut items = self.0.0.lock().expect("inbox");
        while !enough(&items) {
            let left = PATIENCE.checked_sub(begun.elapsed()).expect("it did not come");
            items = self.0.1.wait_timeout(items, left).expect("inbox").0;
        }
        items.clone()
    }
}

/// A request, and how it was answered.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub status: u16,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A web server that keeps what it gets.
pub struct WebReceiver {
    port: u16,
    got: Inbox<Request>,
    answer: Arc<Mutex<String>>,
}

/// No answer at all.
pub const SILENCE: &str = "";
pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
pub const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops";

impl WebReceiver {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    pub fn with_tls(identity: &Identity) -> Self {
        Self::start_with(Some(server_config(identity)))
    }

    fn start_with(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        let receiver = Self { port, got: Inbox::new(), answer: Arc::new(Mutex::new(OK.to_owned())) };
        let (got, answer) = (receiver.got.clone(), receiver.answer.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (got, answer, tls) = (got.clone(), answer.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => receive(stream, &got, &answer),
                    Some(tls) => receive(encrypted(stream, tls), &got, &answer),
                });
            }
        });
        receiver
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on it answers this.
    pub fn answer(&self, text: &str) {
        text.clone_into(&mut self.answer.lock().expect("answer"));
    }

    pub fn all(&self) -> Vec<Request> {
        self.got.all()
    }

    #[track_caller]
    pub fn wait_for(&self, enough: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        self.got.wait_for(enough)
    }
}

fn receive(stream: impl Read + Write, got: &Inbox<Request>, answer: &Mutex<String>) {
    let mut reader = BufReader::new(stream);
    let Some(mut request) = read_request(&mut reader) else { return };
    let text = answer.lock().expect("answer").clone();
    request.status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    got.add(request);
    if text.is_empty() {
        // Until the other side has had enough.
        let _ = reader.read(&mut [0; 16]);
        return;
    }
    let _ = reader.get_mut().write_all(text.as_bytes());
    let _ = reader.get_mut().flush();
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body, status: 0 })
}

/// A mail, as it came.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// What the sender said before, without the words that sign in.
    pub commands: Vec<String>,
    pub signed_in: Option<String>,
    pub encrypted: bool,
    pub text: String,
}

/// How a mail server is encrypted.
pub enum MailTls {
    None,
    StartTls,
    Implicit,
}

/// A mail server that keeps what it gets. It lets in who signs in with the password `m4il`.
pub struct MailReceiver {
    port: u16,
    got: Inbox<Mail>,
}

impl MailReceiver {
    pub fn start(tls: MailTls, identity: &Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        let receiver = Self { port, got: Inbox::new() };
        let (got, config) = (receiver.got.clone(), server_config(identity));
        let tls = Arc::new(tls);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (got, config, tls) = (got.clone(), config.clone(), tls.clone());
                std::thread::spawn(move || {
                    let mut mail = Mail::default();
                    match *tls {
                        MailTls::Implicit => {
                            mail.encrypted = true;
                            let mut stream = encrypted(stream, config);
                            let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
                            converse(stream, mail, "250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n", &got);
                        }
                        MailTls::None => {
                            let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
                            converse(stream, mail, "250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n", &got);
                        }
                        MailTls::StartTls => {
                            let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
                            let stream = converse(stream, mail.clone(), "250-mail.example\r\n250 STARTTLS\r\n", &got);
                            mail.encrypted = true;
                            let Some(stream) = stream else { return };
                            let offers = "250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n";
                            converse(encrypted(stream, config), mail, offers, &got);
                        }
                    }
                });
            }
        });
        receiver
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    #[track_caller]
    pub fn wait_for(&self, enough: impl Fn(&[Mail]) -> bool) -> Vec<Mail> {
        self.got.wait_for(enough)
    }
}

/// Answers command after command; gives the stream back at STARTTLS.
fn converse<S: Read + Write>(stream: S, mut mail: Mail, offers: &str, got: &Inbox<Mail>) -> Option<S> {
    use base64::Engine as _;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let command = line.trim_end().to_owned();
        let upper = command.to_ascii_uppercase();
        let answer = if upper.starts_with("EHLO") {
            offers.to_owned()
        } else if upper == "STARTTLS" {
            reader.get_mut().write_all(b"220 go on\r\n").ok()?;
            return Some(reader.into_inner());
        } else if let Some(word) = command.strip_prefix("AUTH PLAIN ") {
            let word = base64::engine::general_purpose::STANDARD.decode(word).expect("base64");
            let word = String::from_utf8(word).expect("text");
            let mut parts = word.split('\0').skip(1).map(str::to_owned);
            mail.signed_in = parts.next();
            if parts.next().as_deref() == Some("m4il") { "235 welcome\r\n" } else { "535 5.7.8 bad credentials\r\n" }
                .to_owned()
        } else if upper == "DATA" {
            reader.get_mut().write_all(b"354 go on\r\n").ok()?;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                if line == ".\r\n" {
                    break;
                }
                mail.text.push_str(&line);
            }
            got.add(mail.clone());
            "250 taken\r\n".to_owned()
        } else if upper.starts_with("RCPT") && command.contains("nobody@") {
            "550 5.1.1 no such mailbox\r\n".to_owned()
        } else {
            "250 fine\r\n".to_owned()
        };
        if !upper.starts_with("AUTH") {
            mail.commands.push(command);
        }
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
        reader.get_mut().flush().ok()?;
    }
}

fn server_config(identity: &Identity) -> Arc<rustls::ServerConfig> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(identity.chain.as_bytes()).flatten().collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a pair");
    Arc::new(config)
}

fn encrypted(
    stream: TcpStream,
    config: Arc<rustls::ServerConfig>,
) -> rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    rustls::StreamOwned::new(rustls::ServerConnection::new(config).expect("a connection"), stream)
}
