//! The domain: what a stream is, what a probe found, what it means. No I/O, no clock, no other module of ours.

pub mod account;
pub mod checks;
pub mod health;
pub mod incident;
pub mod latency;
pub mod look;
pub mod maintenance;
pub mod month;
pub mod notice;
pub mod picture;
pub mod refusal;
pub mod report;
pub mod secret;
pub mod span;
pub mod stage;
pub mod stream;
pub mod trust;
pub mod url;

pub use account::{ApiToken, RefreshToken, Role, User, check_account_name};
pub use checks::PictureChecks;
pub use health::{Flap, Health, HealthState, Transition, Verdict};
pub use incident::{Acknowledgement, Cause, Incident, Member};
pub use latency::{LATENCY_BOUNDS, LATENCY_BUCKETS, latency_bucket};
pub use look::{Light, Look, StreamClock};
pub use maintenance::{Scope, Weekdays, When, Window};
pub use month::Month;
pub use notice::Notice;
pub use picture::{PictureIssue, PictureStats, Snapshot};
pub use refusal::{CameraAccount, Refusal};
pub use report::{Codec, Heartbeat, Outcome, ProbeReport, Reason, VideoFacts};
pub use secret::{Credentials, Secret};
pub use span::{Span, StateTimes};
pub use stage::{Phases, Stage};
pub use stream::{Expect, Stream, StreamId, Transport};
pub use trust::{Fingerprint, Trust};
pub use url::{CameraUrl, Scheme};
