//! Backups: of a log in use, only what is new, whole or refused, and restored into either database.

use crate::{calls::*, fixture::*};
use docket_eventlog::{BackupError, FileStore, Log, ReadOnly, Recorded, restore, verify_backup};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use uuid::Uuid;

on_both! {
    a_backup_restores_into_either_database
    the_next_backup_writes_only_what_is_new
    a_backup_of_another_log_is_not_added_to
    what_is_damaged_is_named_and_nothing_is_restored
    a_backup_that_died_leaves_the_last_one
}

async fn back_up(world: &World, store: &FileStore) -> Result<docket_eventlog::BackupReport, BackupError> {
    let log = ReadOnly::open(&world.fixture.url(), Some(world.store())).await.unwrap();
    let done = log.backup(store, &|_, _| ()).await;
    log.close().await;
    done
}

async fn filled(log: &Log, from: u128) {
    for number in from..from + 8 {
        noted(log, number % 3, number).await;
        finished(log, number, number % 3, 60).await;
    }
}

async fn a_backup_restores_into_either_database(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    filled(&log, 0).await;
    log.seal(NOW).await.unwrap();
    filled(&log, 8).await;
    let head = log.head().await.unwrap();
    let before = everything(&log).await;

    let (folder, done) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
    let store = FileStore::folder(folder.path().join("made")).unwrap();
    // The log goes on meanwhile.
    let busy = tokio::spawn({
        let (log, done) = (log.clone(), done.clone());
        async move {
            for number in 100.. {
                if done.load(Ordering::SeqCst) {
                    return;
                }
                noted(&log, 1, number).await;
            }
        }
    });
    let report = back_up(&world, &store).await.unwrap();
    done.store(true, Ordering::SeqCst);
    busy.await.unwrap();
    assert!(report.head >= head && report.events == report.head && report.blobs >= 16, "{report:?}");
    assert_eq!(verify_backup(&store, &|_, _| ()).await.unwrap(), report);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(folder.path().join("made")).unwrap()) & 0o777, 0o700);

    let log = world.reopen(log).await;
    let all = everything(&log).await;
    assert_eq!(all[..before.len()], before);
    for target in [Fixture::sqlite(), Fixture::postgres()] {
        let restored = restore(&store, &target.url(), &|_, _| ()).await.unwrap();
        assert_eq!(restored, report);
        let copy = target.open().await;
        assert_eq!(assert_sound(&copy).await, all[..report.head as usize]);
        // A command that was done is known.
        let command = Uuid::from_u128(12);
        let old = log.find_command(&chat(0), command).await.unwrap();
        assert!(old.is_some());
        assert_eq!(copy.find_command(&chat(0), command).await.unwrap(), old);
        let repeat = copy.append(commanded(command, append(&chat(0), "{}"))).await.unwrap();
        assert_eq!(Some(repeat), old);
        let blob = docket_eventlog::Blob::new("blob of 12 ".repeat(100));
        assert_eq!(copy.blob(&blob.sha256()).await.unwrap().unwrap(), "blob of 12 ".repeat(100));
        // It goes on from there, and its rows refuse what they always refuse.
        assert_eq!(copy.append(append(&chat("new"), "{}")).await.unwrap(), new(report.head + 1, 1));
        let refused = restore(&store, &target.url(), &|_, _| ()).await.map(|_| ());
        if let Fixture::Sqlite(_) = target {
            assert!(matches!(refused, Err(BackupError::Open(_))), "its process has it");
        }
        copy.close().await;
        let refused = restore(&store, &target.url(), &|_, _| ()).await.unwrap_err();
        assert_eq!((refused.code(), refused.to_string().contains(&(report.head + 1).to_string())), ("restore_not_empty", true));
        // And can be sealed, and backed up like any other.
        let copied = World { fixture: target, folder: tempfile::tempdir().unwrap() };
        let copy = copied.open().await;
        assert!(copy.seal(NOW).await.unwrap().events >= 16 * 60);
        let copy = copied.reopen(copy).await;
        assert_eq!(assert_sound(&copy).await[..report.head as usize], all[..report.head as usize]);
        copy.close().await;
        let second = FileStore::memory();
        assert_eq!(back_up(&copied, &second).await.unwrap().events, report.head + 1);
        let third = Fixture::sqlite();
        restore(&second, &third.url(), &|_, _| ()).await.unwrap();
        assert_eq!(assert_sound(&third.open().await).await[..report.head as usize], all[..report.head as usize]);
    }
    log.close().await;
}

async fn the_next_backup_writes_only_what_is_new(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    let store = FileStore::memory();
    assert_eq!(back_up(&world, &store).await.unwrap().head, 0, "an empty log has a backup, too");
    filled(&log, 0).await;
    let first = back_up(&world, &store).await.unwrap();
    log.seal(NOW).await.unwrap();
    assert_eq!(back_up(&world, &store).await.unwrap().bytes, 0, "nothing is new");
    filled(&log, 8).await;
    let second = back_up(&world, &store).await.unwrap();
    assert_eq!((first.events, first.blobs, second.events, second.blobs), (first.head, 8, second.head - first.head, 8));
    let whole = verify_backup(&store, &|_, _| ()).await.unwrap();
    assert_eq!((whole.events, whole.blobs, whole.bytes), (second.head, 16, first.bytes + second.bytes));

    let log = world.reopen(log).await;
    let target = Fixture::sqlite();
    restore(&store, &target.url(), &|_, _| ()).await.unwrap();
    assert_eq!(assert_sound(&target.open().await).await, everything(&log).await);
    log.close().await;
}

async fn a_backup_of_another_log_is_not_added_to(fixture: Fixture) {
    let (world, other) = (World::new(fixture), World::new(Fixture::sqlite()));
    let (log, elsewhere) = (world.open().await, other.open().await);
    filled(&log, 0).await;
    let store = FileStore::memory();
    back_up(&world, &store).await.unwrap();
    for events in [1, 900] {
        finished(&elsewhere, 5, 5, events).await;
        assert_eq!(back_up(&other, &store).await.unwrap_err().code(), "backup_other_log");
    }
    verify_backup(&store, &|_, _| ()).await.unwrap();
    log.close().await;
    elsewhere.close().await;
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

async fn what_is_damaged_is_named_and_nothing_is_restored(fixture: Fixture) {
    let world = World::new(Fixture::sqlite());
    let log = world.open().await;
    filled(&log, 0).await;
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::folder(folder.path().to_owned()).unwrap();
    assert_eq!(verify_backup(&store, &|_, _| ()).await.unwrap_err().code(), "backup_missing");
    back_up(&world, &store).await.unwrap();
    log.close().await;

    let files = files(folder.path());
    assert_eq!(files.len(), 3, "events, blobs and a manifest: {files:?}");
    let mut damages = 0;
    for file in &files {
        let content = std::fs::read(file).unwrap();
        for at in [0, content.len() / 3, content.len() - 2] {
            let mut damaged = content.clone();
            damaged[at] ^= 1;
            std::fs::write(file, damaged).unwrap();
            let (verified, restored) =
                (verify_backup(&store, &|_, _| ()).await.is_ok(), restore(&store, &fixture.url(), &|_, _| ()).await.is_ok());
            assert!(!verified && !restored, "{} at {at}", file.display());
            damages += 1;
        }
        std::fs::remove_file(file).unwrap();
        assert!(restore(&store, &fixture.url(), &|_, _| ()).await.is_err());
        std::fs::write(file, content).unwrap();
    }
    assert_eq!(damages, 9);
    let empty = fixture.open().await;
    assert_eq!(empty.head().await.unwrap(), 0);
    empty.close().await;
    restore(&store, &fixture.url(), &|_, _| ()).await.unwrap();
    let restored = fixture.open().await;
    let events: Vec<Arc<Recorded>> = assert_sound(&restored).await;
    assert_eq!(events.len() as u64, verify_backup(&store, &|_, _| ()).await.unwrap().events);
    restored.close().await;
}

/// The manifest comes last: without it, what was written before does not count, and the next backup goes on from the last manifest.
async fn a_backup_that_died_leaves_the_last_one(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    filled(&log, 0).await;
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::folder(folder.path().to_owned()).unwrap();
    let first = back_up(&world, &store).await.unwrap();
    let manifest = std::fs::read(folder.path().join("manifest.json")).unwrap();
    filled(&log, 8).await;
    back_up(&world, &store).await.unwrap();
    std::fs::write(folder.path().join("manifest.json"), manifest).unwrap();
    let whole = verify_backup(&store, &|_, _| ()).await.unwrap();
    assert_eq!((whole.head, whole.events, whole.blobs), (first.head, first.events, first.blobs));
    filled(&log, 16).await;
    let third = back_up(&world, &store).await.unwrap();
    assert_eq!(third.events, third.head - first.head);
    let target = Fixture::sqlite();
    restore(&store, &target.url(), &|_, _| ()).await.unwrap();
    assert_eq!(assert_sound(&target.open().await).await.len() as u64, log.head().await.unwrap());
    log.close().await;
}
