//! The guided task: each answer follows from the last tool call of the turn and its result.

use super::action::Action;
use docket_domain::conversation::{ToolCall, ToolDefinition, ToolOutcome, ToolOutput, ToolResult};
use serde_json::{Value, json};

/// A call of this turn, with its result.
pub(super) type Done<'a> = (&'a ToolCall, Option<&'a ToolResult>);

/// Milliseconds between deltas, so that a person sees it stream.
const PACE_MS: u64 = 15;
const FILE: &str = "hello-docket.sh";
const SCRIPT: &str = "#!/bin/sh\n# Written by Docket's scripted model.\necho \"Hello from a workspace of Docket.\"\n\
                      echo \"I am $(id -un 2>/dev/null || echo somebody) in $(pwd), on $(uname -s).\"\n";
/// How much of an output is quoted, in characters.
const QUOTED: usize = 600;

/// What to do next. `done`: the calls since the prompt, in order.
pub(super) fn next(prompt: &str, tools: &[ToolDefinition], done: &[Done<'_>]) -> Vec<Action> {
    let mut actions = vec![Action::Pace(PACE_MS)];
    actions.extend(decide(prompt, tools, done).unwrap_or_else(|stop| vec![Action::say(stop)]));
    actions
}

/// `Err`: why it ends here, for the person who reads it.
fn decide(prompt: &str, tools: &[ToolDefinition], done: &[Done<'_>]) -> Result<Vec<Action>, String> {
    let offered = |name: &str| tools.iter().any(|tool| tool.name == name);
    let Some((call, result)) = done.last().copied() else {
        let intro = Action::say(format!(
            "You wrote: “{}”\n\nI am the built-in scripted model: no network, no key, and no thoughts of my own. I show you one \
             whole round with real tools: I make a workspace, write a small script there, run it and read it back. ",
            quote(prompt)
        ));
        let plan = Action::Think("First I need to know which templates there are; then I can create a workspace.".to_owned());
        // A sub-agent shares a workspace that is already there, and has no tool to make one.
        let first = if !offered("list_templates") && !offered("create_workspace") && offered("write_file") {
            write(FILE)
        } else {
            step(tools, "list_templates", &json!({}), "I begin with the list of templates.")?
        };
        return Ok([plan, intro].into_iter().chain(first).collect());
    };
    let output = text(call, result)?;
    let answer: Value = serde_json::from_str(output).unwrap_or_default();
    match call.name.as_str() {
        "list_templates" => {
            let id = template(&answer).ok_or("There is no template to make a workspace from, so I stop here.")?;
            step(tools, "create_workspace", &json!({"template_id": id}), "I take the first template and create a workspace.")
        }
        "create_workspace" => {
            let folder = ["/directory", "/workspace/directory", "/workdir"].iter().find_map(|at| answer.pointer(at)?.as_str());
            let path = folder.map_or_else(|| FILE.to_owned(), |folder| format!("{}/{FILE}", folder.trim_end_matches('/')));
            if offered("write_file") { Ok(write(&path)) } else { Err(missing("write_file")) }
        }
        "write_file" => {
            let command = format!("sh '{}'", path(call).replace('\'', "'\\''"));
            step(tools, "execute", &json!({"command": command}), "The script is there. Now I run it.")
        }
        "execute" => {
            let written = done.iter().rev().find(|(call, _)| call.name == "write_file");
            let path = written.map_or_else(|| FILE.to_owned(), |(call, _)| path(call));
            step(tools, "read_file", &json!({"path": path}), "It ran. Last, I read the file back.")
        }
        _ => {
            let run = done.iter().rev().find(|(call, _)| call.name == "execute");
            let printed = run.map(|(call, result)| text(call, *result)).transpose()?.unwrap_or_default();
            let printed = serde_json::from_str::<Value>(printed).ok().and_then(|answer| {
                ["/output", "/stdout"]
                    .iter()
                    .find_map(|at| Some(answer.pointer(at)?.as_str()?.to_owned()))
                    .filter(|text| !text.is_empty())
            });
            let printed = printed.unwrap_or_else(|| "(it printed nothing that I can read)".to_owned());
            Ok(vec![Action::say(format!(
                "Done. You asked: “{}”\n\nThe script in the workspace printed:\n\n```\n{}\n```\n\nEvery word of this, each tool \
                 call and each result is an event in Docket's log. Set ANTHROPIC_API_KEY, or OPENAI_BASE_URL for any \
                 compatible server, and a real model takes my place.",
                quote(prompt),
                quote(printed.trim_end())
            ))])
        }
    }
}

fn step(tools: &[ToolDefinition], tool: &str, input: &Value, why: &str) -> Result<Vec<Action>, String> {
    if tools.iter().any(|offered| offered.name == tool) {
        Ok(vec![Action::say(why), Action::call(tool, input)])
    } else {
        Err(missing(tool))
    }
}

fn write(path: &str) -> Vec<Action> {
    vec![Action::say("I write a small script."), Action::call("write_file", &json!({"path": path, "content": SCRIPT}))]
}

fn missing(tool: &str) -> String {
    format!("The next step needs the tool {tool}, which I am not offered here, so I stop.")
}

/// The output of a call that went well.
fn text<'a>(call: &ToolCall, result: Option<&'a ToolResult>) -> Result<&'a str, String> {
    let Some(result) = result else { return Err(format!("{} has no result, so I stop here.", call.name)) };
    let text = match &result.output {
        ToolOutput::Inline { text } => text.as_str(),
        ToolOutput::Blob { .. } => "",
    };
    match result.outcome {
        ToolOutcome::Ok => Ok(text),
        outcome => Err(format!("{} did not succeed ({outcome}): {}\n\nI stop here.", call.name, quote(text))),
    }
}

fn template(answer: &Value) -> Option<Value> {
    let id =
        ["/recommended_template_id", "/templates/0/id", "/templates/0/template_id", "/items/0/id", "/0/id", "/0/template_id"];
    id.iter().find_map(|at| answer.pointer(at).filter(|id| id.is_string() || id.is_number())).cloned()
}

/// The path that a call of `write_file` was given.
fn path(call: &ToolCall) -> String {
    let input: Value = serde_json::from_str(&call.input).unwrap_or_default();
    input["path"].as_str().unwrap_or(FILE).to_owned()
}

fn quote(text: &str) -> String {
    let cut: String = text.trim().chars().take(QUOTED).collect();
    if cut.len() < text.trim().len() { format!("{cut}…") } else { cut }
}
