//! Which stream is due and which must wait: pure, no clock, no I/O.
