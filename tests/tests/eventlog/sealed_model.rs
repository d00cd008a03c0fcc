//! Random histories with random seals against the list of what was appended.

use crate::{
    calls::*,
    fixture::*,
    sealed::{listed, paged, stream_paged},
};
use docket_eventlog::{AppendError, Expected, Filter};
use proptest::{collection::vec, option, prelude::*};
use uuid::Uuid;

#[derive(Clone, Debug)]
enum Step {
    /// To a model call; with an end after it where there is one. The stream is expected to be as long as it is.
    Stream {
        call: u8,
        chat: u8,
        tokens: usize,
        end: Option<u8>,
    },
    Note {
        chat: u8,
    },
    /// An expectation that may be wrong.
    Expect {
        call: u8,
        sequence: u64,
    },
    Seal,
    Reopen,
    ReadStream {
        call: u8,
        after: u64,
        limit: usize,
    },
    ReadAll {
        after: u64,
        limit: usize,
        scope: Option<u8>,
        kind: Option<u8>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..5u8, 0..3u8, 1..25usize, option::weighted(0.4, 0..3u8))
            .prop_map(|(call, chat, tokens, end)| Step::Stream { call, chat, tokens, end }),
        1 => (0..3u8).prop_map(|chat| Step::Note { chat }),
        1 => (0..5u8, 0..40u64).prop_map(|(call, sequence)| Step::Expect { call, sequence }),
        2 => Just(Step::Seal),
        1 => Just(Step::Reopen),
        2 => (0..5u8, 0..30u64, 1..20usize).prop_map(|(call, after, limit)| Step::ReadStream { call, after, limit }),
        3 => (0..80u64, 1..40usize, option::of(0..3u8), option::of(0..3u8))
            .prop_map(|(after, limit, scope, kind)| Step::ReadAll { after, limit, scope, kind }),
    ]
}

fn filter(scope: Option<u8>, kind: Option<u8>) -> Filter {
    let filter = scope.map_or_else(Filter::all, |scope| Filter::scope(Uuid::from_u128(scope.into())));
    match kind {
        None => filter,
        Some(0) => filter.types(["model_call.text_streamed", "chat.noted"]),
        Some(1) => filter.types(["model_call.finished"]),
        Some(_) => filter.aggregates(["model_call"]),
    }
}

/// Gives how many events were sealed.
async fn check(fixture: Fixture, steps: Vec<Step>) -> Result<u64, TestCaseError> {
    let world = World::new(fixture);
    let mut log = world.open().await;
    // Every event as it was read from memory when it was appended.
    let (mut events, mut sealed) = (Vec::new(), 0);
    for (number, step) in steps.into_iter().enumerate() {
        let length = |stream: u8| {
            events.iter().filter(|event: &&std::sync::Arc<docket_eventlog::Recorded>| event.stream == call(stream)).count()
                as u64
        };
        match step {
            Step::Stream { call: stream, chat, tokens, end: ends } => {
                let from = length(stream) as usize;
                let mut appended: Vec<_> = (from..from + tokens).map(token).collect();
                appended.extend(ends.map(|kind| end(["finished", "failed", "interrupted"][kind as usize])));
                let append = expecting(Expected::after(from as u64), streamed(&call(stream), chat.into(), appended));
                log.append(append).await.unwrap();
            }
            Step::Note { chat } => noted(&log, chat.into(), number as u128).await,
            Step::Expect { call: stream, sequence } => {
                let actual = length(stream);
                let append = expecting(Expected::after(sequence), streamed(&call(stream), 0, vec![token(0)]));
                match log.append(append).await {
                    Ok(_) => prop_assert_eq!(sequence, actual),
                    Err(AppendError::Conflict { actual: found, .. }) => {
                        prop_assert_eq!(found, actual);
                        prop_assert!(sequence != actual);
                    }
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                }
            }
            Step::Seal => {
                sealed += log.seal(NOW).await.unwrap().events;
                // Memory would hide what is gone.
                log = world.reopen(log).await;
            }
            Step::Reopen => log = world.reopen(log).await,
            Step::ReadStream { call: stream, after, limit } => {
                let wanted: Vec<_> =
                    events.iter().filter(|event| event.stream == call(stream) && event.sequence > after).cloned().collect();
                prop_assert_eq!(stream_paged(&log, &call(stream), after, limit).await, wanted);
            }
            Step::ReadAll { after, limit, scope, kind } => {
                let filter = filter(scope, kind);
                prop_assert_eq!(paged(&log, after, &filter, limit).await, listed(&events, after, &filter));
            }
        }
        let newest = log.read_all(events.len() as u64, &Filter::all(), 1000).await.unwrap();
        events.extend(newest.events);
    }
    log = world.reopen(log).await;
    let read = assert_sound(&log).await;
    prop_assert_eq!(read, events);
    log.close().await;
    Ok(sealed)
}

fn run(fixture: fn() -> Fixture, cases: u32) {
    use proptest::test_runner::{Config, TestRunner};
    let sealed = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&vec(step(), 1..60), |steps| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        sealed.set(sealed.get() + runtime.block_on(check(fixture(), steps))?);
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(sealed.get() > u64::from(cases), "only {} events were sealed", sealed.get());
}

#[test]
fn a_sealed_log_is_the_same_list_on_sqlite() {
    run(Fixture::sqlite, 64);
}

#[test]
fn a_sealed_log_is_the_same_list_on_postgres() {
    run(Fixture::postgres, 16);
}
