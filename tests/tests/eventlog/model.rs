//! Random histories against a log that is a list.

use crate::fixture::*;
use docket_domain::{Metadata, ids::CommandId};
use docket_eventlog::{Append, AppendError, Appended, Expected, Filter, Log};
use proptest::{collection::vec, prelude::*};
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Clone, Debug)]
enum Step {
    Append { stream: u8, scope: Option<u8>, expected: Expected, events: usize, command: Option<u8> },
    ReadStream { stream: u8, after: u64, limit: usize },
    ReadAll { after: u64, limit: usize, scope: Option<u8> },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let expected = prop_oneof![
        3 => Just(Expected::Any),
        1 => Just(Expected::NoStream),
        2 => (0..6u64).prop_map(Expected::Exact),
    ];
    let append = (0..4u8, proptest::option::of(0..3u8), expected, 1..20usize, proptest::option::weighted(0.3, 0..6u8));
    prop_oneof![
        6 => append.prop_map(|(stream, scope, expected, events, command)| Step::Append { stream, scope, expected, events, command }),
        2 => (0..4u8, 0..30u64, 1..10usize).prop_map(|(stream, after, limit)| Step::ReadStream { stream, after, limit }),
        2 => (0..60u64, 1..40usize, proptest::option::of(0..3u8))
            .prop_map(|(after, limit, scope)| Step::ReadAll { after, limit, scope }),
        1 => Just(Step::Reopen),
    ]
}

/// What a log should be.
#[derive(Default)]
struct Model {
    /// (stream, scope, sequence) of each event.
    events: Vec<(u8, Option<u8>, u64)>,
    commands: HashMap<(u8, u8), Appended>,
}

impl Model {
    fn append(
        &mut self,
        stream: u8,
        scope: Option<u8>,
        expected: Expected,
        events: usize,
        command: Option<u8>,
    ) -> Result<Appended, u64> {
        if let Some(old) = command.and_then(|command| self.commands.get(&(stream, command))) {
            return Ok(Appended { repeated: true, ..*old });
        }
        let actual = self.events.iter().filter(|event| event.0 == stream).count() as u64;
        match expected {
            Expected::Exact(sequence) if sequence != actual => return Err(actual),
            Expected::NoStream if actual > 0 => return Err(actual),
            _ => {}
        }
        self.events.extend((1..=events as u64).map(|number| (stream, scope, actual + number)));
        let appended = new(self.events.len() as u64, actual + events as u64);
        command.map(|command| self.commands.insert((stream, command), appended));
        Ok(appended)
    }
}

fn id(number: u8) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

async fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let fixture = Fixture::sqlite();
    let (mut log, mut model) = (relaxed(&fixture).await, Model::default());
    for step in steps {
        match step {
            Step::Append { stream, scope, expected, events, command } => {
                let mut metadata = Metadata::system();
                metadata.command = command.map(|command| CommandId(id(command)));
                let events_new = (0..events).map(|number| event(number.to_string())).collect();
                let request =
                    Append { scope: scope.map(id), expected, events: events_new, metadata, ..append(&chat(stream), "") };
                let outcome = log.append(request).await.map_err(|error| match error {
                    AppendError::Conflict { actual, .. } => actual,
                    error => panic!("{error}"),
                });
                prop_assert_eq!(outcome, model.append(stream, scope, expected, events, command));
            }
            Step::ReadStream { stream, after, limit } => {
                let read = log.read_stream(&chat(stream), after, limit).await.unwrap();
                let mut modelled =
                    (1..).zip(&model.events).filter(|(_, event)| event.0 == stream && event.2 > after).take(limit);
                prop_assert!(
                    read.iter()
                        .all(|event| modelled.next().is_some_and(|(at, e)| (at, e.2) == (event.position, event.sequence)))
                );
                prop_assert!(modelled.next().is_none());
            }
            Step::ReadAll { after, limit, scope } => {
                let filter = scope.map_or_else(Filter::all, |scope| Filter::scope(id(scope)));
                let page = log.read_all(after, &filter, limit).await.unwrap();
                let wanted = |event: &(u8, Option<u8>, u64)| scope.is_none() || event.1 == scope;
                let modelled =
                    (1..).zip(&model.events).filter(|(at, event)| *at > after && *at <= page.through && wanted(event));
                prop_assert!(page.events.iter().map(|event| event.position).eq(modelled.map(|(at, _)| at)));
                prop_assert!(page.events.len() <= limit);
                let end = page.through == after.max(model.events.len() as u64);
                prop_assert!(end || page.through > after, "no way forward");
            }
            Step::Reopen => {
                log.close().await;
                log = relaxed(&fixture).await;
            }
        }
    }
    prop_assert_eq!(assert_sound(&log).await.len(), model.events.len());
    Ok(())
}

/// Durability is not what is tested here.
async fn relaxed(fixture: &Fixture) -> Log {
    let options = docket_eventlog::Options { durability: docket_eventlog::Durability::Relaxed, ..Default::default() };
    Log::open(&fixture.url(), options).await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_log_is_a_list(steps in vec(step(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check(steps))?;
    }
}
