//! The Prometheus view of the status table.
