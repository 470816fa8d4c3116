//! The configuration: what `config.yaml` says, validated, with defaults filled in.
//!
//! [`load()`] reads a file and gives either a [`Config`] with warnings or every problem at once, each with its path in
//! the file and its line. [`watch()`] follows the file and keeps the last good configuration.

mod ca_file;
mod check;
pub mod edit;
mod environment;
pub mod keys;
mod link;
mod load;
mod maintenance;
mod notify;
mod problem;
mod reader;
mod recipient;
mod sections;
mod sentinel;
mod settings;
mod streams;
mod suggest;
pub mod template;
mod trial;
mod watch;
mod yaml;

pub use ca_file::read_ca_file;
pub use check::check;
pub use environment::Overrides;
pub use link::followed;
pub use load::{Loaded, load, load_with, parse};
pub use notify::{Notify, Target};
pub use problem::{Problem, Problems};
pub use recipient::{Mail, MailTls, Recipient, Template, WebAddress, Webhook};
pub use sentinel::Sentinel;
pub use settings::{Config, Device, Hardware, Metrics, Mqtt, MqttProtocol, Probe, Storage, Web, WebTls};
pub use trial::{try_mqtt, try_stream, try_target};
pub use watch::{ReloadStatus, WatchHandle, Watcher, watch};

/// The commented default file, as it is installed.
pub const DEFAULT_FILE: &str = include_str!("../config.yaml");

#[cfg(test)]
mod tests;
