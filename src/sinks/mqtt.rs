//! MQTT: how every stream is, what happens to it, and the original's message go to a broker. The only place that names
//! `rumqttc`.
//!
//! Of `rumqttc` it is the codecs that are used; the connection is made here, stage by stage, so that what fails can be
//! named, and a message can be followed to its acknowledgement.
//!
//! | files | what |
//! |---|---|
//! | [`broker`] | which broker, by which of the four transports, under which name |
//! | [`dial`], [`tls`] | the way there: resolve, connect, TLS, WebSocket |
//! | [`packet`], [`wire`] | packets of both versions of MQTT, over it |
//! | [`session`], [`in_flight`] | signing in, messages and their acknowledgements, goodbye |
//! | [`failure`] | what may go wrong, in words, with the next step |
//! | [`topics`], [`payload`] | where what is published, and what it holds |
//! | [`board`] | retained topics: the newest wins |
//! | [`feed`] | events from the outbox: each arrives, in order |
//! | [`ledger`] | which topics hold something of ours, as the store knows |
//! | [`outlet`] | all of that, and Home Assistant's discovery, whichever connection carries it |
//! | [`command`] | what may be asked of us, and how often |
//! | [`publisher`], [`connected`], [`handle`] | the task that follows the configuration; while a broker has us; how it stands, for others |
//! | [`trial`], [`mod@watch`] | one message to settings that are perhaps not saved; a client that shows what arrives |

mod board;
mod broker;
mod command;
mod connected;
mod dial;
mod failure;
mod feed;
mod handle;
mod in_flight;
mod ledger;
mod outlet;
mod packet;
mod payload;
mod publisher;
mod session;
mod tls;
mod topics;
mod trial;
mod watch;
mod wire;

pub(super) use feed::SINK;
pub use handle::MqttHandle;
pub use publisher::Publisher;
pub(super) use topics::{Leaf, Topics};
pub use trial::send_test_message;
pub use watch::{Seen, WatchFailure, watch};

use std::pin::Pin;
use std::sync::Arc;

use crate::clock::Clock;
use crate::monitor::{MonitorHandle, StatusTable};
use crate::schedule::SchedulerHandle;
use crate::store::Store;

/// Something that goes on beside the connection.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is read, and asked, on behalf of a broker.
#[derive(Clone)]
pub struct Parts {
    /// How every stream is.
    pub status: StatusTable,
    /// The outbox.
    pub store: Store,
    /// Takes commands to probe.
    pub scheduler: SchedulerHandle,
    /// Takes announced work.
    pub monitor: MonitorHandle,
    /// The time of messages.
    pub clock: Arc<dyn Clock>,
}
