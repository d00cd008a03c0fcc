use super::{Answer, Call, workspace::ask};
use docket_wire::process::ListQuery;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const DESCRIPTION: &str = "Lists the processes that were started with execute, running ones first; at most 10.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {}

pub(super) async fn run(call: &Call, _: Input) -> Result<Answer, Answer> {
    let query = ListQuery { owner: Some(call.chat.to_string()) };
    let list = ask(call, |daemon| {
        let query = query.clone();
        async move { daemon.process_list(&query).await }
    });
    Ok(Answer::ok(&list.await?))
}
