//! StreamPulse: tells the truth about a mixed fleet of IP cameras.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

pub mod backoff;
pub mod clock;
pub mod config;
pub mod health;
pub mod metrics;
pub mod model;
pub mod monitor;
pub mod probe;
pub mod schedule;
pub mod simulator;
pub mod store;
pub mod web;
