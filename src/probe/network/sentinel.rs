//! Asks the sentinel, for all who want to know at that moment, once.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use rustix::io::Errno;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::config::Sentinel;
use crate::probe::classify::End;
use crate::probe::resolve::resolve;

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A single lost packet takes a second to be sent again, so one try alone proves nothing.
const TRIES: usize = 2;

/// How long an answer holds. Short when there was none, so that cameras are believed again as soon as it is back.
const ALIVE_FOR: Duration = Duration::from_secs(2);
const DEAD_FOR: Duration = Duration::from_secs(1);

/// Addresses of one name that are asked.
const MAX_ADDRESSES: usize = 8;

/// What the sentinel says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// Anything at all, a refused connection too.
    Alive,
    /// Nothing.
    Dead,
    /// It could not be asked, for a reason that says nothing of the network.
    NotAsked(String),
}

/// The sentinel's last answer. Asking holds the lock, so whoever comes meanwhile waits for the same answer.
pub struct Watchman {
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Known>>,
}

struct Known {
    sentinel: Sentinel,
    answer: Answer,
    at: Instant,
}

impl Watchman {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Mutex::new(None) }
    }

    /// True when the sentinel was asked and nothing came back. Takes two seconds at most.
    pub async fn is_dead(&self, sentinel: &Sentinel) -> bool {
        let mut last = self.last.lock().await;
        let known = last.as_ref().filter(|known| known.sentinel == *sentinel);
        let age = |known: &Known| self.clock.monotonic().saturating_duration_since(known.at);
        if let Some(known) = known.filter(|known| age(known) < holds(&known.answer)) {
            return known.answer == Answer::Dead;
        }
        let answer = ask(sentinel).await;
        if let Answer::NotAsked(why) = &answer
            && known.is_none_or(|known| known.answer != answer)
        {
            tracing::warn!("the sentinel {sentinel} cannot be asked: {why}; check probe.sentinel");
        }
        let dead = answer == Answer::Dead;
        *last = Some(Known { sentinel: sentinel.clone(), answer, at: self.clock.monotonic() });
        dead
    }
}

fn holds(answer: &Answer) -> Duration {
    if *answer == Answer::Dead { DEAD_FOR } else { ALIVE_FOR }
}

async fn ask(sentinel: &Sentinel) -> Answer {
    for _ in 0..TRIES {
        match tokio::time::timeout(PATIENCE, once(sentinel)).await {
            Ok(Answer::Dead) | Err(_) => {}
            Ok(answer) => return answer,
        }
    }
    Answer::Dead
}

/// Asks each of its addresses at the same time.
async fn once(sentinel: &Sentinel) -> Answer {
    let (host, port) = (sentinel.host.clone(), sentinel.port);
    let deadline = Instant::now() + PATIENCE;
    let addresses = match tokio::task::spawn_blocking(move || resolve(&host, port, deadline)).await {
        Ok(Ok(addresses)) => addresses,
        // Somebody answered that there is no such name.
        Ok(Err(End::NameUnknown)) => return Answer::NotAsked("there is no such name".to_owned()),
        Ok(Err(End::Overloaded)) | Err(_) => return Answer::NotAsked("no thread is left to resolve it".to_owned()),
        Ok(Err(_)) => return Answer::Dead,
    };
    let mut asked: FuturesUnordered<_> = addresses.into_iter().take(MAX_ADDRESSES).map(connect).collect();
    let mut sum = Answer::Dead;
    while let Some(answer) = asked.next().await {
        match answer {
            Answer::Alive => return Answer::Alive,
            Answer::NotAsked(_) => sum = answer,
            Answer::Dead => {}
        }
    }
    sum
}

async fn connect(address: SocketAddr) -> Answer {
    match TcpStream::connect(address).await {
        Ok(_) => Answer::Alive,
        Err(error) => meaning(&error),
    }
}

/// What connect(2) says. A local failure (no descriptor left, forbidden by the firewall of this machine) is no silence.
fn meaning(error: &io::Error) -> Answer {
    match Errno::from_io_error(error) {
        Some(Errno::CONNREFUSED | Errno::CONNRESET | Errno::CONNABORTED) => Answer::Alive,
        Some(
            Errno::HOSTUNREACH
            | Errno::NETUNREACH
            | Errno::NETDOWN
            | Errno::HOSTDOWN
            | Errno::TIMEDOUT
            | Errno::NODEV
            | Errno::NXIO,
        ) => Answer::Dead,
        _ => Answer::NotAsked(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_not_what_this_machine_lacks() {
        for (error, answer) in [
            (Errno::CONNREFUSED, Answer::Alive),
            (Errno::CONNRESET, Answer::Alive),
            (Errno::HOSTUNREACH, Answer::Dead),
            (Errno::NETUNREACH, Answer::Dead),
            (Errno::TIMEDOUT, Answer::Dead),
        ] {
            assert_eq!(meaning(&error.into()), answer, "{error:?}");
        }
        for error in [Errno::MFILE, Errno::PERM, Errno::ADDRNOTAVAIL, Errno::INVAL] {
            assert!(matches!(meaning(&error.into()), Answer::NotAsked(_)), "{error:?}");
        }
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_asked_is_not_silent() {
        // RFC 1035 section 2.3.4: no label has 64 characters, so nobody is asked for this name.
        let sentinel = Sentinel { host: format!("{}.example", "x".repeat(64)), port: 80 };
        assert_eq!(ask(&sentinel).await, Answer::NotAsked("there is no such name".to_owned()));
        let watchman = Watchman::new(Arc::new(crate::clock::SystemClock));
        assert!(!watchman.is_dead(&sentinel).await);
    }
}
