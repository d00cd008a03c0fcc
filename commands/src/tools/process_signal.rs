use super::{Answer, Call, workspace::ask};
use docket_wire::process::SignalProcess;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const DESCRIPTION: &str = "Sends a signal to a process that was started with execute, and to all that it started.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    process_id: String,
    signal: Signal,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Signal {
    /// SIGTERM
    Terminate,
    /// SIGKILL
    Kill,
}

pub(super) async fn run(call: &Call, input: Input) -> Result<Answer, Answer> {
    let signal = match input.signal {
        Signal::Terminate => docket_wire::process::Signal::Terminate,
        Signal::Kill => docket_wire::process::Signal::Kill,
    };
    let request = SignalProcess { signal, owner: Some(call.chat.to_string()) };
    let signalled = ask(call, |daemon| {
        let (request, key, id) = (request.clone(), call.key(), input.process_id.clone());
        async move { daemon.process_signal(&key, &id, &request).await }
    });
    Ok(Answer::ok(&signalled.await?))
}
