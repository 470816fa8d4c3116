//! When each stream is probed.
