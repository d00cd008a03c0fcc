use super::{Answer, Call, workspace::ask};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const DESCRIPTION: &str = "Replaces text in one or more files of the workspace. Either all edits are made or none. \
Each old_text has to occur exactly once in its file, unless replace_all is set; later edits see the result of earlier ones.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    edits: Vec<Edit>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// The file, absolute or relative to the workspace's directory.
    path: String,
    /// The text that is there now.
    old_text: String,
    /// The text that is to be there.
    new_text: String,
    /// Replace every occurrence.
    #[serde(default)]
    replace_all: bool,
}

pub(super) async fn run(call: &Call, input: Input) -> Result<Answer, Answer> {
    let edits = input.edits.into_iter().map(|edit| docket_wire::file::Edit {
        path: edit.path,
        old_text: edit.old_text,
        new_text: edit.new_text,
        replace_all: edit.replace_all,
    });
    let request = docket_wire::file::EditFiles { edits: edits.collect() };
    let edited = ask(call, |daemon| {
        let (request, key) = (request.clone(), call.key());
        async move { daemon.edit_files(&key, &request).await }
    });
    Ok(Answer::ok(&edited.await?))
}
