//! What is found in the end.

use std::fmt;

/// A recorded change of state.
pub struct Transition {
    pub stream: String,
    pub at_ms: i64,
    pub from: String,
    pub to: String,
    pub reason: String,
}

impl Transition {
    /// True when it says that all is well.
    pub fn is_up(&self) -> bool {
        self.to == "up"
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.at_ms).unwrap();
        write!(f, "{} {} {} → {} ({})", at.strftime("%H:%M:%S"), self.stream, self.from, self.to, self.reason)
    }
}

/// A line for each thing that must be so.
#[derive(Default)]
pub struct Findings(Vec<(String, bool, String)>);

impl Findings {
    /// What must be so, whether it is, and what was seen.
    pub fn add(&mut self, what: &str, is_so: bool, seen: impl FnOnce() -> String) {
        self.0.push((what.to_owned(), is_so, seen()));
    }

    /// True when all is as it must be.
    pub fn print(&self) -> bool {
        println!();
        for (what, is_so, seen) in &self.0 {
            println!("{:<4} {what:<38} {seen}", if *is_so { "yes" } else { "NO" });
        }
        self.0.iter().all(|(_, is_so, _)| *is_so)
    }
}
