//! Every bound that the two sides have agreed on. A request beyond one is refused, never cut silently.

/// Lines that one reading answers with, and the default of a reading that names no limit.
pub const READ_LINES: usize = 2_000;
/// Bytes of numbered lines that one reading answers with; more is an error that says how to read less.
pub const READ_BYTES: usize = 32_768;
/// A longer line is cut here, and says so.
pub const READ_LINE_BYTES: usize = 1_024;
/// A larger file is not read line by line.
pub const READ_FILE_BYTES: u64 = 1024 * 1024;

/// Content of one written file.
pub const WRITE_BYTES: usize = 8 * 1024 * 1024;
/// Edits in one request.
pub const EDITS: usize = 256;
/// Files that one request edits.
pub const EDIT_FILES: usize = 64;
/// Searched or inserted text of one edit.
pub const EDIT_TEXT_BYTES: usize = 1024 * 1024;
/// A larger file is not edited.
pub const EDIT_FILE_BYTES: u64 = 8 * 1024 * 1024;
/// Content that one request keeps in memory over all its files, before and after.
pub const EDIT_TOTAL_BYTES: usize = 64 * 1024 * 1024;
/// Unified differences in the answer, all files together; what is beyond is replaced by a note.
pub const DIFF_BYTES: usize = 64 * 1024;

/// A path, as sent.
pub const PATH_BYTES: usize = 4_096;
/// Components of a path.
pub const PATH_DEPTH: usize = 64;

/// A command line.
pub const COMMAND_BYTES: usize = 64 * 1024;
/// Additional environment variables of one command, and the bytes of all their names and values.
pub const ENV_COUNT: usize = 128;
/// See [`ENV_COUNT`].
pub const ENV_BYTES: usize = 64 * 1024;
/// An owner's opaque name.
pub const OWNER_BYTES: usize = 128;
/// How long a command is waited for when the request does not say.
pub const TIMEOUT_DEFAULT_MS: u64 = 10_000;
/// The longest that a command is waited for; a request for more is clamped.
pub const TIMEOUT_MAX_MS: u64 = 4 * 60 * 60 * 1_000;
/// The longest that one request for output is held open.
pub const WAIT_MAX_MS: u64 = 5 * 60 * 1_000;
/// Output kept from a command's beginning.
pub const OUTPUT_HEAD_BYTES: usize = 16 * 1024;
/// Output kept from a command's end.
pub const OUTPUT_TAIL_BYTES: usize = 16 * 1024;
/// Processes in a list.
pub const LISTED: usize = 10;
/// Processes that run at one time.
pub const RUNNING: usize = 64;
/// Ended processes whose output is kept.
pub const KEPT_PROCESSES: usize = 200;

/// An idempotency key: visible ASCII.
pub const KEY_BYTES: usize = 200;
/// Answers kept for a repeat.
pub const KEPT_ANSWERS: usize = 10_000;

/// The body of any request to the daemon: the largest written file, JSON-escaped, and room for the rest.
pub const REQUEST_BYTES: usize = 6 * WRITE_BYTES + 64 * 1024;
/// The body of any answer of the daemon.
pub const ANSWER_BYTES: usize = 1024 * 1024;
/// The head that follows a stream's kind.
pub const HEAD_BYTES: usize = 1_024;
/// Streams that are open on one connection at one time.
pub const STREAMS: u32 = 2_048;
/// A hello or its answer.
pub const HELLO_BYTES: usize = 4_096;
/// The body of an enrolment request or its answer.
pub const BOOTSTRAP_BYTES: usize = 8_192;
/// A one-time token, a public key, a relay token.
pub const SECRET_BYTES: usize = 512;
