//! The reference line: what a small durable write costs, and a fixed piece of work.

use super::{cpu, measured::Measured, run::Bench, samples::Samples};
use anyhow::Result;
use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

/// Of one write.
const BYTES: usize = 8 << 10;
/// What no disk can do: then the folder lies in memory.
const IN_MEMORY: f64 = 0.02;

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    let (folder, time) = (bench.scratch.folder().to_owned(), bench.time);
    let writes = tokio::task::spawn_blocking(move || write(&folder, time)).await??;
    measured.figure("fdatasync after 8 KiB more", writes.per_second, "a second");
    measured.figure("fdatasync after 8 KiB more, p50", writes.samples.median(), "ms");
    measured.figure("fdatasync after 8 KiB more, p99", writes.samples.p99(), "ms");
    if writes.samples.median() < IN_MEMORY {
        let folder = bench.scratch.folder().display();
        measured.remark(&format!(
            "{folder} seems to lie in memory, so nothing here waits for a disk; set TMPDIR to a folder on one"
        ));
    }
    let work = tokio::task::spawn_blocking(cpu::fixed_work).await?;
    measured.figure("SHA-256 of 128 MiB, on one processor", work.as_secs_f64() * 1000.0, "ms");
    Ok(())
}

#[derive(Clone, Debug)]
pub(super) struct Writes {
    pub(super) per_second: f64,
    pub(super) samples: Samples,
}

/// Appends to a file in the folder and waits for the disk each time.
pub(super) fn write(folder: &Path, time: Duration) -> Result<Writes> {
    let path = folder.join("disk");
    let mut file = File::create(&path)?;
    let (block, mut samples) = (vec![7_u8; BYTES], Samples::default());
    let begin = Instant::now();
    while begin.elapsed() < time {
        let one = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        samples.add(one.elapsed());
    }
    let per_second = samples.len() as f64 / begin.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(path)?;
    Ok(Writes { per_second, samples })
}
