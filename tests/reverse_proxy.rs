//! The samples for nginx and Caddy as they stand, with the real ones: names, ports and files replaced, nothing else.

mod common;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::broker::{free_ports, write_pair};
use common::certificates::Authority;
use common::service::{ADMIN_PASSWORD, Process, Service, Site};
use streampulse::simulator::{SimulatedCamera, Simulator, SimulatorOptions, clips};

const JSON: &str = "Content-Type: application/json";
const NAME: &str = "cameras.example.org";

/// A proxy that runs. Dropping it ends it in order: a worker of nginx would outlive a kill.
struct Proxy {
    ports: Vec<u16>,
    authority: Authority,
    process: Option<Process>,
    _directory: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.end();
        }
    }
}

/// The sample, with each of these texts in it replaced.
fn sample(name: &str, replaced: &[(&str, String)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/reverse-proxy").join(name);
    let mut text = std::fs::read_to_string(file).expect("a sample");
    for (from, to) in replaced {
        assert!(text.contains(from), "{name} has no {from:?} any more");
        text = text.replace(from, to);
    }
    text
}

impl Proxy {
    fn start(configure: impl Fn(&Path, &[u16], &(PathBuf, PathBuf)) -> Command) -> Self {
        let (authority, directory) = (Authority::new(), tempfile::tempdir().expect("a directory"));
        let pair = write_pair(directory.path(), "proxy", &authority.sign(&[NAME]));
        loop {
            let ports = free_ports(2);
            let process = Process::spawn(configure(directory.path(), &ports, &pair));
            let runs = process.log.find(|log| {
                (log.contains("start worker process") || log.contains("serving initial configuration")).then_some(())
            });
            let log = process.log.text();
            assert!(runs.is_some() || log.contains("in use"), "the proxy does not start:\n{log}");
            if runs.is_some() {
                return Self { ports, authority, process: Some(process), _directory: directory };
            }
        }
    }

    fn nginx(service: &Service) -> Self {
        Self::start(|directory, ports, (chain, key)| {
            let [plain, tls] = [ports[0], ports[1]];
            let server = sample(
                "nginx.conf",
                &[
                    ("server 127.0.0.1:6969;", format!("server {};", service.address())),
                    ("listen 80;", format!("listen 127.0.0.1:{plain};")),
                    ("    listen [::]:80;\n", String::new()),
                    ("listen 443 ssl http2;", format!("listen 127.0.0.1:{tls} ssl http2;")),
                    ("    listen [::]:443 ssl http2;\n", String::new()),
                    ("/etc/letsencrypt/live/cameras.example.org/fullchain.pem", chain.display().to_string()),
                    ("/etc/letsencrypt/live/cameras.example.org/privkey.pem", key.display().to_string()),
                ],
            );
            let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|what| format!("{what}_temp_path {}/{what};\n", directory.display()))
                .concat();
            // As Debian's nginx.conf includes it; the log says when it runs.
            let whole = format!(
                "daemon off; user root; worker_processes 1; pid {}/pid; error_log stderr notice;\nevents {{}}\n\
                 http {{\naccess_log off;\n{places}{server}\n}}\n",
                directory.display()
            );
            let file = directory.join("nginx.conf");
            std::fs::write(&file, whole).expect("nginx.conf");
            let mut command = Command::new("/usr/sbin/nginx");
            command.arg("-e").arg("stderr").arg("-p").arg(directory).arg("-c").arg(file);
            command
        })
    }

    fn caddy(service: &Service) -> Self {
        Self::start(|directory, ports, (chain, key)| {
            let site = sample(
                "Caddyfile",
                &[
                    ("reverse_proxy 127.0.0.1:6969", format!("reverse_proxy {}", service.address())),
                    (
                        "\ncameras.example.org {\n",
                        format!(
                            "\nhttps://{NAME}:{} {{\n\tbind 127.0.0.1\n\ttls {} {}\n",
                            ports[1],
                            chain.display(),
                            key.display()
                        ),
                    ),
                ],
            );
            let file = directory.join("Caddyfile");
            std::fs::write(&file, format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}"))
                .expect("Caddyfile");
            let mut command = Command::new("caddy");
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file).env("HOME", directory);
            command.env("XDG_DATA_HOME", directory).env("XDG_CONFIG_HOME", directory);
            command
        })
    }

    /// curl, which takes the proxy's certificate for the name that it has, and prints what comes.
    fn curl(&self, path: &str) -> Command {
        let mut command = Command::new("curl");
        command.args([
            "-q",
            "--noproxy",
            "*",
            "-sS",
            "-N",
            "--max-time",
            "60",
            "--resolve",
            &format!("{NAME}:{}:127.0.0.1", self.ports[1]),
        ]);
        command.arg("--cacert").arg(self.authority.file()).arg(format!("https://{NAME}:{}{path}", self.ports[1]));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn status_of(&self, path: &str) -> String {
        said(self.curl(path).args(["-o", "/dev/null", "-w", "%{http_code}"]))
    }
}

fn said(command: &mut Command) -> String {
    let output = command.output().expect("curl");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Reads what comes until it holds this, then hangs up.
fn comes(command: &mut Command, wanted: &[u8]) {
    let mut child: Child = command.spawn().expect("curl");
    let mut output = child.stdout.take().expect("its output");
    let (mut bytes, mut buffer) = (Vec::new(), [0; 65_536]);
    while !bytes.windows(wanted.len()).any(|window| window == wanted) {
        let count = output.read(&mut buffer).expect("more");
        assert!(count > 0, "{command:?} ended with {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..count]);
    }
    child.kill().expect("killed");
    child.wait().expect("an end");
}

/// A camera that is up, and a service as the samples want it.
async fn service() -> (Simulator, Site, Service) {
    let camera = SimulatedCamera::rtsp("gate", clips::gate());
    let simulator = Simulator::start(SimulatorOptions::new([camera])).await.expect("simulated cameras");
    let streams = format!("heartbeat_seconds: 3600\nstreams:\n  - name: Gate\n    url: {}\n", simulator.url("gate"));
    let site = Site::new(&format!("web: {{trusted_proxies: [127.0.0.1]}}\n{streams}"));
    let service = site.start();
    service.streams_when(|streams| streams["gate"]["state"] == "up");
    (simulator, site, service)
}

fn works_behind(proxy: &Proxy, service: &Service) {
    assert!(said(&mut proxy.curl("/")).contains("<title>StreamPulse"));
    let body = format!(r#"{{"username":"admin","password":"{ADMIN_PASSWORD}"}}"#);
    let answer = said(proxy.curl("/api/login").args(["-i", "-H", JSON, "-d", &body]));
    let cookies: Vec<&str> = answer.lines().filter(|line| line.to_lowercase().starts_with("set-cookie:")).collect();
    assert!(!cookies.is_empty() && cookies.iter().all(|cookie| cookie.contains("; Secure")), "{answer}");

    let authorization = format!("Authorization: Bearer {}", service.token());
    let with = |path: &str| {
        let mut command = proxy.curl(path);
        command.args(["-H", &authorization]);
        command
    };
    // It knows from where it is asked; what a client says of itself counts for nothing.
    let from_elsewhere = ["--interface", "127.0.0.9", "-H", "X-Forwarded-For: 203.0.113.7"];
    let made =
        said(with("/api/tokens").args(from_elsewhere).args(["-H", JSON, "-d", r#"{"name":"afar","role":"viewer"}"#]));
    assert!(made.contains("sp_"), "{made}");
    let audit = service.json("/api/audit?limit=1");
    assert_eq!(audit["entries"][0]["address"], "127.0.0.9", "{audit}");
    // At once, though neither ever ends.
    comes(&mut with("/api/events"), b"retry:");
    comes(&mut with("/api/streams/gate/preview"), b"\xff\xd8\xff");
    // A configuration as large as there may be.
    let large = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(large.path(), vec![b'x'; 3_900_000]).expect("written");
    let refused = said(
        with("/api/config")
            .args(["-X", "PUT", "-o", "/dev/null", "-w", "%{http_code}"])
            .arg("--data-binary")
            .arg(format!("@{}", large.path().display())),
    );
    assert_ne!(refused, "413");
    for not_for_the_world in ["/metrics", "/probe?target=gate"] {
        assert_eq!(proxy.status_of(not_for_the_world), "404", "{not_for_the_world}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_for_nginx_works() {
    let (_simulator, _site, service) = service().await;
    let proxy = Proxy::nginx(&service);
    works_behind(&proxy, &service);
    let plain = format!("http://127.0.0.1:{}/streams?q=1", proxy.ports[0]);
    let moved = said(Command::new("curl").args([
        "-q",
        "--noproxy",
        "*",
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{redirect_url}",
        "-H",
        &format!("Host: {NAME}"),
        &plain,
    ]));
    assert_eq!(moved, format!("https://{NAME}/streams?q=1"));
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_for_caddy_works() {
    let (_simulator, _site, service) = service().await;
    let proxy = Proxy::caddy(&service);
    works_behind(&proxy, &service);
    assert_eq!(service.stop().0, 0);
}
