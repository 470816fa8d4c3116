//! The way to a host, for every sink: its addresses, and a connection to the first that answers.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::probe::classify::End;
use crate::probe::resolve::resolve;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lapse {
    /// Nothing, for too long.
    Late,
    /// There is no such name.
    NameUnknown,
    /// No name server answered, or none that works.
    NoNameServer,
    /// Nobody listens there.
    Refused,
    /// No connection, as the operating system says.
    Unreachable(String),
    /// Something of this machine's own is used up.
    Overloaded,
}

/// What blocks, in a thread that nobody waits for when it is not wanted any more.
pub(super) async fn in_a_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Lapse> {
    let (answer, answered) = oneshot::channel();
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody may wait any more.
        let _ = answer.send(work());
    });
    started.map_err(|_| Lapse::Overloaded)?;
    answered.await.map_err(|_| Lapse::Overloaded)
}

/// The addresses of a host; `thread` names who looks.
pub(super) async fn addresses(
    host: &str,
    port: u16,
    deadline: Instant,
    thread: &str,
) -> Result<Vec<SocketAddr>, Lapse> {
    let host = host.to_owned();
    let looked_up = in_a_thread(thread, move || {
        resolve(&host, port, deadline.into_std()).map_err(|end| match end {
            End::NameUnknown => Lapse::NameUnknown,
            End::NoNameServer => Lapse::NoNameServer,
            End::Connect(errno) => Lapse::Unreachable(errno.to_string()),
            End::Overloaded => Lapse::Overloaded,
            _ => Lapse::Late,
        })
    });
    timeout_at(deadline, looked_up).await.unwrap_or(Err(Lapse::Late)).flatten()
}

/// The first address that answers; each has its share of the time.
pub(super) async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Lapse> {
    let mut last = Lapse::Late;
    for (i, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = Instant::now() + left / (addresses.len() - i) as u32;
        let lapse = match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small packets that shall not wait for each other.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Lapse::Refused,
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Lapse::Late,
            Ok(Err(error)) => Lapse::Unreachable(os_text(&error)),
            Err(_) => Lapse::Late,
        };
        // A host that is there and refuses says more than an address without a way to it.
        if i == 0 || last != Lapse::Refused {
            last = lapse;
        }
    }
    Err(last)
}

/// What the operating system says, without its number.
pub(super) fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
