//! Whether it is this machine that has no network.
//!
//! [`NetworkWatch`] stands before another [`Prober`]. When a probe failed as it fails without a network, it looks at the
//! link to the device and asks the sentinel, and says `monitor_offline` when one of them is gone: then nobody knows how
//! the camera is. An answer of the camera, and a connection that it refuses, prove that there is a network.

mod link;
mod route;
mod sentinel;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{ProbeRequest, Probed, Prober};
use crate::clock::Clock;
use crate::config::{Config, Sentinel};
use crate::model::{ProbeReport, Reason};
use link::Links;
use sentinel::Watchman;

/// How often what is gone is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A prober that knows when the network is gone.
pub struct NetworkWatch {
    prober: Arc<dyn Prober>,
    config: watch::Receiver<Arc<Config>>,
    links: Links,
    watchman: Watchman,
    /// Everything that is gone, in the order in which it was noticed.
    gone: watch::Sender<Vec<Gone>>,
}

/// Why there is no network. `Display` is the report's detail.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Gone {
    /// This interface has no carrier.
    Link(String),
    /// It does not answer.
    Sentinel(Sentinel),
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(interface) => write!(f, "no carrier on {interface}"),
            Self::Sentinel(sentinel) => write!(f, "the sentinel {sentinel} does not answer"),
        }
    }
}

/// What is known of the network, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkState {
    /// `host:port` of the sentinel, when there is one.
    pub sentinel: Option<String>,
    /// What is gone, when something is.
    pub offline_because: Option<String>,
}

impl NetworkWatch {
    /// Stands before `prober`. The sentinel is that of the configuration in force.
    pub fn new(prober: Arc<dyn Prober>, config: watch::Receiver<Arc<Config>>, clock: Arc<dyn Clock>) -> Self {
        let (gone, _) = watch::channel(Vec::new());
        Self { prober, config, links: Links::default(), watchman: Watchman::new(clock), gone }
    }

    /// What is known at this moment. Nothing is asked: the network is looked at when a probe fails.
    pub fn state(&self) -> NetworkState {
        let because: Vec<String> = self.gone.borrow().iter().map(Gone::to_string).collect();
        NetworkState {
            sentinel: self.sentinel().map(|sentinel| sentinel.to_string()),
            offline_because: (!because.is_empty()).then(|| because.join("; ")),
        }
    }

    /// Waits for what is gone to come back, and says so in the log. Ends with `cancel`.
    pub async fn follow(&self, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.look_again()).await;
    }

    async fn look_again(&self) {
        let mut changes = self.gone.subscribe();
        loop {
            let gone = changes.borrow_and_update().clone();
            for one in &gone {
                if !self.is_still(one).await {
                    self.back(one);
                }
            }
            if gone.is_empty() {
                if changes.changed().await.is_err() {
                    return;
                }
            } else {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    async fn is_still(&self, gone: &Gone) -> bool {
        match gone {
            Gone::Link(interface) => self.links.is_dead(interface),
            // One that is not configured any more is not missed.
            Gone::Sentinel(sentinel) => {
                self.sentinel().as_ref() == Some(sentinel) && self.watchman.is_dead(sentinel).await
            }
        }
    }

    fn sentinel(&self) -> Option<Sentinel> {
        self.config.borrow().probe.sentinel.clone()
    }

    /// Why the network to this host is gone; `None` when it is not.
    async fn why_gone(&self, host: &str) -> Option<Gone> {
        if let Some(interface) = self.links.dead_on_the_way(host) {
            return Some(Gone::Link(interface));
        }
        let sentinel = self.sentinel()?;
        self.watchman.is_dead(&sentinel).await.then_some(Gone::Sentinel(sentinel))
    }

    /// Notes it, and says so once.
    fn lost(&self, what: &Gone) {
        let noticed = self.gone.send_if_modified(|gone| {
            let is_new = !gone.contains(what);
            if is_new {
                gone.push(what.clone());
            }
            is_new
        });
        if noticed {
            tracing::warn!("the network of this machine is gone: {what}; what fails now says nothing of the cameras");
        }
    }

    fn back(&self, what: &Gone) {
        self.gone.send_modify(|gone| gone.retain(|one| one != what));
        match what {
            Gone::Link(interface) => tracing::info!("the network is back: {interface} has a carrier or is not used"),
            Gone::Sentinel(sentinel) => {
                tracing::info!("the network is back: the sentinel {sentinel} answers or is not asked any more");
            }
        }
    }

    async fn judged(&self, request: ProbeRequest) -> Probed {
        let host = request.url.host().to_owned();
        let mut probed = self.prober.probe(request).await;
        if !may_be_ours(probed.report.reason()) {
            return probed;
        }
        if let Some(gone) = self.why_gone(&host).await {
            self.lost(&gone);
            let ProbeReport { latency, .. } = probed.report;
            probed.report =
                ProbeReport::failed(probed.report.stage(), Reason::MonitorOffline, gone.to_string(), latency);
        }
        probed
    }
}

impl Prober for NetworkWatch {
    fn probe(&self, request: ProbeRequest) -> Pin<Box<dyn Future<Output = Probed> + Send + '_>> {
        Box::pin(self.judged(request))
    }
}

/// What a probe may come to when the network goes before or while it runs.
fn may_be_ours(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::DnsFailed
            | Reason::Unreachable
            | Reason::ConnectTimeout
            | Reason::ResponseTimeout
            | Reason::NoData
            | Reason::NoKeyframe
            | Reason::Stalled
    )
}
