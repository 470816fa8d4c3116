//! HTTPS as a client sees it, against the real program.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use common::certificates::{Authority, Identity, self_signed};
use common::service::{ADMIN_PASSWORD, Answer, PATIENCE, Service, Site, wait_until};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio_rustls::rustls;

const NAME: &str = "localhost";

/// Writes a pair as a renewal does: new files, renamed over the old ones.
fn write(site: &Path, identity: &Identity) {
    for (name, text) in [("web.pem", &identity.chain), ("web.key", &identity.key)] {
        let file = site.join(name);
        std::fs::write(file.with_extension("new"), text).expect("written");
        std::fs::rename(file.with_extension("new"), file).expect("renamed");
    }
}

fn config(site: &Path, more: &str) -> String {
    let (certificate, key) = (site.join("web.pem"), site.join("web.key"));
    format!("web:\n  tls: {{cert_file: {}, key_file: {}{more}}}\n", certificate.display(), key.display())
}

fn site(identity: &Identity, more: &str) -> Site {
    let site = Site::new("");
    write(site.path(), identity);
    site.configure(&config(site.path(), more));
    site
}

/// A client that trusts these certificates only.
struct Client(Arc<rustls::ClientConfig>);

impl Client {
    fn trusting(chain: &str) -> Self {
        Self::speaking(chain, rustls::ALL_VERSIONS, &[b"http/1.1"])
    }

    fn speaking(chain: &str, versions: &[&'static rustls::SupportedProtocolVersion], protocols: &[&[u8]]) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(chain.as_bytes()) {
            roots.add(certificate.expect("a certificate")).expect("a root");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let mut config = builder.expect("versions").with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Self(Arc::new(config))
    }

    /// `Err` when no connection is to be had.
    fn try_send(&self, address: SocketAddr, request: &str) -> std::io::Result<Answer> {
        let name = ServerName::try_from(NAME).expect("a name");
        let session = rustls::ClientConnection::new(self.0.clone(), name).expect("a session");
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut stream = rustls::StreamOwned::new(session, socket);
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(Answer::parse(&bytes))
    }

    fn send(&self, address: SocketAddr, head: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{head}Host: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.try_send(address, &request).expect("an answer")
    }

    /// `/api/health` as the administrator.
    fn health(&self, service: &Service) -> Value {
        let body = json!({"username": "admin", "password": ADMIN_PASSWORD}).to_string();
        let login = self.send(service.address(), "POST /api/login HTTP/1.1\r\n", &body).json();
        let token = login["access_token"].as_str().expect("a token").to_owned();
        let head = format!("GET /api/health HTTP/1.1\r\nAuthorization: Bearer {token}\r\n");
        self.send(service.address(), &head, "").json()
    }

    fn is_served(&self, service: &Service) -> bool {
        self.try_send(service.address(), "GET /healthz HTTP/1.0\r\n\r\n").is_ok_and(|answer| answer.status == 200)
    }
}

#[test]
fn a_browser_is_served_over_tls_and_its_cookies_stay_there() {
    let authority = Authority::new();
    let identity = authority.sign(&[NAME]);
    let site = site(&identity, "");
    let service = site.start();
    assert!(service.log().contains(&format!("https://{}/", service.address())), "{}", service.log());
    let chain = std::fs::read_to_string(authority.file()).expect("the authority");
    let client = Client::trusting(&chain);
    let page = client.send(service.address(), "GET / HTTP/1.1\r\n", "");
    assert!(page.status == 200 && page.text().contains("<title>StreamPulse"), "{}", page.text());
    assert!(page.head.contains("strict-transport-security: max-age=86400\r\n"), "{}", page.head);
    let body = json!({"username": "admin", "password": ADMIN_PASSWORD}).to_string();
    let login = client.send(service.address(), "POST /api/login HTTP/1.1\r\n", &body);
    let cookies: Vec<_> = login.head.lines().filter(|line| line.starts_with("set-cookie")).collect();
    assert!(cookies.len() == 4 && cookies.iter().all(|cookie| cookie.ends_with("; Secure")), "{cookies:?}");
    let health = client.health(&service);
    assert!(health["web"]["tls"]["certificate_until"].is_string(), "{health}");
    assert!(health["web"]["tls"]["problem"].is_null(), "{health}");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        assert!(Client::speaking(&chain, &[version], &[]).is_served(&service), "{version:?}");
    }
    assert!(!Client::speaking(&chain, rustls::ALL_VERSIONS, &[b"h2"]).is_served(&service));
    assert!(!Client::trusting(&self_signed(&[NAME]).chain).is_served(&service));
    assert!(!service.log().contains("PRIVATE KEY"));
}

#[test]
fn http_on_the_port_of_https_is_told_so_and_a_silent_client_holds_nobody_up() {
    let identity = self_signed(&[NAME]);
    let site = site(&identity, ", hsts_seconds: 0");
    let service = site.start();
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(service.address()).expect("connected")).collect();
    let plain = common::service::http_get(service.address(), "/");
    assert_eq!((plain.status, &plain.json()["error"]["code"]), (400, &json!("https_only")), "{}", plain.text());
    let client = Client::trusting(&identity.chain);
    let page = client.send(service.address(), "GET /healthz HTTP/1.1\r\n", "");
    assert!(page.status == 200 && !page.head.contains("strict-transport-security"), "{}", page.head);
    drop(silent);
    assert_eq!(service.stop().0, 0);
}

#[test]
fn a_renewed_certificate_is_taken_and_a_bad_one_is_not() {
    let (first, second, third) = (self_signed(&[NAME]), self_signed(&[NAME]), self_signed(&[NAME]));
    let site = site(&first, "");
    let service = site.start();
    assert!(Client::trusting(&first.chain).is_served(&service));
    write(site.path(), &second);
    service.wait_for_log("are in use", 1);
    assert!(Client::trusting(&second.chain).is_served(&service));
    assert!(!Client::trusting(&first.chain).is_served(&service));
    std::fs::write(site.path().join("web.key"), &third.key).expect("written");
    service.wait_for_log("stays in use", 1);
    let client = Client::trusting(&second.chain);
    // Not the one of the moment in which the first pair was replaced, which a slow machine may have seen.
    wait_until(|| {
        let problem = client.health(&service)["web"]["tls"]["problem"].clone();
        problem.as_str().is_some_and(|problem| problem.contains("web.key is not the key of the certificate in"))
    });
    std::fs::remove_file(site.path().join("web.key")).expect("removed");
    service.wait_for_log("there is no file", 1);
    assert!(client.is_served(&service));
    write(site.path(), &third);
    service.wait_for_log("are in use", 2);
    let client = Client::trusting(&third.chain);
    wait_until(|| client.health(&service)["web"]["tls"]["problem"].is_null());
    let log = service.stop().1;
    assert!(!log.contains("PRIVATE KEY") && !log.contains(third.key.lines().nth(1).expect("a line")), "{log}");
}

#[test]
fn a_pair_that_cannot_be_used_ends_the_start_and_the_check_of_the_configuration() {
    let (ours, other) = (self_signed(&[NAME]), self_signed(&[NAME]));
    let site = site(&ours, "");
    assert_eq!(site.run(&["check-config"]).status.code(), Some(0));
    std::fs::write(site.path().join("web.key"), &other.key).expect("written");
    let expected = "web.key is not the key of the certificate in";
    let (code, said) = site.fails_to_start();
    assert!(code == 78 && said.contains("web.tls.key_file: ") && said.contains(expected), "{code} {said}");
    let checked = site.run(&["check-config"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("web.tls.key_file: ") && said.contains(expected), "{said}");
    assert!(checked.status.code() == Some(78) && said.contains("not usable, 1 problem"), "{said}");
    assert!(!site.state().join("streampulse.db").exists(), "nothing was begun");
}

#[test]
fn an_expired_certificate_is_served_with_a_warning() {
    let authority = Authority::new();
    let site = site(&authority.sign_expired(&[NAME]), "");
    let service = site.start();
    service.wait_for_log("web.pem has expired", 1);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(site.path().join("web.key"), mode).expect("a mode");
    let (_, log) = service.stop();
    assert_eq!(log.matches("web.pem has expired").count(), 1, "{log}");
    let service = site.start();
    assert!(service.log().contains("web.key can be read by every user"), "{}", service.log());
}
