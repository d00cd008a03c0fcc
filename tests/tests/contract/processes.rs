//! Several processes on one database, where that can be.

use crate::fixture::*;
use docket_eventlog::{AppendError, Expected, Filter};
use uuid::Uuid;

/// SQLite serves one process at a time.
macro_rules! on_shared {
    ($($name:ident)+) => {
        on_all! { in postgres as postgres: $($name)+ }
        #[cfg(feature = "kurrentdb")]
        on_all! { in kurrentdb_double as double: $($name)+ }
        #[cfg(feature = "kurrentdb")]
        on_all! { in kurrentdb_cluster as cluster: $($name)+ }
    };
}

on_shared! {
    fight_for_a_stream_and_see_one_order
    apply_a_command_once
    see_one_another_alive
}

async fn fight_for_a_stream_and_see_one_order(fixture: Fixture) {
    const APPENDS: u64 = 15;
    let logs = [fixture.open().await, fixture.open().await];
    let total = (6 * APPENDS) as usize;
    let tag = fixture.chat("").aggregate_id;
    let readers = logs.clone().map(|log| {
        let (start, tag) = (fixture.start, tag.clone());
        tokio::spawn(async move {
            let (mut subscription, mut seen) = (log.subscribe(start, Filter::all()), Vec::new());
            while seen.len() < total {
                let batch = subscription.next().await.unwrap();
                seen.extend(batch.events.into_iter().filter(|event| event.stream.aggregate_id.ends_with(&*tag)));
            }
            seen
        })
    });
    let writers = (0..6u64).map(|writer| {
        let log = logs[(writer % 2) as usize].clone();
        // One stream for the first four, of both processes; one with an exact expectation, and one whatever comes.
        let (stream, exact) = (fixture.chat(if writer < 4 { 0 } else { writer }), writer < 2 || writer == 4);
        tokio::spawn(async move {
            let mut conflicts = 0;
            for number in 0..APPENDS {
                let request = append(&stream, format!("\"{writer}/{number}\""));
                loop {
                    let last = log.read_stream(&stream, 0, 10_000).await.unwrap().len() as u64;
                    let expected = if exact { Expected::after(last) } else { Expected::Any };
                    match log.append(expecting(expected, request.clone())).await {
                        Ok(_) => break,
                        Err(AppendError::Conflict { .. }) => conflicts += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            conflicts
        })
    });
    let mut conflicts = 0;
    for writer in writers.collect::<Vec<_>>() {
        conflicts += writer.await.unwrap();
    }
    assert!(conflicts > 0, "the shared stream was fought for");
    let all = fixture.assert_sound(&logs[0]).await;
    assert_eq!(all.len(), total);
    assert_eq!(fixture.assert_sound(&logs[1]).await, all);
    for reader in readers {
        assert_eq!(reader.await.unwrap(), all);
    }
    // Each writer's own are in its order.
    for writer in 0..6 {
        let prefix = format!("\"{writer}/");
        let own = all.iter().filter(|event| event.payload.starts_with(prefix.as_bytes())).map(|event| event.payload.clone());
        assert!(own.eq((0..APPENDS).map(|number| format!("\"{writer}/{number}\""))));
    }
}

async fn apply_a_command_once(fixture: Fixture) {
    let logs = [fixture.open().await, fixture.open().await];
    for number in 0..10 {
        let (command, stream) = (Uuid::now_v7(), fixture.chat(number % 2));
        let appends = logs.iter().map(|log| log.append(commanded(command, append(&stream, "{}"))));
        let answers: Vec<_> = futures_util::future::join_all(appends).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers[0].last_position, answers[1].last_position);
        for log in &logs {
            let found = log.find_command(&stream, command).await.unwrap().unwrap();
            assert_eq!(found.last_position, answers[0].last_position);
        }
    }
    assert_eq!(fixture.assert_sound(&logs[0]).await.len(), 10);
}

async fn see_one_another_alive(fixture: Fixture) {
    let (one, other) = (fixture.open().await, fixture.open().await);
    assert_eq!(one.is_worker_alive(other.worker()).await, Ok(true));
    assert_eq!(other.is_worker_alive(one.worker()).await, Ok(true));
    let ended = one.worker();
    one.close().await;
    assert_eq!(other.is_worker_alive(ended).await, Ok(false));
}
