//! Simulated cameras, healthy and broken: `streampulse demo`, and the fakes of every test.
