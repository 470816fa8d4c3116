//! Confirmation of probe results into health: pure functions of reports and time.
