//! `streampulse serve`, `streampulse demo`, `streampulse check-config`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use super::{EX_CANTCREAT, EX_CONFIG, EX_SOFTWARE, complain, say};
use crate::app::{self, Running};
use crate::config::{self, Overrides};
use crate::simulator::demo::{config_text, demo_fleet};
use crate::simulator::{Simulator, SimulatorOptions};
use crate::web::Tls;

/// Runs the service.
pub async fn serve(config_file: &Path) -> u8 {
    match app::serve(config_file, Overrides::from_env(), |_| {}).await {
        Ok(()) => 0,
        Err(failure) => complain(&failure.message, failure.code),
    }
}

/// Says what is wrong or odd in a configuration file.
pub fn check_config(config_file: &Path) -> u8 {
    let (report, ok) = config::check(config_file, &Overrides::from_env(), |config| {
        let files = config.web.tls.as_ref().filter(|files| !is_for_the_service_alone(&files.key_file));
        files.map_or(Ok(()), |files| Tls::check(files).map_err(|error| error.to_string()))
    });
    say(report.trim_end());
    if ok { 0 } else { EX_CONFIG }
}

/// What LoadCredential= gives to the service nobody else sees, `systemctl reload` included (systemd.exec(5)).
fn is_for_the_service_alone(file: &Path) -> bool {
    file.starts_with("/run/credentials") && std::env::var_os("CREDENTIALS_DIRECTORY").is_none() && !file.exists()
}

/// Simulated cameras, some of them broken, and the whole service on a temporary directory.
pub async fn demo(listen: SocketAddr) -> u8 {
    let directory = match TemporaryDirectory::new() {
        Ok(directory) => directory,
        Err(error) => return complain(&format!("cannot make a temporary directory: {error}"), EX_CANTCREAT),
    };
    let simulator = match Simulator::start(SimulatorOptions::new(demo_fleet())).await {
        Ok(simulator) => simulator,
        Err(error) => return complain(&format!("cannot start the simulated cameras: {error}"), EX_SOFTWARE),
    };
    let config_file = directory.0.join("config.yaml");
    let text = format!(
        "# Written by `streampulse demo`; gone when it ends.\nheartbeat_seconds: 6\nprobe: {{timeout_seconds: 5}}\n{}",
        config_text(&simulator)
    );
    if let Err(error) = write_private(&config_file, &text) {
        return complain(&format!("cannot write {}: {error}", config_file.display()), EX_CANTCREAT);
    }
    let overrides =
        Overrides { state_dir: Some(directory.0.join("state")), listen: Some(listen), ..Overrides::default() };
    let cameras = simulator.names().len();
    match app::serve(&config_file, overrides, |running| say(&welcome(running, cameras, &config_file))).await {
        Ok(()) => 0,
        Err(failure) => complain(&failure.message, failure.code),
    }
}

/// The simulated cameras of the demo without a service, until somebody ends them.
pub async fn cameras() -> u8 {
    let simulator = match Simulator::start(SimulatorOptions::new(demo_fleet())).await {
        Ok(simulator) => simulator,
        Err(error) => return complain(&format!("cannot start the simulated cameras: {error}"), EX_SOFTWARE),
    };
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => return complain(&error.to_string(), EX_SOFTWARE),
    };
    say(config_text(&simulator).trim_end());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    0
}

fn welcome(running: &Running, cameras: usize, config_file: &Path) -> String {
    let password = running.first_password.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    let password = match &password {
        Some(password) => format!("{}   (once: you choose your own at the first sign-in)", password.trim()),
        None => "as preset by STREAMPULSE_ADMIN_PASSWORD_FILE".to_owned(),
    };
    let host =
        if running.address.ip().is_unspecified() { "localhost".to_owned() } else { running.address.ip().to_string() };
    let elsewhere = if running.address.ip().is_loopback() {
        "\n\n  From another machine: make demo ARGS=\"--listen 0.0.0.0:6969\", then http://<this machine>:6969/"
    } else {
        ""
    };
    format!(
        "\n  StreamPulse watches {cameras} simulated cameras, some of them broken.\n\n    dashboard   http://{host}:{}/\n    \
         user        admin\n    password    {password}{elsewhere}\n\n  \
         The configuration is {}: change it and watch. Ctrl+C ends the demo and removes it.\n",
        running.address.port(),
        config_file.display(),
    )
}

fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}

/// Removed with everything in it when the demo ends.
struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    fn new() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let number = getrandom::u64().map_err(std::io::Error::other)?;
        let path = std::env::temp_dir().join(format!("streampulse-demo-{number:016x}"));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
