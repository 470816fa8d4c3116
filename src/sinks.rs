//! Where results go beside the API: whoever waits for them, without asking.
//!
//! A sink reads the status table and its own state only. Whatever becomes of it, probing and the API go on as they were.

#[cfg_attr(not(test), expect(dead_code, reason = "the publisher of the streams' topics will call it"))]
mod home_assistant;
pub mod mqtt;
