use super::*;
use crate::{
    aggregate::{Context, Decide},
    ids::{BuildId, TemplateId, UserId},
    time::Timestamp,
};
use event::ConnectionPath;
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Default)]
struct Bench(Workspace);

impl Bench {
    fn decides(&mut self, command: WorkspaceCommand) -> Result<Vec<WorkspaceEvent>, WorkspaceRefusal> {
        let events = self.0.decide(command, &Context { now: Timestamp(1), id: Uuid::nil() })?;
        events.iter().for_each(|event| self.0.apply_event(event));
        Ok(events)
    }

    fn made() -> Self {
        let mut bench = Self::default();
        bench.decides(create("dev")).unwrap();
        bench
    }
}

fn create(name: &str) -> WorkspaceCommand {
    WorkspaceCommand::Create {
        name: name.to_owned(),
        owner: UserId(Uuid::from_u128(1)),
        template_id: TemplateId(Uuid::nil()),
        chat_id: None,
        parameters: BTreeMap::new(),
    }
}

fn build(n: u128) -> BuildId {
    BuildId(Uuid::from_u128(n))
}

#[test]
fn names_are_checked() {
    for bad in ["", "A", "1a", "-a", "a b", "ä", &"a".repeat(65), "../x"] {
        assert_eq!(Bench::default().decides(create(bad)), Err(WorkspaceRefusal::NameInvalid), "{bad}");
    }
    assert!(Bench::default().decides(create("dev-2")).is_ok());
}

#[test]
fn one_build_at_a_time_and_each_ends_once() {
    let mut bench = Bench::made();
    let start = |n| WorkspaceCommand::StartBuild { build_id: build(n), transition: Transition::Start };
    let finish = |n| WorkspaceCommand::FinishBuild { build_id: build(n), directory: "/w".to_owned() };
    bench.decides(start(1)).unwrap();
    assert_eq!(bench.0.status, WorkspaceStatus::Starting);
    assert_eq!(bench.decides(start(1)), Ok(vec![]), "the same build again changes nothing");
    assert_eq!(bench.decides(start(2)), Err(WorkspaceRefusal::BuildUnderWay));
    bench.decides(finish(1)).unwrap();
    assert_eq!((bench.0.status, bench.0.directory.as_deref()), (WorkspaceStatus::Running, Some("/w")));
    assert_eq!(bench.decides(finish(1)), Err(WorkspaceRefusal::BuildNotFound));
}

#[test]
fn an_enrolment_token_is_used_once() {
    let mut bench = Bench::made();
    let enrol = |hash: &str| WorkspaceCommand::Enrol { token_sha256: hash.to_owned(), public_key: "key".to_owned() };
    assert_eq!(bench.decides(enrol("h")), Err(WorkspaceRefusal::EnrolmentRefused));
    bench.decides(WorkspaceCommand::IssueEnrolment { token_sha256: "h".to_owned() }).unwrap();
    assert_eq!(bench.decides(enrol("other")), Err(WorkspaceRefusal::EnrolmentRefused));
    bench.decides(enrol("h")).unwrap();
    assert_eq!(bench.decides(enrol("h")), Ok(vec![]), "the daemon may have missed the answer");
    let stranger = WorkspaceCommand::Enrol { token_sha256: "h".to_owned(), public_key: "other".to_owned() };
    assert_eq!(bench.decides(stranger), Err(WorkspaceRefusal::EnrolmentRefused));
}

#[test]
fn a_deleted_workspace_stays_deleted() {
    let mut bench = Bench::made();
    bench.decides(WorkspaceCommand::StartBuild { build_id: build(1), transition: Transition::Delete }).unwrap();
    bench.decides(WorkspaceCommand::FinishBuild { build_id: build(1), directory: String::new() }).unwrap();
    let start = WorkspaceCommand::StartBuild { build_id: build(2), transition: Transition::Start };
    assert_eq!(bench.decides(start), Err(WorkspaceRefusal::WorkspaceDeleted));
}

#[test]
fn the_same_connection_is_recorded_once() {
    let mut bench = Bench::made();
    let connect = || WorkspaceCommand::Connect { path: ConnectionPath::Relay };
    assert_eq!(bench.decides(connect()).unwrap().len(), 1);
    assert_eq!(bench.decides(connect()).unwrap().len(), 0);
    let lost = || WorkspaceCommand::Disconnect { reason: "gone".to_owned() };
    assert_eq!(bench.decides(lost()).unwrap().len(), 1);
    assert_eq!(bench.decides(lost()).unwrap().len(), 0);
}
