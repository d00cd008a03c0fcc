//! A database that does not do what is asked.

use crate::fixture::*;
use docket_eventlog::{AppendError, Expected, Log};

on_both! {
    refused_content_fails_nobody_else
    recovers_from_failed_transactions
}

/// A trigger that does not like one payload stands for whatever a database may refuse.
async fn refuse(fixture: &Fixture, payload: &str) {
    let sql = match fixture {
        Fixture::Sqlite(_) => format!(
            "CREATE TRIGGER picky BEFORE INSERT ON events WHEN new.payload LIKE '%{payload}%' \
             BEGIN SELECT RAISE(ABORT, 'not that'); END"
        ),
        Fixture::Postgres(_) => format!(
            "CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               IF new.payload LIKE '%{payload}%' THEN RAISE EXCEPTION 'not that'; END IF; RETURN new; END $$; \
             CREATE TRIGGER picky BEFORE INSERT ON log_events FOR EACH ROW EXECUTE FUNCTION picky()"
        ),
    };
    fixture.sql(&sql).await.unwrap();
}

async fn refused_content_fails_nobody_else(fixture: Fixture) {
    let log = fixture.open().await;
    refuse(&fixture, "poison").await;
    let appends = (0..60).map(|number| {
        let payload = if number % 20 == 7 { "\"poison\"" } else { "\"food\"" };
        log.append(append(&chat(number % 10), payload))
    });
    for (number, appended) in futures_util::future::join_all(appends).await.into_iter().enumerate() {
        match appended {
            Ok(_) => assert_ne!(number % 20, 7),
            Err(error) => {
                assert_eq!((number % 20, error.code()), (7, "log_unavailable"));
                assert!(error.to_string().contains("not that"), "{error}");
            }
        }
    }
    assert_eq!(assert_sound(&log).await.len(), 57);
    assert_eq!(log.stats().failed, 3);
}

/// New streams, scopes, types and metadata in a transaction that fails are not believed to be there.
async fn recovers_from_failed_transactions(fixture: Fixture) {
    let log = fixture.open().await;
    log.append(append(&chat("old"), "1")).await.unwrap();
    refuse(&fixture, "poison").await;
    let scope = uuid::Uuid::now_v7();
    for stream in ["old", "new"] {
        let mut request = append(&chat(stream), "\"poison\"");
        request.scope = Some(scope);
        request.events[0].event_type = "chat.new".into();
        request.metadata = request.metadata.caused_by(5);
        assert!(matches!(log.append(request).await, Err(AppendError::Storage { .. })));
    }
    fixture
        .sql(if matches!(fixture, Fixture::Sqlite(_)) { "DROP TRIGGER picky" } else { "DROP FUNCTION picky CASCADE" })
        .await
        .unwrap();
    for (stream, expected) in [("old", Expected::Exact(1)), ("new", Expected::NoStream)] {
        let mut request = expecting(expected, append(&chat(stream), "\"poison\""));
        request.scope = Some(scope);
        request.events[0].event_type = "chat.new".into();
        request.metadata = request.metadata.caused_by(5);
        log.append(request).await.unwrap();
    }
    let events = assert_sound(&log).await;
    assert!(events[1..].iter().all(|event| event.scope == Some(scope) && &*event.event_type == "chat.new"));
    log.close().await;
    assert_eq!(assert_sound(&fixture.open().await).await, events);
}

#[tokio::test]
async fn an_unreachable_database_is_an_error_without_its_password() {
    let url = "postgres://docket:secret@127.0.0.1:1/nothing".parse().unwrap();
    let error = Log::open(&url, docket_eventlog::Options::default()).await.unwrap_err();
    assert_eq!(error.code(), "log_unavailable");
    assert!(!format!("{error} {error:?}").contains("secret"));
}
