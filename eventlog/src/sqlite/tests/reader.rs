//! Reading rows, whatever lies in them and whoever writes meanwhile.

use super::*;
use crate::{error::ReadError, filter::Filter, recorded::Recorded};
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

/// From rows, page by page; `log` was opened after the events were written.
async fn everything(log: &Log, filter: &Filter, limit: usize) -> Vec<Arc<Recorded>> {
    let (mut after, mut events) = (0, Vec::new());
    loop {
        let page = log.read_all(after, filter, limit).await.unwrap();
        if page.through == after {
            return events;
        }
        after = page.through;
        events.extend(page.events);
    }
}

/// A log with streams, scopes and appends of many shapes among each other.
async fn mixed(folder: &Folder) -> (Vec<StreamId>, Vec<Uuid>) {
    let streams: Vec<_> = (0..7).map(|number| StreamId::new("chat", number.to_string())).collect();
    let scopes: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
    let log = folder.log().await;
    for round in 0..30usize {
        let appends = (0..12usize).map(|number| {
            let events = (0..1 + (round * number) % 5).map(|at| event(format!("[{round},{number},{at}]"))).collect();
            // Neighbours of a batch often have the same stream or scope, and some are refused.
            let mut append = append(streams[(round + number / 2) % 7].clone(), events);
            append.scope = scopes.get((round / 2 + number / 3) % 4).copied();
            if (round + number) % 6 == 5 {
                append.expected = Expected::NoStream;
            }
            log.append(append)
        });
        futures_util::future::join_all(appends).await;
    }
    assert!(log.stats().conflicts > 30 && log.stats().batches < log.stats().appends);
    log.close().await;
    (streams, scopes)
}

/// (stream, sequence, position) and (scope, position), one row for each event: as the events say, and as the runs do.
const PLACES: [[&str; 2]; 2] = [
    [
        "SELECT stream, sequence, position FROM events",
        "SELECT r.stream, r.sequence + n.value, r.position + n.value FROM stream_runs r, generate n WHERE n.value < r.events",
    ],
    [
        "SELECT scope, 0, position FROM events WHERE scope IS NOT NULL",
        "SELECT r.scope, 0, r.position + n.value FROM scope_runs r, generate n WHERE n.value < r.events",
    ],
];

fn assert_runs_are_right(folder: &Folder) -> i64 {
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    for [events, runs] in PLACES {
        let [events, runs] = [events, runs].map(|select| {
            let generate = "WITH RECURSIVE generate (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM generate LIMIT 1000) ";
            let mut select = connection.prepare(&format!("{generate}{select} ORDER BY 3")).unwrap();
            let rows = select.query_map([], |row| <(i64, i64, i64)>::try_from(row)).unwrap();
            rows.collect::<Result<Vec<_>, _>>().unwrap()
        });
        assert!(!events.is_empty());
        assert_eq!(events, runs);
    }
    connection.query_row("SELECT count(*) FROM stream_runs", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn runs_follow_from_the_events() {
    let folder = Folder::new();
    mixed(&folder).await;
    let written = assert_runs_are_right(&folder);

    // As a log of version 0.1 gets them.
    let migration = include_str!("../../../../migrations/sqlite/0003_runs.sql");
    folder.sql(&format!(
        "DROP TABLE stream_runs; DROP TABLE scope_runs; CREATE INDEX events_by_stream ON events (stream, sequence); \
         CREATE INDEX events_by_scope ON events (scope, position); {migration}"
    ));
    let migrated = assert_runs_are_right(&folder);
    assert!((1..=written).contains(&migrated), "runs of two batches that touch are one: {migrated} of {written}");
}

#[tokio::test]
async fn every_place_is_found() {
    let folder = Folder::new();
    let (streams, scopes) = mixed(&folder).await;
    let log = folder.log().await;
    let all = everything(&log, &Filter::all(), 100).await;
    let head = all.len() as u64;
    for stream in &streams {
        let events: Vec<_> = all.iter().filter(|event| event.stream == *stream).cloned().collect();
        for after in 0..=events.len() + 1 {
            let rest = &events[after.min(events.len())..];
            assert_eq!(log.read_stream(stream, after as u64, 1000).await.unwrap(), rest);
            assert_eq!(log.read_stream(stream, after as u64, 2).await.unwrap(), rest[..rest.len().min(2)]);
        }
    }
    for filter in scopes.iter().map(|scope| Filter::scope(*scope)).chain([Filter::scopes(scopes.clone())]) {
        for after in 0..head {
            let rest = all.iter().filter(|event| event.position > after && filter.matches(event)).cloned();
            assert_eq!(log.read_all(after, &filter, 1000).await.unwrap().events, rest.collect::<Vec<_>>());
        }
        assert_eq!(everything(&log, &filter, 3).await, everything(&log, &filter, 1000).await);
    }
    log.close().await;
}

/// More streams, scopes and metadata than a connection remembers: they are looked up again, and never mistaken.
#[tokio::test]
async fn more_streams_than_are_remembered() {
    const STREAMS: u128 = 9000;
    let folder = Folder::new();
    let log = folder.log().await;
    for round in 0..2 {
        futures_util::future::join_all((0..STREAMS).map(|number| {
            let mut append = append(StreamId::new("chat", number.to_string()), vec![event(format!("{round}"))]);
            append.scope = Some(Uuid::from_u128(number));
            append.metadata = append.metadata.correlated(Uuid::from_u128(number));
            log.append(append)
        }))
        .await;
    }
    log.close().await;
    let log = folder.log().await;
    for _ in 0..2 {
        let events = everything(&log, &Filter::all(), 1000).await;
        assert_eq!(events.len() as u128, 2 * STREAMS);
        for event in events {
            let number = event.stream.aggregate_id.parse().unwrap();
            assert_eq!(event.scope, Some(Uuid::from_u128(number)));
            assert_eq!(event.metadata().unwrap().correlation, Some(Uuid::from_u128(number)));
            assert_eq!(event.leaf_hash, event.computed_leaf_hash());
        }
    }
    log.close().await;
}

/// Rows are read while others are written; nothing is missing, twice, or half there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_while_others_write() {
    const EVENTS: u64 = 4000;
    let folder = Folder::new();
    let log = folder.log().await;
    let read = |log: Log| async move {
        let mut after = 0;
        while after < EVENTS {
            for event in log.read_stream(&stream(), after, 100).await.unwrap() {
                after += 1;
                assert_eq!((event.sequence, event.leaf_hash), (after, event.computed_leaf_hash()));
                assert_eq!(event.payload, after.to_string());
            }
        }
    };
    // More than there are connections.
    let readers: Vec<_> = (0..8).map(|_| tokio::spawn(read(log.clone()))).collect();
    for next in (1..=EVENTS).step_by(20) {
        let events = (next..next + 20).map(|number| event(number.to_string())).collect();
        log.append(append(stream(), events)).await.unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
    log.close().await;
    assert_eq!(log.read_stream(&stream(), 0, 1).await, Err(ReadError::Closed));
}

#[tokio::test]
async fn payloads_return_byte_for_byte() {
    let folder = Folder::new();
    let every: String = ('\u{1}'..='\u{2FFF}').chain(['\u{FEFF}', '\u{FFFF}', '\u{1F980}', '\u{10FFFF}']).collect();
    let mut payloads: Vec<String> = vec!["0".into(), "\"\\u0000\\ud83e\\udd80\"".into(), " {\"a\" :\t1}\r\n".into()];
    payloads.push(serde_json::to_string(&every).unwrap());
    payloads.push(format!("\"{}\"", every.replace(['"', '\\'], "").replace(char::is_control, "")));
    // Around what shares an allocation.
    let lengths = [1, 100, 2045, 2046, 2047, 2048, 16_381, 16_382, 16_383, 1 << 20];
    payloads.extend(lengths.iter().cycle().take(60).map(|length| format!("\"{}\"", "ü".repeat(*length))));
    let log = folder.log().await;
    log.append(append(stream(), payloads.iter().cloned().map(event).collect())).await.unwrap();
    log.close().await;
    let log = folder.log().await;
    let events = everything(&log, &Filter::all(), 1000).await;
    assert!(events.iter().map(|event| &event.payload[..]).eq(payloads.iter().map(String::as_bytes)));
    assert!(events.iter().all(|event| event.leaf_hash == event.computed_leaf_hash()));
    log.close().await;
}

/// A row that somebody damaged is an error that names what is wrong, for whoever reads it and nobody else.
#[tokio::test]
async fn damage_is_an_error() {
    let folder = Folder::new();
    let log = folder.log().await;
    for number in ["1", "2", "3"] {
        log.append(append(StreamId::new("chat", number), vec![event("{}")])).await.unwrap();
    }
    log.close().await;
    folder.sql("DROP TRIGGER events_are_not_updated");
    for (damage, repair, complaint) in [
        ("DELETE FROM streams WHERE id = 2", "INSERT INTO streams VALUES (2, 'chat', '2')", "there is no 2"),
        ("UPDATE events SET metadata = 77 WHERE position = 2", "UPDATE events SET metadata = 1", "there is no 77"),
        ("UPDATE events SET event_type = -5 WHERE position = 2", "UPDATE events SET event_type = 1", "there is no -5"),
        ("UPDATE events SET leaf_hash = x'00' WHERE position = 2", "UPDATE events SET leaf_hash = zeroblob(32)", "blob"),
    ] {
        folder.sql(damage);
        let log = folder.log().await;
        let error = log.read_all(0, &Filter::all(), 10).await.unwrap_err();
        assert!(error.code() == "log_unavailable" && error.to_string().to_lowercase().contains(complaint), "{error}");
        assert_eq!(log.read_stream(&StreamId::new("chat", "3"), 0, 10).await.unwrap().len(), 1);
        folder.sql(repair);
        assert_eq!(log.read_all(0, &Filter::all(), 10).await.unwrap().events.len(), 3);
        log.close().await;
    }
}

/// All rows that a page needs come in the order of a tree: nothing is sorted, and no table of events is walked from its start.
#[tokio::test]
async fn no_statement_sorts() {
    let folder = Folder::new();
    folder.log().await.close().await;
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    let narrowed = |filter: Filter| filter.aggregates(["chat"]).types(["chat.noted"]);
    let filters = [Filter::all(), Filter::scope(Uuid::nil()), Filter::scopes([Uuid::nil(), Uuid::max()])];
    let statements: BTreeSet<String> = filters
        .iter()
        .flat_map(|filter| [filter.clone(), narrowed(filter.clone())])
        .map(|filter| selection::filtered(&filter).0)
        .chain([selection::stream()])
        .collect();
    assert_eq!(statements.len(), 7);
    for statement in statements {
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let values = vec![None::<i64>; explain.parameter_count()];
        let steps = explain.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE") || step == "SCAN e" || step == "SCAN r"), "{steps:#?}");
        assert!(steps.iter().any(|step| step == "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"), "{steps:#?}");
    }
}
