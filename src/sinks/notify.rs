//! Webhooks and mail: incidents and transitions are told to whoever the configuration names.
//!
//! Each target has a task and a cursor in the store's outbox of its own: one that hangs holds up nobody else, and what
//! could not be delivered waits. The connection is made here, stage by stage, so that what fails can be named.
//!
//! | files | what |
//! |---|---|
//! | [`told`], [`plan`] | what of the outbox a target is told; which messages that makes, or one digest (pure) |
//! | [`message`], [`facts`], [`words`] | a message, what is in it, and its texts (pure) |
//! | [`form`], [`signature`] | its form for each kind of receiver; how it is signed (pure) |
//! | [`wire`], [`http`], [`mail`] | the way there; HTTP and SMTP over it |
//! | [`failure`] | what may go wrong, in words, with the next step |
//! | [`delivery`], [`courier`] | one message to one target; the task of a target |
//! | [`notifier`], [`watchdog`] | the tasks that follow the configuration; a sign of life for somebody else |
//! | [`handle`], [`trial`] | how each target stands, for others; one message to settings that are perhaps not saved |

mod courier;
mod delivery;
mod facts;
mod failure;
mod form;
mod handle;
mod http;
mod mail;
mod message;
mod notifier;
mod plan;
mod signature;
mod told;
mod trial;
mod watchdog;
mod wire;
mod words;

pub(super) use courier::sink;
pub use handle::{NotifyHandle, TargetFigures};
pub use notifier::Notifier;
pub use trial::send_test_message;
pub use watchdog::{Doing, Watchdog};
