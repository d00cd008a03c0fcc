use super::*;
use crate::aggregate::Context;
use cqrs_es::test::TestFramework;
use uuid::Uuid;

fn context() -> Context {
    Context { now: crate::Timestamp(1), id: Uuid::nil() }
}

fn created() -> TemplateEvent {
    TemplateEvent::Created { name: "local".to_owned(), description: String::new(), provisioner: Provisioner::Process }
}

#[test]
fn a_template_is_made_once() {
    let create = |name: &str| TemplateCommand::Create {
        name: name.to_owned(),
        description: String::new(),
        provisioner: Provisioner::Process,
    };
    let framework = || TestFramework::<Template>::with(context());
    framework().given_no_previous_events().when(create("local")).then_expect_events(vec![created()]);
    framework().given(vec![created()]).when(create("local")).then_expect_error(TemplateRefusal::TemplateExists);
    framework().given_no_previous_events().when(create("No")).then_expect_error(TemplateRefusal::NameInvalid);
}

#[test]
fn archiving_twice_is_archiving_once() {
    let archive = || TemplateCommand::SetArchived { archived: true };
    let framework = || TestFramework::<Template>::with(context());
    framework().given(vec![created()]).when(archive()).then_expect_events(vec![TemplateEvent::Archived]);
    framework().given(vec![created(), TemplateEvent::Archived]).when(archive()).then_expect_events(vec![]);
    framework().given_no_previous_events().when(archive()).then_expect_error(TemplateRefusal::TemplateNotFound);
}
