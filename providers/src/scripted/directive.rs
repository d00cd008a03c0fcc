//! Reads the scripted model's little language; see [`super`].

use super::action::Action;
use docket_domain::failure::Failure;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The steps of a prompt, each with its actions; `None` if it has no directive. A pace goes on into the next step.
pub(super) fn steps(prompt: &str) -> Option<Vec<Vec<Action>>> {
    let mut steps = vec![Vec::new()];
    let mut pace = None;
    let mut any = false;
    for line in prompt.lines() {
        let Some((word, rest)) = word(line) else { continue };
        if word == "step" {
            any = true;
            steps.push(pace.clone().into_iter().collect());
            continue;
        }
        let Some(action) = action(word, rest) else { continue };
        any = true;
        let action = action.unwrap_or_else(|| Action::say(format!("I cannot read this directive: {}", line.trim())));
        if matches!(action, Action::Pace(_)) {
            pace = Some(action.clone());
        }
        if let Some(step) = steps.last_mut() {
            step.push(action);
        }
    }
    any.then_some(steps)
}

fn word(line: &str) -> Option<(&str, &str)> {
    let line = line.trim().strip_prefix('@')?;
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Some((word, rest.trim()))
}

/// `None` if the word is no directive (prompts may begin a line with somebody's name); `Some(None)` if it is a directive
/// whose rest makes no sense.
fn action(word: &str, rest: &str) -> Option<Option<Action>> {
    Some(match word {
        "say" => Some(Action::say(rest)),
        "think" => Some(Action::Think(rest.to_owned())),
        "tokens" => rest.parse().ok().map(Action::Tokens),
        "pace" => rest.parse().ok().map(Action::Pace),
        "usage" => rest.parse().ok().map(Action::Usage),
        "stop" => named(rest).map(Action::Stop),
        "call" => {
            let (tool, input) = rest.split_once(char::is_whitespace).unwrap_or((rest, "{}"));
            (!tool.is_empty()).then(|| Action::Call { tool: tool.to_owned(), input: input.trim().to_owned() })
        }
        "fail" => {
            let (class, message) = rest.split_once(char::is_whitespace).unwrap_or((rest, "the script says so"));
            named(class).map(|class| Action::Fail(Failure::new(class, message.trim())))
        }
        _ => return None,
    })
}

fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(Value::String(name.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use docket_domain::{failure::FailureClass, usage::StopReason};

    #[test]
    fn reads_steps() {
        let got = steps(
            "Remark.\n @say hello there\n@call a {\"x\": 1}\n@call b\n@pace 5\n@step\n@fail rate_limit slow down\n@stop pause",
        );
        let call = |tool: &str, input: &str| Action::Call { tool: tool.to_owned(), input: input.to_owned() };
        let first = vec![Action::say("hello there"), call("a", "{\"x\": 1}"), call("b", "{}"), Action::Pace(5)];
        let failure = Failure::new(FailureClass::RateLimit, "slow down");
        let second = vec![Action::Pace(5), Action::Fail(failure), Action::Stop(StopReason::Pause)];
        assert_eq!(got, Some(vec![first, second]));
    }

    #[test]
    fn knows_what_is_no_directive() {
        assert_eq!(steps("write to me@example.org\n@alice please look"), None);
        assert_eq!(steps("@tokens many"), Some(vec![vec![Action::say("I cannot read this directive: @tokens many")]]));
    }
}
