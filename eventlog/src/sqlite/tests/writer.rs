//! What only the writer's own connection can be asked, or told.

use super::*;
use crate::{
    snapshot::Snapshot,
    written::{Outcome, WriteError},
};

/// A snapshot does not wait for the disk; the events after it do.
#[tokio::test]
async fn a_snapshot_leaves_the_connection_durable() {
    for (durability, synchronous) in [(Durability::Sync, 2), (Durability::Relaxed, 1)] {
        let folder = Folder::new();
        let mut writer = folder.open(durability).await;
        writer.write(&[&request(1)]).unwrap();
        for state in [vec![1; 10], vec![2; 100_000]] {
            let snapshot = Snapshot { stream: stream(), sequence: 1, state_version: 1, state };
            writer.save_snapshot(&snapshot).unwrap();
            assert_eq!(writer.ask("PRAGMA synchronous"), synchronous);
        }
        assert_eq!(writer.ask("SELECT length(state) FROM aggregate_snapshots"), 100_000);
        // Nor does one that fails, and one of an event that is not there is not written.
        let beyond = Snapshot { stream: stream(), sequence: 2, state_version: 1, state: vec![3] };
        writer.save_snapshot(&beyond).unwrap();
        assert_eq!(writer.ask("SELECT length(state) FROM aggregate_snapshots"), 100_000);
        writer.tell("DROP TABLE aggregate_snapshots");
        writer.save_snapshot(&beyond).unwrap_err();
        assert_eq!(writer.ask("PRAGMA synchronous"), synchronous);
    }
}

/// A full disk: a clear error, nothing half written, and everything works again when there is room.
#[tokio::test]
async fn recovers_from_a_full_disk() {
    let folder = Folder::new();
    let mut writer = folder.open(Durability::Sync).await;
    writer.write(&[&request(1)]).unwrap();
    let pages = writer.ask("PRAGMA page_count");
    writer.tell(&format!("PRAGMA max_page_count = {}", pages + 8));
    let mut written = 1;
    let error = loop {
        // A snapshot that finds no room fails alone.
        let state = vec![0; 200_000];
        let snapshot = Snapshot { stream: stream(), sequence: written, state_version: 1, state };
        assert!(writer.save_snapshot(&snapshot).unwrap_err().contains("full"));
        let batch = [request(3000), request(3000)];
        match writer.write(&batch.each_ref()) {
            Ok(_) => written += 2,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, WriteError::Unavailable(reason) if reason.contains("full")), "{error:?}");
    assert!(written > 1);
    // The limit was the connection's, and a new one is made after the failure: there is room.
    let again = writer.write(&[&request(3000)]).unwrap();
    assert_eq!(again.outcomes, [Outcome::Written { last_position: written + 1, last_sequence: written + 1 }]);
    let snapshot = Snapshot { stream: stream(), sequence: written, state_version: 1, state: vec![0; 200_000] };
    writer.save_snapshot(&snapshot).unwrap();
    assert_eq!(writer.ask("SELECT count(*) FROM events").unsigned_abs(), written + 1);
}

impl Writer {
    fn ask(&mut self, sql: &str) -> i64 {
        self.connected().unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn tell(&mut self, sql: &str) {
        self.connected().unwrap().execute_batch(sql).unwrap();
    }
}
