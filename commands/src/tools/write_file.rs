use super::{Answer, Call, workspace::ask};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const DESCRIPTION: &str = "Writes a file of the workspace: the whole content. Missing folders are made.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// The file, absolute or relative to the workspace's directory.
    path: String,
    /// Its whole new content.
    content: String,
}

pub(super) async fn run(call: &Call, input: Input) -> Result<Answer, Answer> {
    let request = docket_wire::file::WriteFile { path: input.path, content: input.content };
    let written = ask(call, |daemon| {
        let (request, key) = (request.clone(), call.key());
        async move { daemon.write_file(&key, &request).await }
    });
    Ok(Answer::ok(&written.await?))
}
