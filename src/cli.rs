//! The command line: what can be asked, and the exit code of each answer.

mod backup;
mod config;
mod import;
mod log;
mod machine;
mod mqtt_watch;
mod password;
mod probe;
mod restore;
mod serve;
mod setup;
mod state;
mod table;
mod token;
mod user;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::Hardware;
use crate::model::{Fingerprint, Role, Transport};
use crate::probe::pipeline;
use crate::probe::worker::{Duties, run as run_worker};

/// `sysexits.h`: the command line was wrong.
pub const EX_USAGE: u8 = 64;
/// `sysexits.h`: what was given is damaged, or is something else.
pub const EX_DATAERR: u8 = 65;
/// `sysexits.h`: what was named is not there, or cannot be read.
pub const EX_NOINPUT: u8 = 66;
/// `sysexits.h`: something that is needed is missing or in use.
pub const EX_UNAVAILABLE: u8 = 69;
/// `sysexits.h`: an error of our own.
pub const EX_SOFTWARE: u8 = 70;
/// `sysexits.h`: a file cannot be written.
pub const EX_CANTCREAT: u8 = 73;
/// `sysexits.h`: not now; the same command goes on later.
pub const EX_TEMPFAIL: u8 = 75;
/// `sysexits.h`: the configuration is wrong.
pub const EX_CONFIG: u8 = 78;

/// Where the configuration is when nothing else is said.
pub const DEFAULT_CONFIG: &str = "/etc/streampulse/config.yaml";

#[derive(Debug, Parser)]
#[command(name = "streampulse", version, about = "Tells the truth about a mixed fleet of IP cameras", long_about = None)]
struct Arguments {
    /// The configuration file [default: STREAMPULSE_CONFIG, else /etc/streampulse/config.yaml].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (the default command).
    Serve,
    /// After the installation: where the dashboard is, the password for the first sign-in, and what to do next.
    Setup {
        /// Wait this long for a service that is being started.
        #[arg(long, default_value = "0", value_name = "SECONDS")]
        wait: u16,
    },
    /// Run the whole service with simulated cameras, some of them broken, on a temporary directory.
    Demo {
        /// Where the dashboard listens.
        #[arg(long, default_value = "127.0.0.1:6969", value_name = "ADDRESS")]
        listen: std::net::SocketAddr,
        /// Only play the cameras, and print them as config.yaml has them: for another service to watch.
        #[arg(long)]
        cameras_only: bool,
    },
    /// Say what is wrong or odd in a configuration file; exit 0 when the service would take it, 78 when not.
    CheckConfig {
        /// The file [default: the one that the service would read].
        file: Option<PathBuf>,
    },
    /// Read or change the configuration file; a running service takes the change within seconds.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Probe one camera now and say what was found; exit 0 when there is a picture, 1 when there is not.
    Probe(ProbeArguments),
    /// Write the configuration, the history and the pictures of incidents into one file, also while the service runs.
    Backup(backup::BackupArguments),
    /// Put a backup in the place of what is there, which is kept aside. The service must not run meanwhile.
    Restore(restore::RestoreArguments),
    /// Take over the history of StreamPulse 2 (the Python service); again, only what is new in the file. The service must
    /// not run meanwhile.
    Import {
        /// Its database; it is only read.
        #[arg(value_name = "OLD_streams.db")]
        old: PathBuf,
    },
    /// Who may sign in; also while the service runs.
    User {
        #[command(subcommand)]
        command: user::UserCommand,
    },
    /// Keys for programs (API tokens); also while the service runs.
    Token {
        #[command(subcommand)]
        command: token::TokenCommand,
    },
    /// Show what arrives at the MQTT broker of the configuration: whether it is reached, and what this service and others send.
    MqttWatch(mqtt_watch::MqttWatchArguments),
    /// Probe cameras for a monitor (internal).
    #[command(hide = true)]
    Worker {
        /// Decoding threads.
        #[arg(long, default_value_t = 1)]
        decode_slots: usize,
        /// Open the hardware decoders, if there are any.
        #[arg(long)]
        hardware: bool,
        /// Run when nobody else wants the processor.
        #[arg(long)]
        background: bool,
        /// Only look for plugins and write the registry.
        #[arg(long)]
        warm_registry: bool,
    },
}

/// Arguments of `streampulse probe`.
#[derive(Debug, clap::Args)]
pub struct ProbeArguments {
    /// The camera's URL, or the id or name of a configured stream.
    #[arg(value_name = "URL or stream")]
    what: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the picture there, in full size.
    #[arg(long, value_name = "FILE.jpg")]
    snapshot: Option<PathBuf>,
    /// Deadline, for example 10s or 500ms.
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    timeout: Option<Duration>,
    /// RTP transport.
    #[arg(long, value_enum)]
    transport: Option<TransportArgument>,
    /// Hardware decoders: where they work, never, or nothing else [default: probe.hardware of a configured stream, else auto].
    #[arg(long, value_parser = parse_hardware, value_name = "auto|off|required")]
    hardware: Option<Hardware>,
    /// Say which decoders there are, and why one is not used; and of a probe that failed, what was asked and answered.
    #[arg(long, short)]
    verbose: bool,
    /// Ask the camera also while the service leaves it alone because it refused the password.
    #[arg(long)]
    force: bool,
    /// Trust the certificate authorities in this file beside the system's.
    #[arg(long, value_name = "FILE.pem")]
    ca_file: Option<PathBuf>,
    /// Take only the certificate with this fingerprint (SHA-256).
    #[arg(long, value_parser = parse_fingerprint, value_name = "SHA256")]
    tls_fingerprint: Option<Fingerprint>,
    /// Take any certificate.
    #[arg(long, conflicts_with = "tls_fingerprint")]
    insecure: bool,
}

fn parse_fingerprint(text: &str) -> Result<Fingerprint, String> {
    Fingerprint::parse(text).ok_or_else(|| "not 64 hexadecimal digits; colons may stand between them".to_owned())
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TransportArgument {
    Auto,
    Tcp,
    Udp,
}

impl From<TransportArgument> for Transport {
    fn from(argument: TransportArgument) -> Self {
        match argument {
            TransportArgument::Auto => Self::Auto,
            TransportArgument::Tcp => Self::Tcp,
            TransportArgument::Udp => Self::Udp,
        }
    }
}

fn parse_hardware(text: &str) -> Result<Hardware, String> {
    Hardware::parse(text).ok_or_else(|| format!("{text:?} is not one of {}", Hardware::NAMES.join(", ")))
}

fn parse_role(text: &str) -> Result<Role, String> {
    let names = Role::ALL.map(Role::as_str).join(", ");
    Role::parse(text).ok_or_else(|| format!("{text:?} is not one of {names}"))
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a time; write it as 10s or 500ms"))?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1000.0,
        "m" | "min" => number * 60.0,
        _ => return Err(format!("{unit:?} is not a unit of time; use ms, s or min")),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if (0.1..=300.0).contains(&seconds) => Ok(time),
        _ => Err(format!("{text:?} is out of range; use 100ms to 5min")),
    }
}

/// The commands and their arguments, for manual pages and completions.
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs what the command line asks and gives the exit code.
pub fn run() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { EX_USAGE } else { 0 };
        }
    };
    let config = arguments
        .config
        .or_else(|| crate::config::Overrides::from_env().config_path)
        .unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
    // The monitor holds every camera's password. A worker does the same when the monitor has opened its figures.
    if !matches!(arguments.command, Some(Command::Worker { .. }))
        && let Err(error) = crate::probe::sandbox::hide_memory()
    {
        return complain(&format!("cannot keep other processes out of the memory: {error}"), EX_SOFTWARE);
    }
    match arguments.command {
        None | Some(Command::Serve) => {
            log::to_stderr();
            with_runtime(serve::serve(&config))
        }
        Some(Command::Demo { cameras_only: true, .. }) => with_runtime(serve::cameras()),
        Some(Command::Demo { listen, .. }) => {
            log::to_stderr();
            with_runtime(serve::demo(listen))
        }
        Some(Command::CheckConfig { file }) => serve::check_config(&file.unwrap_or(config)),
        Some(Command::Config(command)) => config::run(&config, &command),
        Some(Command::Worker { warm_registry: true, .. }) => worker(pipeline::init()),
        Some(Command::Worker { decode_slots, hardware, background, .. }) => {
            worker(run_worker(Duties { decode_slots, with_hardware: hardware, in_background: background }))
        }
        Some(Command::Setup { wait }) => with_runtime(setup::run(&config, Duration::from_secs(wait.into()))),
        Some(Command::Backup(arguments)) => backup::run(&config, &arguments),
        Some(Command::Restore(arguments)) => with_runtime(restore::run(&config, &arguments)),
        Some(Command::User { command }) => with_runtime(user::run(&config, command)),
        Some(Command::Token { command }) => with_runtime(token::run(&config, command)),
        Some(Command::Import { old }) => with_runtime(import::run(&config, &old)),
        Some(Command::MqttWatch(arguments)) => with_runtime(mqtt_watch::run(&config, arguments)),
        Some(Command::Probe(probe_arguments)) => with_runtime(probe::run(&config, probe_arguments)),
    }
}

fn worker(done: anyhow::Result<()>) -> u8 {
    if done.is_ok() { 0 } else { EX_SOFTWARE }
}

fn with_runtime(command: impl Future<Output = u8>) -> u8 {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(command);
            // Nothing that is still running may keep the process from ending.
            runtime.shutdown_timeout(Duration::from_millis(200));
            code
        }
        Err(error) => complain(&format!("cannot start the runtime: {error}"), EX_UNAVAILABLE),
    }
}

/// One line on standard error.
#[allow(clippy::print_stderr, reason = "this is the command line's own output")]
fn complain(message: &str, code: u8) -> u8 {
    eprintln!("streampulse: {message}");
    code
}

/// One line on standard output; a closed pipe is no reason to panic.
fn say(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{text}");
}
