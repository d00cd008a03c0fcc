//! Writing to the terminal; a reader that is gone ends the program quietly, as is usual.

use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Text to standard output, at once.
pub(super) fn data(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}

/// A line to standard error.
pub(super) fn note(text: &str) {
    // Where nobody reads it, there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

pub(super) fn failure(error: &anyhow::Error) -> ExitCode {
    note(&format!("docket: {error:#}"));
    ExitCode::FAILURE
}
