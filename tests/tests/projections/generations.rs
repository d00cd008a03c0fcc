//! Views built anew beside those that are read: because somebody asked, or because a projection was changed.

use crate::{
    backend::{Backend, Kind, PATIENCE, assert_same},
    history::World,
    trial::{TRIALS, Trying, alone, exists, generations, until},
};
use docket_projections::{ProjectionError, Projections, Set, State, audit_log::AuditQuery, chat::ChatQuery, database::Value};
use std::sync::atomic::Ordering;

/// What a reader must never see step back: a snapshot's position, how much the audit log holds, the sums of the usage.
async fn seen(projections: &Projections, world: &World) -> Vec<u64> {
    let mut seen = Vec::new();
    for chat in &world.chats[..5] {
        let snapshot = projections.chats().snapshot(chat.id, 1).await.unwrap().unwrap();
        seen.extend([snapshot.position, snapshot.chat.position, snapshot.chat.message_count]);
    }
    let newest = projections.audit_log().query(&AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap();
    seen.push(newest.items[0].position);
    seen.push(projections.usage().query(&Default::default()).await.unwrap().totals.model_calls);
    seen
}

async fn rebuilt_beside(kind: Kind, seed: u64) {
    let backend = Backend::new(kind);
    let log = backend.log().await;
    let views = backend.views("views").await;
    let mut world = World::new(seed, log.clone());
    world.run(3_000).await;
    let projections = Projections::start(log.clone(), views.clone()).await.unwrap();
    projections.wait_for(log.head().await.unwrap(), PATIENCE).await.unwrap();
    let mut before = seen(&projections, &world).await;
    let (mut looks, mut beside) = (0, 0);
    for expected in 2..=4 {
        for name in Set::standard().names() {
            assert_eq!(projections.rebuild(name).await.unwrap(), expected);
        }
        loop {
            world.run(40).await;
            let status = projections.status().await.unwrap();
            beside += status.iter().filter(|one| one.state == State::Rebuilding && one.live.is_some()).count();
            let now = seen(&projections, &world).await;
            assert!(now.iter().zip(&before).all(|(now, before)| now >= before), "{before:?} then {now:?}");
            before = now;
            looks += 1;
            if status.iter().all(|one| one.live.as_ref().is_some_and(|live| live.generation == expected)) {
                break;
            }
        }
        // What was written is read, whichever generation it is.
        let head = log.head().await.unwrap();
        projections.wait_for(head, PATIENCE).await.unwrap();
        for chat in &world.chats[..5] {
            let shown = projections.chats().snapshot(chat.id, 20).await.unwrap();
            assert_eq!(shown, projections.chats().at(chat.id, head, 20).await.unwrap());
        }
    }
    assert!(looks >= 3 && beside > 0, "{looks} looks, {beside} of them while views were built");
    for name in Set::standard().names() {
        assert_eq!(alone(&views, name).await, 4);
    }
    assert!(
        exists(&views, "chats_v1_g4").await && !exists(&views, "chats_v1_g3").await && !exists(&views, "tokens_v1_g1").await
    );
    projections.stop().await;
    assert_same(&backend.compare_with_rebuilt(&log, &views).await);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_no_step_back_while_views_are_built_anew_on_sqlite() {
    rebuilt_beside(Kind::Sqlite, 81).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_no_step_back_while_views_are_built_anew_on_postgres() {
    rebuilt_beside(Kind::Postgres, 82).await;
}

async fn said(views: &docket_projections::Database, table: &str) -> Vec<String> {
    let sql = format!("SELECT DISTINCT substr(said, 1, 2) FROM {table}");
    let rows = views.read().await.unwrap().fetch(&sql, vec![]).await.unwrap();
    rows.iter().map(|row| row.text(0).unwrap()).collect()
}

async fn a_changed_version<const T: usize>(kind: Kind) {
    let backend = Backend::new(kind);
    let log = backend.log().await;
    let views = backend.views("views").await;
    let mut world = World::new(91, log.clone());
    world.run(21_000).await;
    let old = Projections::start_set(&Set::default().with::<Trying<1, T>>(), log.clone(), views.clone()).await.unwrap();
    let head = log.head().await.unwrap();
    old.wait_for(head, PATIENCE).await.unwrap();
    old.stop().await;

    // The new version stands still in the middle. Meanwhile the old tables are read.
    TRIALS[T].held_after.store(15_000, Ordering::SeqCst);
    let new = Set::default().with::<Trying<2, T>>();
    let projections = Projections::start_set(&new, log.clone(), views.clone()).await.unwrap();
    let status = until(&projections, "trial", |status| status.fault.is_some()).await;
    let (live, building) = (status.live.unwrap(), status.building.unwrap());
    assert_eq!((live.version, live.generation, live.position), (1, 1, head));
    assert_eq!((building.version, building.generation), (2, 2));
    assert!(building.position > 0 && building.position <= 15_000, "{}", building.position);
    assert_eq!(status.state, State::Waiting);
    assert_eq!(said(&views, "trial_v1_g1").await, ["v1"]);
    // A restart goes on from there.
    projections.stop().await;
    let projections = Projections::start_set(&new, log.clone(), views.clone()).await.unwrap();
    world.run(100).await;

    TRIALS[T].held_after.store(0, Ordering::SeqCst);
    let head = log.head().await.unwrap();
    projections.wait_for(head, PATIENCE).await.unwrap();
    let status = until(&projections, "trial", |status| status.state == State::Live).await;
    let live = status.live.unwrap();
    assert_eq!((live.version, live.generation, live.failures), (2, 2, 0));
    assert_eq!(alone(&views, "trial").await, 2);
    assert!(!exists(&views, "trial_v1_g1").await, "the old tables are gone");
    assert_eq!(said(&views, "trial_v2_g2").await, ["v2"]);
    let count = views.read().await.unwrap().fetch("SELECT COUNT(*) FROM trial_v2_g2", vec![]).await.unwrap();
    assert_eq!(count[0].count(0).unwrap(), head);
    projections.stop().await;

    // Back to the old program: its tables are built again, under a number of their own.
    let projections = Projections::start_set(&Set::default().with::<Trying<1, T>>(), log.clone(), views.clone()).await.unwrap();
    until(&projections, "trial", |status| status.live.as_ref().is_some_and(|live| live.version == 1)).await;
    assert_eq!(alone(&views, "trial").await, 3);
    projections.stop().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_projection_is_built_beside_the_old_one_and_takes_its_place_on_sqlite() {
    a_changed_version::<0>(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_projection_is_built_beside_the_old_one_and_takes_its_place_on_postgres() {
    a_changed_version::<1>(Kind::Postgres).await;
}

/// A process that is killed leaves its transactions open; here its runtime is taken away under it.
#[test]
fn a_process_killed_in_mid_build_leaves_a_build_that_ends_right() {
    let own = tokio::runtime::Runtime::new().unwrap();
    let backend = Backend::new(Kind::Sqlite);
    let (log, views) = own.block_on(async {
        let log = backend.log().await;
        World::new(97, log.clone()).run(30_000).await;
        (log, backend.views("views").await)
    });
    let head = own.block_on(log.head()).unwrap();
    let (mut amid, mut last) = (0, 0);
    for kill in 0..10_u64 {
        let victim = tokio::runtime::Runtime::new().unwrap();
        let at = victim.block_on(async {
            let projections = Projections::start(log.clone(), backend.views("views").await).await.unwrap();
            let ready = |building: u64| building > head * kill / 10;
            let reached = until(&projections, "audit_log", |status| {
                status.building.as_ref().is_none_or(|building| ready(building.position))
                    && (status.live.is_some() || status.building.is_some())
            });
            let status = reached.await;
            status.building.map_or(head, |building| building.position)
        });
        victim.shutdown_background();
        assert!(at >= last, "a build goes on from where it was: {last}, then {at}");
        amid += u32::from(at > 0 && at < head);
        last = at;
    }
    assert!(amid > 0, "none was cut off in the middle");
    own.block_on(async {
        let projections = Projections::start(log.clone(), views.clone()).await.unwrap();
        projections.wait_for(head, PATIENCE).await.unwrap();
        for name in Set::standard().names() {
            assert_eq!(alone(&views, name).await, 1);
        }
        projections.stop().await;
        assert_same(&backend.compare_with_rebuilt(&log, &views).await);
        log.close().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_builds_and_both_read_it() {
    let backend = Backend::new(Kind::Postgres);
    let (log_a, log_b) = (backend.log().await, backend.log().await);
    let (views_a, views_b) = (backend.views("views").await, backend.views("views").await);
    let mut world = World::new(83, log_a.clone());
    world.run(2_000).await;
    let a = Projections::start(log_a.clone(), views_a.clone()).await.unwrap();
    a.wait_for(log_a.head().await.unwrap(), PATIENCE).await.unwrap();
    let b = Projections::start(log_b.clone(), views_b.clone()).await.unwrap();
    // Whoever is asked, the one that leads does it; asked twice at the same time, it is one build.
    let (asked_b, asked_a) = tokio::join!(b.rebuild("chat"), a.rebuild("chat"));
    let generations_asked = [asked_a.unwrap(), asked_b.unwrap()];
    assert!(generations_asked.iter().all(|number| (2..=3).contains(number)), "{generations_asked:?}");
    world.run(500).await;
    let last = generations_asked.into_iter().max().unwrap();
    for projections in [&a, &b] {
        until(projections, "chat", |status| status.live.as_ref().is_some_and(|live| live.generation == last)).await;
    }
    let head = log_a.head().await.unwrap();
    a.wait_for(head, PATIENCE).await.unwrap();
    b.wait_for(head, PATIENCE).await.unwrap();
    let all = ChatQuery { limit: 200, ..ChatQuery::default() };
    assert_eq!(a.chats().list(&all).await.unwrap(), b.chats().list(&all).await.unwrap());
    assert_eq!(alone(&views_a, "chat").await, last);
    // The one that led goes; the other builds from now on.
    a.stop().await;
    b.rebuild("chat").await.unwrap();
    until(&b, "chat", |status| status.live.as_ref().is_some_and(|live| live.generation > last)).await;
    b.stop().await;
    assert_same(&backend.compare_with_rebuilt(&log_b, &views_b).await);
    log_a.close().await;
    log_b.close().await;
}

/// Both versions of a program at work on one Postgres, as while replicas are replaced one by one.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_and_a_new_program_side_by_side_do_not_take_turns() {
    let backend = Backend::new(Kind::Postgres);
    let (log_a, log_b) = (backend.log().await, backend.log().await);
    let views = backend.views("views").await;
    let mut world = World::new(84, log_a.clone());
    world.run(1_000).await;
    let old = Set::default().with::<Trying<1, 2>>();
    let old = Projections::start_set(&old, log_a.clone(), backend.views("views").await).await.unwrap();
    old.wait_for(log_a.head().await.unwrap(), PATIENCE).await.unwrap();
    TRIALS[2].held_after.store(500, Ordering::SeqCst);
    let new = Set::default().with::<Trying<2, 2>>();
    let new = Projections::start_set(&new, log_b.clone(), views.clone()).await.unwrap();
    until(&new, "trial", |status| status.fault.is_some()).await;
    // The old one goes on for as long as the new one is being built.
    world.run(200).await;
    let head = log_a.head().await.unwrap();
    old.wait_for(head, PATIENCE).await.unwrap();
    new.wait_for(head, PATIENCE).await.unwrap();
    TRIALS[2].held_after.store(0, Ordering::SeqCst);
    until(&new, "trial", |status| status.live.as_ref().is_some_and(|live| live.version == 2)).await;
    world.run(200).await;
    let head = log_a.head().await.unwrap();
    old.wait_for(head, PATIENCE).await.unwrap();
    let status = until(&old, "trial", |status| status.lag == 0).await;
    assert_eq!((status.live.map(|live| live.version), status.building, status.leading), (Some(2), None, false));
    assert_eq!(alone(&views, "trial").await, 2);
    old.stop().await;
    new.stop().await;
    log_a.close().await;
    log_b.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_version_0_1_are_built_again() {
    let backend = Backend::new(Kind::Sqlite);
    let log = backend.log().await;
    let views = backend.views("views").await;
    let mut tx = views.begin().await.unwrap();
    for statement in [
        "CREATE TABLE checkpoints (name TEXT NOT NULL, version BIGINT NOT NULL, position BIGINT NOT NULL)",
        "INSERT INTO checkpoints VALUES ('chat', 1, 100000)",
        "CREATE TABLE chats_v1 (id TEXT PRIMARY KEY, document TEXT NOT NULL)",
    ] {
        tx.execute(statement, vec![]).await.unwrap();
    }
    tx.commit().await.unwrap();
    World::new(85, log.clone()).run(500).await;
    let projections = Projections::start(log.clone(), views.clone()).await.unwrap();
    projections.wait_for(log.head().await.unwrap(), PATIENCE).await.unwrap();
    assert!(!exists(&views, "chats_v1").await && !exists(&views, "checkpoints").await);
    let chats = views.read().await.unwrap().fetch("SELECT id FROM chats_v1_g1 WHERE id <> $1", vec![Value::text("")]).await;
    assert!(chats.unwrap().len() >= 5);
    projections.stop().await;
    assert_same(&backend.compare_with_rebuilt(&log, &views).await);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_projections_that_there_are_can_be_built() {
    let backend = Backend::new(Kind::Sqlite);
    let log = backend.log().await;
    let projections = Projections::start(log.clone(), backend.views("views").await).await.unwrap();
    assert!(matches!(projections.rebuild("chats@").await, Err(ProjectionError::Unknown(_))));
    assert!(matches!(projections.retry("chat", None).await, Err(ProjectionError::NothingToRetry { .. })));
    assert_eq!(generations(projections.database(), "chat").await, [(1, 1, "live".to_owned())]);
    projections.stop().await;
    log.close().await;
}
