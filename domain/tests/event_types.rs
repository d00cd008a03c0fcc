//! Stored names never change their meaning: what `event_types.txt` lists stays readable for ever, and a new name is a visible diff.

use docket_domain::{
    VariantNames, chat::ChatEvent, model_call::ModelCallEvent, policy::PolicyEvent, template::TemplateEvent, user::UserEvent,
    workspace::WorkspaceEvent,
};

#[test]
fn the_names_are_those_that_were_released() {
    let names = [
        ChatEvent::VARIANTS,
        ModelCallEvent::VARIANTS,
        PolicyEvent::VARIANTS,
        TemplateEvent::VARIANTS,
        UserEvent::VARIANTS,
        WorkspaceEvent::VARIANTS,
    ]
    .concat();
    let listed: Vec<&str> = include_str!("event_types.txt").lines().collect();
    assert_eq!(names, listed, "add a new name to domain/tests/event_types.txt; never change or remove one");
}
