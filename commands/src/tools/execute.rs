use super::{Answer, Call, workspace::ask};
use docket_wire::process::StartProcess;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) const DESCRIPTION: &str = "Runs a command in the workspace with sh -c and waits for its end. After the time-out it \
keeps running in the background and the answer has its process_id for process_output and process_signal.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// The command line.
    command: String,
    /// How long to wait for its end, for example "30s" or "5m". 10 s by default, 4 h at most.
    timeout: Option<String>,
    /// Where to run it; the workspace's directory by default.
    workdir: Option<String>,
    /// Do not wait for its end.
    #[serde(default)]
    run_in_background: bool,
}

/// A duration as a model writes it.
pub(super) fn milliseconds(field: &str, text: &str) -> Result<u64, Answer> {
    let duration = humantime::parse_duration(text);
    let duration = duration.map_err(|error| Answer::error(format!("{field}: {text:?} is no duration: {error}.")))?;
    Ok(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

pub(super) async fn run(call: &Call, input: Input) -> Result<Answer, Answer> {
    let timeout_ms = input.timeout.as_deref().map(|text| milliseconds("timeout", text)).transpose()?;
    let request = StartProcess {
        command: input.command,
        timeout_ms,
        background: input.run_in_background,
        workdir: input.workdir,
        env: BTreeMap::new(),
        owner: Some(call.chat.to_string()),
    };
    let output = ask(call, |daemon| {
        let (request, key) = (request.clone(), call.key());
        async move { daemon.start_process(&key, &request).await }
    });
    Ok(Answer::ok(&output.await?))
}
