//! What a test did, so that one that did next to nothing fails.

use std::{fmt::Display, io::Write};

/// Says how many faults were injected and how many events were compared, and fails when either is below its floor.
pub fn tally(test: &str, faults: (usize, usize), events: (usize, usize), more: impl Display) {
    // Not by `println`, which the test harness keeps to itself when a test passes.
    let line = format!("\n{test}: {} faults injected, {} events compared; {more}\n", faults.0, events.0);
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(faults.0 >= faults.1, "{} faults, and {} would be enough", faults.0, faults.1);
    assert!(events.0 >= events.1, "{} events, and {} would be enough", events.0, events.1);
}
