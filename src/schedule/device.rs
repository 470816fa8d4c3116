//! One device: its sessions and who waits for one.
