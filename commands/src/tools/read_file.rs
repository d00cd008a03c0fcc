use super::{Answer, Call, workspace::ask};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const DESCRIPTION: &str = "Reads a text file of the workspace, each line with its number. At most 2,000 lines and \
32 KiB at a time; use offset and limit to read further.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// The file, absolute or relative to the workspace's directory.
    path: String,
    /// The first line to read, counted from 1.
    offset: Option<u64>,
    /// How many lines to read.
    limit: Option<u64>,
}

pub(super) async fn run(call: &Call, input: Input) -> Result<Answer, Answer> {
    let request = docket_wire::file::ReadFile { path: input.path, offset: input.offset, limit: input.limit };
    let content = ask(call, |daemon| {
        let request = request.clone();
        async move { daemon.read_file(&request).await }
    });
    Ok(Answer::ok(&content.await?))
}
