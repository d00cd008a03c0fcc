use super::*;
use crate::{Timestamp, aggregate::Context};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

fn framework() -> TestFramework<Policy> {
    TestFramework::with(Context { now: Timestamp(1), id: Uuid::nil() })
}

fn withdrawn(subject: Subject, name: &str) -> PolicyEvent {
    PolicyEvent::Withdrawn { subject, name: name.to_owned() }
}

#[test]
fn what_is_withdrawn_is_gone_until_it_is_restored() {
    let withdraw = || PolicyCommand::Withdraw { subject: Subject::Tool, name: "execute".to_owned() };
    let restore = || PolicyCommand::Restore { subject: Subject::Tool, name: "execute".to_owned() };
    let gone = withdrawn(Subject::Tool, "execute");
    framework().given_no_previous_events().when(withdraw()).then_expect_events(vec![gone.clone()]);
    framework().given(vec![gone.clone()]).when(withdraw()).then_expect_events(vec![]);
    let back = PolicyEvent::Restored { subject: Subject::Tool, name: "execute".to_owned() };
    framework().given(vec![gone]).when(restore()).then_expect_events(vec![back]);
    framework().given_no_previous_events().when(restore()).then_expect_events(vec![]);
}

#[test]
fn a_withdrawn_provider_takes_its_models_with_it() {
    let mut policy = Policy::default();
    policy.fold(&withdrawn(Subject::Provider, "openai"));
    assert!(!policy.allows_model(&"openai/x".parse().unwrap()));
    assert!(policy.allows_model(&"anthropic/x".parse().unwrap()));
}

#[test]
fn limits_are_checked() {
    let none = PolicyCommand::SetStepLimit { steps: 0 };
    framework().given_no_previous_events().when(none).then_expect_error(PolicyRefusal::StepLimitInvalid);
    let long = PolicyCommand::SetSystemPrompt { text: "x".repeat(decide::MAX_SYSTEM_PROMPT + 1) };
    framework().given_no_previous_events().when(long).then_expect_error(PolicyRefusal::SystemPromptTooLarge);
}
