//! The web server: dashboard, API, `/metrics`. The only place that names `warp` and `hyper`.
//!
//! | files | what |
//! |---|---|
//! | [`accept`], [`tls`], [`headers`] | connections, bounded; certificates; what every answer has |
//! | [`call`], [`errors`], [`view`], [`csv_rows`], [`openapi`] | a request taken apart; answers; who sees what of a stream; the description of all addresses |
//! | [`auth`] | who is calling; with [`tokens`] and [`key_ring`] (JWT), [`passwords`], [`slowdown`], [`links`] |
//! | [`session`], [`users`], [`api_tokens`], [`audit`] | signing in, accounts, keys for programs, who changed what |
//! | [`streams`], [`status`], [`history`], [`latency`], [`availability`], [`incidents`], [`maintenance`], [`reports`], [`export`] | what is known, and asked to be done |
//! | [`snapshot`], [`preview`], [`trial`] | pictures: the last one, live ones, one of a camera before it is saved |
//! | [`config`], [`stream_edit`] | changes of `config.yaml`, both by [`config_edit`] |
//! | [`mqtt_test`], [`notify_test`] | a message to a broker or a target before its settings are saved |
//! | [`events`] | with [`event_log`] and [`listeners`] |
//! | [`service`], [`prometheus`], [`originals`], [`assets`] | supervisors, Prometheus, scripts of the original, the dashboard's files |
//!
//! A new group of addresses is a file with `routes`, an entry in `routes` below, and a description in `openapi/`; a test
//! misses what is forgotten. A route never rejects once its path and method fit: what goes wrong inside is an
//! [`errors::ApiError`], which is an answer like any other.

mod accept;
mod api_tokens;
mod assets;
mod audit;
mod auth;
mod availability;
mod call;
mod config;
mod config_edit;
mod csv_rows;
mod errors;
mod event_log;
mod events;
mod export;
mod headers;
mod history;
mod incidents;
mod key_ring;
mod latency;
mod links;
mod listeners;
mod maintenance;
mod mqtt_test;
mod notify_test;
mod openapi;
mod originals;
mod passwords;
mod preview;
mod prometheus;
mod reports;
mod service;
mod session;
mod slowdown;
mod snapshot;
mod status;
mod stream_edit;
mod streams;
mod tls;
mod tokens;
mod trial;
mod users;
mod view;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

pub use accept::bind;
pub use errors::WebError;
pub use passwords::{
    FIRST_USER, FirstPassword, MIN_PASSWORD_CHARS, Passwords, check_new_password, ensure_first_account,
    ensure_first_account_from, generate as generate_password, initial_password, remove_initial_password,
};
pub use tls::{Tls, TlsError};
pub use tokens::{Keys, new_api_token};

use crate::clock::Clock;
use crate::config::{Config, Mqtt, Target, WatchHandle};
use crate::model::StreamId;
use crate::monitor::{MonitorHandle, StatusTable};
use crate::preview::Previews;
use crate::probe::Prober;
use crate::schedule::SchedulerHandle;
use crate::store::Store;

/// Sends a test message to the broker of these settings, and gives what there is to say of it.
pub type MqttTest = Arc<dyn Fn(Mqtt) -> Pin<Box<dyn Future<Output = Value> + Send>> + Send + Sync>;

/// Sends a test message to this target, and gives what there is to say of it.
pub type NotifyTest = Arc<dyn Fn(Target) -> Pin<Box<dyn Future<Output = Value> + Send>> + Send + Sync>;

/// What the web server shows and does, and where it gets it from.
#[derive(Clone)]
pub struct WebParts {
    /// What is known of every stream.
    pub status: StatusTable,
    /// History and accounts.
    pub store: Store,
    /// Takes new reference pictures.
    pub monitor: MonitorHandle,
    /// Probe now, and sessions of devices.
    pub scheduler: SchedulerHandle,
    /// Tries cameras that are not configured.
    pub prober: Arc<dyn Prober>,
    /// Live pictures.
    pub previews: Previews,
    /// What time it is: tokens expire by it.
    pub clock: Arc<dyn Clock>,
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// The file that it comes from.
    pub config_file: WatchHandle,
    /// Writes `/metrics` in the text format; called on a blocking thread.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// `Err` with the reason while the service cannot do its work.
    pub readiness: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// More keys for `/api/health`: workers, scheduler, the last reload. No URL and no secret in it.
    pub facts: Arc<dyn Fn() -> Map<String, Value> + Send + Sync>,
    /// Tries settings for MQTT.
    pub mqtt_test: MqttTest,
    /// Tries a target of messages.
    pub notify_test: NotifyTest,
    /// The state directory, where the first password lies until it is changed.
    pub state_dir: PathBuf,
    /// Certificate and key; `None`: plain HTTP is served.
    pub tls: Option<Tls>,
}

/// The parts and what the web server itself keeps.
pub(crate) struct Web {
    parts: WebParts,
    keys: key_ring::KeyRing,
    passwords: Passwords,
    sessions: auth::Sessions,
    slowdown: slowdown::Slowdown,
    started_at: Timestamp,
    places: accept::Places,
    rendered: status::Rendered,
    /// Places for listeners of `/api/events`; none left: 503.
    event_log: event_log::EventLog,
    listeners: listeners::Listeners,
    /// Places for exports.
    exports: Arc<Semaphore>,
    /// Places for tests of MQTT.
    mqtt_tests: Semaphore,
    /// Places for tests of targets.
    notify_tests: Semaphore,
    /// One change of the configuration after the other, each until it is in use.
    config_edits: Mutex<()>,
    cancel: CancellationToken,
}

impl Web {
    /// Until when a stream is not asked, because its device refused the password.
    fn paused_until(&self, stream: &StreamId) -> Option<Timestamp> {
        self.parts.scheduler.paused_until(stream, self.parts.clock.now())
    }
}

/// Serves on `listener` until `cancel`; then requests in flight get at most two seconds.
///
/// # Errors
/// At once when the signing key cannot be read or made.
pub async fn serve(listener: TcpListener, parts: WebParts, cancel: CancellationToken) -> Result<(), WebError> {
    let keys = key_ring::KeyRing::open(&parts.state_dir)?;
    let started_at = parts.clock.now();
    let web = Arc::new(Web {
        parts,
        keys,
        passwords: Passwords::default(),
        sessions: auth::Sessions::default(),
        slowdown: slowdown::Slowdown::default(),
        started_at,
        places: accept::Places::default(),
        event_log: event_log::EventLog::new(started_at),
        rendered: status::Rendered::default(),
        listeners: listeners::Listeners::default(),
        exports: Arc::new(Semaphore::new(export::MAX_EXPORTS)),
        mqtt_tests: Semaphore::new(mqtt_test::MAX_TESTS),
        notify_tests: Semaphore::new(notify_test::MAX_TESTS),
        config_edits: Mutex::new(()),
        cancel: cancel.clone(),
    });
    let routes = routes(&web).recover(errors::recover).unify().boxed();
    let (places, tls, config) = (web.places.clone(), web.parts.tls.clone(), web.parts.config.clone());
    let (followed, clock) = (tls.clone(), web.parts.clock.clone());
    let doors = accept::Doors { places, tls, config };
    let certificates = async {
        if let Some(tls) = followed {
            tls.follow(clock, cancel.clone()).await;
        }
    };
    // From before the first connection on, so that none misses an event.
    let numbering = web.event_log.follow(web.parts.status.subscribe(), cancel.clone());
    let serving = accept::serve_connections(listener, warp::service(routes), doors, cancel.clone());
    tokio::join!(serving, certificates, numbering);
    Ok(())
}

fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    session::routes(web)
        .or(users::routes(web))
        .unify()
        .or(api_tokens::routes(web))
        .unify()
        .or(audit::routes(web))
        .unify()
        .or(streams::routes(web))
        .unify()
        .or(stream_edit::routes(web))
        .unify()
        .or(config::routes(web))
        .unify()
        .or(trial::routes(web))
        .unify()
        .or(mqtt_test::routes(web))
        .unify()
        .or(notify_test::routes(web))
        .unify()
        .or(snapshot::routes(web))
        .unify()
        .or(preview::routes(web))
        .unify()
        .or(history::routes(web))
        .unify()
        .or(latency::routes(web))
        .unify()
        .or(availability::routes(web))
        .unify()
        .or(incidents::routes(web))
        .unify()
        .or(reports::routes(web))
        .unify()
        .or(links::routes(web))
        .unify()
        .or(maintenance::routes(web))
        .unify()
        .or(status::routes(web))
        .unify()
        .or(events::routes(web))
        .unify()
        .or(export::routes(web))
        .unify()
        .or(openapi::routes(web))
        .unify()
        .or(originals::routes(web))
        .unify()
        .or(prometheus::routes(web))
        .unify()
        .or(service::routes(web))
        .unify()
        .or(assets::routes(web))
        .unify()
        .boxed()
}
