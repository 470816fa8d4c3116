//! Command line to exit code, nothing else.

fn main() {}
