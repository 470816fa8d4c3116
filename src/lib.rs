//! StreamPulse: does each camera deliver a picture a person could use, and if not, which layer broke and what should be
//! done about it?
//!
//! At every heartbeat it opens the camera's stream, waits for a keyframe, decodes it into a real picture, looks at it,
//! and hangs up politely. This page is the map of the code; the words are those of `docs/glossary.md`, the reasons for
//! the larger choices are in `docs/decisions/`.
//!
//! # How it is cut
//!
//! One binary, two kinds of process. The monitor (`streampulse serve`) has no GStreamer in it; probe workers, the same
//! binary started with a hidden command, have nothing else.
//!
//! ```text
//! config.yaml ─► config ──watch<Arc<Config>>──► schedule ── due streams, few per device ──┐
//!                                                                                         ▼
//!   monitor process                              probe::pool ══ socket, framed ══► probe workers (N), sandboxed:
//!                                                                                  receive → keyframe → decode → look
//!                                                     ◄══ ProbeReport + JPEG ══
//!                                                       │
//!                                                       ▼
//!                    monitor: report → health (pure) → store (commit) → status table → events
//!                                                       │                    │
//!                                              SQLite (one writer)     web, metrics, sinks
//! ```
//!
//! # The parts
//!
//! | module | what it is |
//! |---|---|
//! | [`model`] | the domain: streams, reports, reasons, health; no I/O, no clock |
//! | [`clock`], [`backoff`] | what time it is (a test seam); the one way to wait longer after each failure |
//! | [`config`] | `config.yaml`: read, validated with every problem at once, followed, edited in place |
//! | [`probe`] | the [`probe::Prober`] seam; worker processes, their protocol, the pipelines |
//! | [`schedule`] | when each stream is probed, and how few sessions a device sees |
//! | [`health`] | confirmation into states, flapping, incidents, where the time went, announced work, the report: pure |
//! | [`store`] | SQLite: one writer thread, readers beside it |
//! | [`monitor`] | the one place that orders: health, then store, then status, then events |
//! | [`preview`] | live pictures for whoever watches, beside the heartbeats of the device |
//! | [`web`], [`metrics`] | API and dashboard (its files are in `static/`, see `docs/decisions/dashboard.md`); the Prometheus view of the status table |
//! | [`sinks`] | results for whoever waits for them elsewhere: MQTT, Home Assistant, webhooks, mail |
//! | [`simulator`] | simulated cameras, healthy and broken: `streampulse demo` and the fakes of every test |
//!
//! # The rules
//!
//! 1. *Only a decoded picture is up.* An answer to DESCRIBE proves nothing, nor does a delta frame without its keyframe.
//! 2. *Never harm the camera.* Few sessions at a time, always TEARDOWN, no storm of refused passwords.
//! 3. *Camera bytes are hostile.* They are parsed only in a worker with a deadline outside it; a decoder that crashes or
//!    spins costs one probe.
//! 4. *When the monitor is at fault, say `unknown`, never `down`.*
//! 5. *Nothing recorded is lost, nothing secret leaks.* Store before publish; [`model::Secret`] prints `***`.
//!
//! A camera that is down is data ([`model::Outcome::Failed`]), never an `Err`; an `Err` is our own failure. The core is
//! pure and takes values and a time; there are two test seams, [`probe::Prober`] and [`clock::Clock`], and everything
//! else runs for real in tests. Every channel is bounded, every wait has a deadline.
//!
//! Dependencies point one way, and each outside library has one owner:
//!
//! ```text
//! model, clock, backoff ← config ← {probe, schedule, health, store} ← {monitor, preview} ← {web, metrics, sinks} ← app ← cli ← main
//! ```
//!
//! `tests/architecture.rs` reads the paths in the source and holds this; its tables are the exact form.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

pub mod app;
pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
pub mod health;
pub mod metrics;
pub mod model;
pub mod monitor;
pub mod preview;
pub mod probe;
pub mod schedule;
pub mod simulator;
pub mod sinks;
pub mod store;
pub mod web;
