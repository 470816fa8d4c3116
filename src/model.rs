//! The domain: what a stream is, what a probe found, what it means. No I/O, no clock, no other module of ours.

pub mod account;
pub mod health;
pub mod incident;
pub mod picture;
pub mod refusal;
pub mod report;
pub mod secret;
pub mod stream;
pub mod trust;
pub mod url;

pub use account::{RefreshToken, Role, User};
pub use health::{Health, HealthState, Transition};
pub use incident::Incident;
pub use picture::{PictureIssue, PictureStats, Snapshot};
pub use refusal::{CameraAccount, Refusal};
pub use report::{Codec, Heartbeat, Outcome, Phases, ProbeReport, Reason, Stage, VideoFacts};
pub use secret::{Credentials, Secret};
pub use stream::{Expect, PictureChecks, Stream, StreamId, Transport};
pub use trust::{Fingerprint, Trust};
pub use url::{CameraUrl, Scheme};
