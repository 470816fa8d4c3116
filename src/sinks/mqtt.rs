//! MQTT: the status of all streams goes to a broker. The only place that names `rumqttc`.
//!
//! Of `rumqttc` it is the codec and the protocol's state that are used; the connection is made here, stage by stage, so
//! that what fails can be named, and a message can be followed to its acknowledgement.
//!
//! | files | what |
//! |---|---|
//! | [`broker`] | which broker, by which of the four transports, under which name |
//! | [`dial`], [`tls`] | the way there: resolve, connect, TLS, WebSocket |
//! | [`wire`], [`session`] | packets over it; signing in, messages and their acknowledgements, goodbye |
//! | [`failure`] | what may go wrong, in words, with the next step |
//! | [`topics`] | the names of topics |
//! | [`publisher`], [`handle`] | the task that follows the configuration; how it stands, for others |
//! | [`trial`] | one message to settings that are perhaps not saved |

mod broker;
mod dial;
mod failure;
mod handle;
mod publisher;
mod session;
mod tls;
#[expect(dead_code, reason = "the publisher of the streams' topics will call it")]
mod topics;
mod trial;
mod wire;

pub use handle::MqttHandle;
pub use publisher::Publisher;
pub(in crate::sinks) use topics::{Leaf, Topics};
pub use trial::send_test_message;
