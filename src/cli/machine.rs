//! How the service is started, stopped and read on this machine: by systemd, or as in a container.

use std::path::Path;

/// What starts services here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// systemd (sd_booted(3)).
    Systemd,
    /// Something else: a container's engine, a hand.
    Other,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        if Path::new("/run/systemd/system").is_dir() { Self::Systemd } else { Self::Other }
    }

    /// How the service starts, now and at each boot.
    pub fn enable(self) -> &'static str {
        match self {
            Self::Systemd => "sudo systemctl enable --now streampulse",
            Self::Other => "streampulse serve, or start its container",
        }
    }

    /// How it starts.
    pub fn start(self) -> &'static str {
        match self {
            Self::Systemd => "sudo systemctl start streampulse",
            Self::Other => "start the service (streampulse serve, or its container)",
        }
    }

    /// How it stops.
    pub fn stop(self) -> &'static str {
        match self {
            Self::Systemd => "sudo systemctl stop streampulse",
            Self::Other => "with SIGTERM, or its container",
        }
    }

    /// How it starts with what was corrected.
    pub fn restart(self) -> &'static str {
        match self {
            Self::Systemd => "sudo systemctl restart streampulse",
            Self::Other => "start the service again",
        }
    }

    /// Where it says what is wrong.
    pub fn log(self) -> &'static str {
        match self {
            Self::Systemd => "journalctl -u streampulse -e",
            Self::Other => "what it wrote last (docker logs, in a container)",
        }
    }
}
