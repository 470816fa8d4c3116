//! Where results go beside the API: whoever waits for them, without asking.
//!
//! A sink reads the status table, the store and its own state only. Whatever becomes of it, probing and the API go on as
//! they were.

mod dial;
mod home_assistant;
pub mod mqtt;
pub mod notify;
mod tls;

/// The name of this machine, as far as it may stand in a topic or an address.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name: String = name.chars().filter(|c| c.is_alphanumeric() || "-_.".contains(*c)).take(64).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
