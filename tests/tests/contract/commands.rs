//! A command that is sent again.

use crate::fixture::*;
use docket_eventlog::{Appended, Expected};
use uuid::Uuid;

on_all! {
    a_repeat_gives_the_old_position
    repeats_at_once_are_applied_once
}

async fn a_repeat_gives_the_old_position(fixture: Fixture) {
    let log = fixture.open().await;
    let (stream, command) = (fixture.chat("a"), Uuid::now_v7());
    let request = || expecting(Expected::NoStream, commanded(command, append(&stream, "{}")));
    let first = log.append(request()).await.unwrap();
    assert!(!first.repeated);
    log.append(append(&stream, "{}")).await.unwrap();
    let old = Appended { repeated: true, ..first };
    // Although it expects what does not hold any more.
    assert_eq!(log.append(request()).await, Ok(old));
    assert_eq!(log.find_command(&stream, command).await, Ok(Some(old)));
    assert_eq!(log.find_command(&fixture.chat("b"), command).await, Ok(None));
    // On another stream it is another command.
    let other = log.append(commanded(command, append(&fixture.chat("b"), "{}"))).await.unwrap();
    assert_eq!((other.last_sequence, other.repeated), (1, false));
    log.close().await;

    let log = fixture.open().await;
    assert_eq!(log.append(request()).await, Ok(old));
    assert_eq!(fixture.assert_sound(&log).await.len(), 3);
    assert_eq!(log.stats().repeated, 1);
}

async fn repeats_at_once_are_applied_once(fixture: Fixture) {
    let log = fixture.open().await;
    for _ in 0..10 {
        let command = Uuid::now_v7();
        let repeats = (0..8).map(|_| log.append(commanded(command, append(&fixture.chat("a"), "{}"))));
        let answers = futures_util::future::join_all(repeats).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1);
        assert!(answers.iter().all(|answer| answer.last_position == answers[0].last_position));
    }
    assert_eq!(fixture.assert_sound(&log).await.len(), 10);
}
