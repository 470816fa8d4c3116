//! A real Mosquitto in a directory of its own, and its clients.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::certificates::Identity;
use super::service::Process;

/// Who may come in where [`Broker::start`] is given an account.
pub const USER: &str = "monitor";
pub const PASSWORD: &str = "the broker wants to hear this";

/// A broker that runs. Dropping it kills it.
pub struct Broker {
    directory: tempfile::TempDir,
    ports: Vec<u16>,
    process: Option<Process>,
}

/// Its directory before it runs, for the files that its configuration names.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Lines of a listener with this certificate.
    pub fn certificate(&self, name: &str, identity: &Identity) -> String {
        let (chain, key) = write_pair(self.0.path(), name, identity);
        format!("certfile {}\nkeyfile {}\n", chain.display(), key.display())
    }

    /// Lines that let [`USER`] in and nobody else.
    pub fn account(&self) -> String {
        let file = self.0.path().join("passwords");
        let made = Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&file).args([USER, PASSWORD]).output();
        let made = made.expect("mosquitto_passwd: make test installs it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        format!("allow_anonymous false\npassword_file {}\n", file.display())
    }
}

/// Writes certificate and key: their files.
pub fn write_pair(directory: &Path, name: &str, identity: &Identity) -> (PathBuf, PathBuf) {
    let (chain, key) = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
    std::fs::write(&chain, &identity.chain).expect("written");
    std::fs::write(&key, &identity.key).expect("written");
    (chain, key)
}

impl Broker {
    /// One that lets everybody in.
    pub fn open() -> Self {
        Self::start(Files::new(), "allow_anonymous true\n", &[""])
    }

    /// One with this configuration, and a listener for each of the further lines, on a free port.
    pub fn start(files: Files, config: &str, listeners: &[&str]) -> Self {
        let mut broker = Self { directory: files.0, ports: Vec::new(), process: None };
        loop {
            broker.ports = free_ports(listeners.len());
            // As root it would become another user, who cannot read the files.
            let mut text = format!("user root\nlog_dest stderr\nlog_type all\n{config}");
            for (port, lines) in broker.ports.iter().zip(listeners) {
                text.push_str(&format!("listener {port} 127.0.0.1\n{lines}\n"));
            }
            std::fs::write(broker.config(), text).expect("mosquitto.conf");
            if broker.begin() {
                return broker;
            }
        }
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("mosquitto.conf")
    }

    /// False when somebody else has taken a port meanwhile.
    fn begin(&mut self) -> bool {
        // Debian has it where only root's path leads.
        let debians = Path::new("/usr/sbin/mosquitto");
        let mut command = Command::new(if debians.exists() { debians } else { Path::new("mosquitto") });
        command.arg("-c").arg(self.config());
        let process = Process::spawn(command);
        let runs = process.log.find(|log| log.contains(" running").then_some(()));
        let log = process.log.text();
        assert!(runs.is_some() || log.contains("in use"), "Mosquitto does not start:\n{log}");
        self.process = Some(process);
        runs.is_some()
    }

    /// The port of a listener.
    pub fn port(&self, listener: usize) -> u16 {
        self.ports[listener]
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.process.as_ref().map(|process| process.log.text()).unwrap_or_default()
    }

    /// Waits until its log holds this text `times` times.
    pub fn wait_for_log(&self, text: &str, times: usize) {
        let process = self.process.as_ref().expect("it runs");
        let found = process.log.find(|log| (log.matches(text).count() >= times).then_some(()));
        assert!(found.is_some(), "Mosquitto ended without saying {text:?}:\n{}", self.log());
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Ends it in order: what it keeps is on its disk.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.end();
        }
    }

    /// Starts it again after [`Self::stop`].
    pub fn begin_again(&mut self) {
        assert!(self.begin(), "the port is taken");
    }

    /// A client whose subscription the broker keeps while either is away.
    pub fn subscribe_for_good(&self, topic: &str) -> Subscriber {
        let mut command = Command::new("sh");
        let port = self.port(0).to_string();
        command.args(["-c", "exec mosquitto_sub \"$@\" >&2", "sh", "-h", "127.0.0.1", "-p", &port, "-t", topic]);
        command.args(["-q", "1", "-i", "keeper", "-c", "-F", "%r %q %t %p"]);
        let subscriber = Subscriber(Process::spawn(command));
        self.wait_for_log("Sending SUBACK to keeper", 1);
        subscriber
    }

    /// Starts it again, on the same ports.
    pub fn restart(&mut self) {
        self.process = None;
        assert!(self.begin(), "the port is taken");
    }

    /// A client that has subscribed to a topic of the first listener.
    pub fn subscribe(&self, topic: &str, account: Option<(&str, &str)>) -> Subscriber {
        let mut command = Command::new("sh");
        let port = self.port(0).to_string();
        // What a `Process` keeps is standard error.
        command.args(["-c", "exec mosquitto_sub \"$@\" >&2", "sh", "-h", "127.0.0.1", "-p", &port, "-t", topic]);
        command.args(["-q", "2", "-i", "watcher", "-F", "%r %q %t %p"]);
        if let Some((user, password)) = account {
            command.args(["-u", user, "-P", password]);
        }
        let before = self.log().matches("Sending SUBACK to watcher").count();
        let subscriber = Subscriber(Process::spawn(command));
        self.wait_for_log("Sending SUBACK to watcher", before + 1);
        subscriber
    }
}

/// Ports that nobody listens at; somebody may take one meanwhile.
pub fn free_ports(count: usize) -> Vec<u16> {
    let taken: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    taken.iter().map(|listener| listener.local_addr().expect("an address").port()).collect()
}

/// A client that listens. Dropping it kills it.
pub struct Subscriber(Process);

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub retained: bool,
    pub qos: u8,
    pub topic: String,
    pub text: String,
    /// Null, where the message is no JSON.
    pub json: Value,
}

impl Subscriber {
    /// Waits for a message; all that came are looked at.
    pub fn wait_for(&self, wanted: impl Fn(&Received) -> bool) -> Received {
        let found = self.0.log.find(|text| text.lines().filter_map(received).find(&wanted));
        found.unwrap_or_else(|| panic!("mosquitto_sub ended:\n{}", self.0.log.text()))
    }

    /// Every message that came so far.
    pub fn all(&self) -> Vec<Received> {
        self.0.log.text().lines().filter_map(received).collect()
    }

    /// What came so far.
    pub fn text(&self) -> String {
        self.0.log.text()
    }
}

/// A line of `mosquitto_sub`; `None` while it is not whole.
fn received(line: &str) -> Option<Received> {
    let mut parts = line.splitn(4, ' ');
    let retained = parts.next()? == "1";
    let qos = parts.next()?.parse().ok()?;
    let topic = parts.next()?.to_owned();
    let text = parts.next()?.to_owned();
    Some(Received { retained, qos, topic, json: serde_json::from_str(&text).unwrap_or_default(), text })
}
