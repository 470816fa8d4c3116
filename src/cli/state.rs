//! The database for a command that changes a row or two, also while the service runs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{EX_CANTCREAT, EX_CONFIG, complain};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Overrides;
use crate::store::{AuditEntry, Store, StoreError, give_to_owner};

/// An opened database and where it lies.
pub struct State {
    pub store: Store,
    pub directory: PathBuf,
}

/// An exit code; what is wrong has been said.
pub type Exit = u8;

impl State {
    /// Opens what the configuration names.
    pub async fn open(config_file: &Path) -> Result<Self, Exit> {
        let loaded = crate::config::load_with(config_file, &Overrides::from_env());
        let directory = match loaded {
            Ok(loaded) => loaded.config.storage.path,
            Err(problems) => return Err(complain(&problems.to_string(), EX_CONFIG)),
        };
        match Store::open_beside(&directory).await {
            Ok(store) => {
                let state = Self { store, directory };
                // Now, not only at the end: a command that is killed must not leave the service files that it cannot write.
                state.give_to_owner()?;
                Ok(state)
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// Takes down what was changed.
    pub async fn audit(&self, action: &str, target: &str, details: Value) {
        let entry = AuditEntry {
            id: 0,
            at: SystemClock.now(),
            by: who(),
            address: None,
            action: action.to_owned(),
            target: target.to_owned(),
            details,
        };
        if let Err(error) = self.store.audit(entry).await {
            complain(&format!("it is done, but not in the audit log: {error}"), 0);
        }
    }

    /// Commits, and gives what was made to whom the directory belongs.
    pub async fn close(self) -> Result<(), Exit> {
        let directory = self.directory;
        self.store.close().await;
        owner(&directory)
    }

    fn give_to_owner(&self) -> Result<(), Exit> {
        owner(&self.directory)
    }
}

fn owner(directory: &Path) -> Result<(), Exit> {
    give_to_owner(directory).map_err(|error| {
        let message = format!(
            "{0}: cannot give the files to whom the directory belongs ({error}); do it with chown -R streampulse: {0}",
            directory.display()
        );
        complain(&message, EX_CANTCREAT)
    })
}

/// Says why the database does not do it.
pub fn failed(error: &StoreError) -> Exit {
    complain(&told(error), error.exit_code())
}

/// Why the database does not do it, for a person who may have forgotten to be root.
pub fn told(error: &StoreError) -> String {
    match error {
        StoreError::CannotWrite { .. } if !rustix::process::geteuid().is_root() => {
            format!("{error}; or run this with sudo")
        }
        _ => error.to_string(),
    }
}

/// For the audit log: who typed the command.
pub fn who() -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = name.filter(|name| !name.is_empty());
    format!("command line ({})", name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw())))
}
