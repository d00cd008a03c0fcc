use super::{Answer, Call, execute::milliseconds, workspace::ask};
use docket_wire::process::OutputQuery;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const DESCRIPTION: &str = "Answers with the output of a process that runs in the background, when it has ended or \
after wait_timeout.";

const DEFAULT_WAIT_MS: u64 = 10_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    process_id: String,
    /// How long to wait for the end, for example "30s". 10 s by default; "0s" answers at once.
    wait_timeout: Option<String>,
}

pub(super) async fn run(call: &Call, input: Input) -> Result<Answer, Answer> {
    let wait = input.wait_timeout.as_deref().map(|text| milliseconds("wait_timeout", text)).transpose()?;
    let query = OutputQuery { wait_ms: Some(wait.unwrap_or(DEFAULT_WAIT_MS)), owner: Some(call.chat.to_string()) };
    let output = ask(call, |daemon| {
        let (query, id) = (query.clone(), input.process_id.clone());
        async move { daemon.process_output(&id, &query).await }
    });
    Ok(Answer::ok(&output.await?))
}
