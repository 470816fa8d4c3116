//! `streampulse setup`: what a person needs who has just installed it, or comes back after a year.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use super::machine::Machine;
use super::{EX_CONFIG, EX_NOINPUT, EX_UNAVAILABLE, complain, say, state};
use crate::config::{Config, Overrides};
use crate::model::Health;
use crate::store::{Store, StoreError, is_held};
use crate::web::initial_password;

/// How often a service that is waited for is looked for.
const AGAIN: Duration = Duration::from_millis(200);

/// Says where the dashboard is, how to sign in, and what comes next; 69 when the service does not run after this time.
pub async fn run(config_file: &Path, wait: Duration) -> u8 {
    let begun = Instant::now();
    loop {
        match look(config_file).await {
            Ok((config, known)) => {
                say(&told(config_file, &config, &Addresses::of_this_machine(), &known));
                return 0;
            }
            Err(NotYet::Wrong(message, code)) => return complain(&message, code),
            Err(_) if begun.elapsed() < wait => tokio::time::sleep(AGAIN).await,
            Err(NotYet::DoesNotRun) => {
                say(&does_not_run(config_file, Machine::this()));
                return EX_UNAVAILABLE;
            }
            Err(NotYet::Missing(message, code)) => return complain(&message, code),
        }
    }
}

/// What a service that runs has made.
#[derive(Default)]
struct Known {
    /// The first one, until it is changed.
    password: Option<String>,
    /// The state of each camera that is watched.
    states: Vec<Health>,
}

/// Why there is nothing to say.
enum NotYet {
    /// No service holds the state directory, or it has only begun.
    DoesNotRun,
    /// Something that a service makes when it starts.
    Missing(String, u8),
    /// Something that does not pass by itself.
    Wrong(String, u8),
}

async fn look(config_file: &Path) -> Result<(Config, Known), NotYet> {
    let config = match crate::config::load_with(config_file, &Overrides::from_env()) {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            return Err(match File::open(config_file) {
                Err(error) if error.kind() == ErrorKind::NotFound => NotYet::Missing(problems.to_string(), EX_CONFIG),
                Err(_) => NotYet::Wrong(problems.to_string(), EX_CONFIG),
                Ok(_) => {
                    let next = format!("correct it, then: {}", Machine::this().restart());
                    NotYet::Wrong(format!("{problems}\n  next: {next}"), EX_CONFIG)
                }
            });
        }
    };
    let state_dir = &config.storage.path;
    let failed = |error: StoreError| NotYet::Missing(state::told(&error), error.exit_code());
    let runs = || is_held(state_dir).map_err(|error| NotYet::Wrong(state::told(&error), error.exit_code()));
    if !runs()? {
        return Err(NotYet::DoesNotRun);
    }
    let store = Store::open_of_running(state_dir).await.map_err(failed)?;
    let (users, remembered) = (store.users().await, store.load_memory().await);
    store.close().await;
    // It starts, or has ended meanwhile. The first password is there before its account is.
    if users.map_err(failed)?.is_empty() || !runs()? {
        return Err(NotYet::DoesNotRun);
    }
    let password = initial_password(state_dir).map_err(|error| {
        let told = format!("{}: the first password cannot be read: {error}; run this with sudo", state_dir.display());
        NotYet::Wrong(told, EX_NOINPUT)
    })?;
    let remembered = remembered.map_err(failed)?;
    let state = |id| remembered.get(id).map_or(Health::Unknown, |one| one.state.health);
    let watched = config.streams.iter().filter(|stream| stream.enabled);
    let states = watched.map(|stream| state(&stream.id)).collect();
    Ok((config, Known { password, states }))
}

fn does_not_run(config_file: &Path, machine: Machine) -> String {
    format!(
        "StreamPulse {} does not run.\n\n  start it    {}\n  why not     {}\n  file        {}",
        env!("CARGO_PKG_VERSION"),
        machine.enable(),
        machine.log(),
        config_file.display()
    )
}

/// By which names others reach this machine.
struct Addresses {
    /// Of the interfaces that lead outside.
    of_interfaces: Vec<IpAddr>,
    /// Where the network announces it (mDNS).
    announced: Option<String>,
}

impl Addresses {
    fn of_this_machine() -> Self {
        // Nothing is sent: connecting a datagram socket only looks the route up. Addresses of documentation, RFC 5737, 3849.
        let of_route = |from: &str, to: &str| {
            let socket = UdpSocket::bind(from).ok()?;
            socket.connect(to).ok()?;
            Some(socket.local_addr().ok()?.ip())
        };
        let of_interfaces = [of_route("0.0.0.0:0", "192.0.2.1:9"), of_route("[::]:0", "[2001:db8::1]:9")];
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let is_announced = Path::new("/run/avahi-daemon/socket").exists();
        Self {
            of_interfaces: of_interfaces.into_iter().flatten().collect(),
            announced: is_announced.then(|| format!("{name}.local")),
        }
    }

    /// The dashboard's addresses, the best first.
    fn urls(&self, config: &Config) -> Vec<String> {
        let scheme = if config.web.tls.is_some() { "https" } else { "http" };
        let port = config.web.listen.port();
        let of = |ip: IpAddr| format!("{scheme}://{}/", SocketAddr::new(ip, port));
        if let Some(url) = &config.notify.dashboard_url {
            return vec![url.clone()];
        }
        let listens_at = config.web.listen.ip();
        if !listens_at.is_unspecified() {
            return vec![of(listens_at)];
        }
        let reached = self.of_interfaces.iter().filter(|ip| listens_at.is_ipv6() || ip.is_ipv4()).copied();
        let mut urls: Vec<String> = reached.map(of).collect();
        urls.extend(self.announced.iter().map(|name| format!("{scheme}://{name}:{port}/")));
        if urls.is_empty() {
            urls.push(format!("{scheme}://localhost:{port}/"));
        }
        urls
    }
}

fn told(config_file: &Path, config: &Config, addresses: &Addresses, known: &Known) -> String {
    let Known { password, states } = known;
    let urls = addresses.urls(config).join("\n              ");
    let password_line = match password {
        Some(password) => format!("{password}   (for the first sign-in: you choose your own then)"),
        None => "your own; forgotten? sudo streampulse user passwd admin".to_owned(),
    };
    let mut text = format!(
        "StreamPulse {} runs.\n\n  dashboard   {urls}\n  user        admin\n  password    {password_line}\n  cameras     {}\n  \
         file        {}\n",
        env!("CARGO_PKG_VERSION"),
        counted(states),
        config_file.display()
    );
    let mut next = Vec::new();
    if config.web.listen.ip().is_loopback() && !config.web.trusted_proxies.is_empty() {
        next.push(
            "Others reach it through your reverse proxy; notify.dashboard_url in the file is the address shown here."
                .to_owned(),
        );
    } else if config.web.listen.ip().is_loopback() {
        next.push("Only this machine reaches the dashboard; web.listen in the file changes that.".to_owned());
    }
    if password.is_some() {
        next.push("Open the dashboard, sign in, and choose your password.".to_owned());
    }
    if states.is_empty() {
        next.push("Add the first camera there; it is tried before it is saved. Or try one here:".to_owned());
        text.push_str(&list(&next));
        text.push_str("\n     streampulse probe 'rtsp://user:password@192.0.2.10:554/stream1' --snapshot gate.jpg");
        return text;
    }
    if states.contains(&Health::Down) || states.contains(&Health::Degraded) {
        next.push("Look at the cameras that are not up: each says why, and what to do.".to_owned());
    }
    text.push_str(&list(&next));
    text.trim_end().to_owned()
}

fn list(steps: &[String]) -> String {
    let lines: Vec<String> = steps.iter().enumerate().map(|(i, step)| format!("  {}. {step}", i + 1)).collect();
    if lines.is_empty() { String::new() } else { format!("\nNext\n{}", lines.join("\n")) }
}

fn counted(states: &[Health]) -> String {
    if states.is_empty() {
        return "none yet".to_owned();
    }
    let parts: Vec<String> = [Health::Up, Health::Degraded, Health::Down, Health::Unknown, Health::Maintenance]
        .into_iter()
        .map(|health| (health, states.iter().filter(|state| **state == health).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(health, count)| format!("{count} {}", health.as_str()))
        .collect();
    format!("{}: {}", states.len(), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        crate::config::parse(Path::new("config.yaml"), text.as_bytes(), &Overrides::default()).unwrap().config
    }

    fn addresses() -> Addresses {
        let of_interfaces = ["192.168.1.20", "2001:db8::20"].map(|text| text.parse().unwrap()).to_vec();
        Addresses { of_interfaces, announced: Some("pi.local".to_owned()) }
    }

    #[test]
    fn a_fresh_installation_is_led_to_its_first_camera() {
        let text = told(
            Path::new("/etc/streampulse/config.yaml"),
            &config("streams: []"),
            &addresses(),
            &Known { password: Some("k3-first".to_owned()), states: Vec::new() },
        );
        insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r"
        StreamPulse VERSION runs.

          dashboard   http://192.168.1.20:6969/
                      http://pi.local:6969/
          user        admin
          password    k3-first   (for the first sign-in: you choose your own then)
          cameras     none yet
          file        /etc/streampulse/config.yaml

        Next
          1. Open the dashboard, sign in, and choose your password.
          2. Add the first camera there; it is tried before it is saved. Or try one here:
             streampulse probe 'rtsp://user:password@192.0.2.10:554/stream1' --snapshot gate.jpg
        ");
    }

    #[test]
    fn one_that_has_run_for_long_is_counted() {
        let states = vec![Health::Up, Health::Down, Health::Up, Health::Unknown];
        let text = told(
            Path::new("/x.yaml"),
            &config("web: {listen: '127.0.0.1:80'}\nstreams: []"),
            &addresses(),
            &Known { password: None, states },
        );
        insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r"
        StreamPulse VERSION runs.

          dashboard   http://127.0.0.1:80/
          user        admin
          password    your own; forgotten? sudo streampulse user passwd admin
          cameras     4: 2 up, 1 down, 1 unknown
          file        /x.yaml

        Next
          1. Only this machine reaches the dashboard; web.listen in the file changes that.
          2. Look at the cameras that are not up: each says why, and what to do.
        ");
    }

    #[test]
    fn a_service_that_does_not_run_is_started_as_this_machine_does_it() {
        let text = |machine| does_not_run(Path::new("/x.yaml"), machine).replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(text(Machine::Systemd), @r"
        StreamPulse VERSION does not run.

          start it    sudo systemctl enable --now streampulse
          why not     journalctl -u streampulse -e
          file        /x.yaml
        ");
        insta::assert_snapshot!(text(Machine::Other), @r"
        StreamPulse VERSION does not run.

          start it    streampulse serve, or start its container
          why not     what it wrote last (docker logs, in a container)
          file        /x.yaml
        ");
    }

    #[test]
    fn addresses_are_those_that_lead_there() {
        let urls = |text: &str| addresses().urls(&config(text));
        assert_eq!(urls("streams: []"), ["http://192.168.1.20:6969/", "http://pi.local:6969/"]);
        let both = "web: {listen: '[::]:8443', tls: {cert_file: /c.pem, key_file: /k.pem}}\nstreams: []";
        assert_eq!(
            urls(both),
            ["https://192.168.1.20:8443/", "https://[2001:db8::20]:8443/", "https://pi.local:8443/"]
        );
        assert_eq!(urls("web: {listen: '192.0.2.7:80'}\nstreams: []"), ["http://192.0.2.7:80/"]);
        let behind_a_proxy =
            "web: {listen: '127.0.0.1:6969'}\nnotify: {dashboard_url: 'https://cameras.example.org/'}\nstreams: []";
        assert_eq!(urls(behind_a_proxy), ["https://cameras.example.org"]);
        let alone = Addresses { of_interfaces: Vec::new(), announced: None };
        assert_eq!(alone.urls(&config("streams: []")), ["http://localhost:6969/"]);
    }
}
