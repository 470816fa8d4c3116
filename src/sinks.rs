//! Where results go beside the API: whoever waits for them, without asking.
//!
//! A sink reads the status table and its own state only. Whatever becomes of it, probing and the API go on as they were.

mod home_assistant;
pub mod mqtt;
