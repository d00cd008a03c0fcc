//! The tools that a model may call: one file each. A tool answers with text for the model to read, whatever happens.

mod answer;
mod create_workspace;
mod edit_files;
mod execute;
mod list_templates;
mod process_list;
mod process_output;
mod process_signal;
mod read_file;
mod read_template;
mod workspace;
mod write_file;

pub use answer::Answer;

use crate::control::Control;
use docket_domain::{
    Metadata,
    conversation::ToolDefinition,
    ids::{ChatId, ToolCallId},
    policy::{Policy, Subject},
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// One tool call, with all that it may use.
#[derive(Clone, Debug)]
pub struct Call {
    pub control: Control,
    pub chat: ChatId,
    pub id: ToolCallId,
    /// It was dispatched by a worker that is gone: it may have taken effect already.
    pub resumed: bool,
    /// On whose behalf.
    pub metadata: Metadata,
}

impl Call {
    /// The idempotency key at the daemon.
    fn key(&self) -> String {
        self.id.to_string()
    }
}

macro_rules! tools {
    ($($module:ident),+ $(,)?) => {
        /// The names of all tools.
        pub const NAMES: &[&str] = &[$(stringify!($module)),+];

        /// The tools that the policy leaves.
        #[must_use]
        pub fn offered(policy: &Policy) -> Vec<ToolDefinition> {
            let all = [$(definition::<$module::Input>(stringify!($module), $module::DESCRIPTION)),+];
            all.into_iter().filter(|tool| policy.allows(Subject::Tool, &tool.name)).collect()
        }

        async fn dispatch(call: &Call, name: &str, input: &str) -> Answer {
            match name {
                $(stringify!($module) => match parse(input) {
                    Ok(input) => $module::run(call, input).await.unwrap_or_else(|answer| answer),
                    Err(answer) => answer,
                },)+
                _ => Answer::error(format!("There is no tool named {name:?}. The tools are: {}.", NAMES.join(", "))),
            }
        }
    };
}

tools!(
    list_templates,
    read_template,
    create_workspace,
    read_file,
    write_file,
    edit_files,
    execute,
    process_output,
    process_list,
    process_signal,
);

/// Runs a tool under the policy as of now.
pub(crate) async fn run(call: &Call, name: &str, input: &str) -> Answer {
    match call.control.current_policy().await {
        Ok(policy) if !policy.allows(Subject::Tool, name) => {
            let text = format!("The tool {name} was withdrawn by an administrator.");
            if call.resumed { Answer::unknown(format!("{text} It may have run before.")) } else { Answer::error(text) }
        }
        Ok(_) => dispatch(call, name, input).await,
        Err(error) => Answer::error(format!("The policy could not be read: {error}")),
    }
}

fn definition<I: JsonSchema>(name: &str, description: &str) -> ToolDefinition {
    let mut schema = schemars::schema_for!(I);
    schema.remove("$schema");
    schema.remove("title");
    let input_schema = serde_json::Value::from(schema).to_string();
    ToolDefinition { name: name.to_owned(), description: description.to_owned(), input_schema }
}

fn parse<I: DeserializeOwned>(input: &str) -> Result<I, Answer> {
    let input = if input.trim().is_empty() { "{}" } else { input };
    serde_json::from_str(input).map_err(|error| Answer::error(format!("The input of the tool call is not valid: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_a_schema_of_an_object_that_refuses_unknown_fields() {
        let tools = offered(&Policy::default());
        assert_eq!(tools.len(), NAMES.len());
        for tool in tools {
            let schema: serde_json::Value = serde_json::from_str(&tool.input_schema).unwrap();
            assert_eq!(schema["type"], "object", "{}", tool.name);
            assert_eq!(schema["additionalProperties"], false, "{}", tool.name);
        }
    }

    #[test]
    fn a_withdrawn_tool_is_not_offered() {
        let mut policy = Policy::default();
        policy.withdrawn.insert((Subject::Tool, "execute".to_owned()));
        assert!(offered(&policy).iter().all(|tool| tool.name != "execute"));
    }
}
