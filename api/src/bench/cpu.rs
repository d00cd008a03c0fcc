//! What the processor does.

use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Processor time that this process has used in all its threads.
pub(super) fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Always the same work on one processor: SHA-256 over 128 MiB.
pub(super) fn fixed_work() -> Duration {
    let block = vec![7_u8; 1 << 20];
    let begin = Instant::now();
    let mut hasher = Sha256::new();
    for _ in 0..128 {
        hasher.update(black_box(&block));
    }
    black_box(hasher.finalize());
    begin.elapsed()
}

/// The machine's load over the last minute, where it tells.
pub(super) fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
