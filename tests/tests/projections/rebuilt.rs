//! State is disposable: views that were built live, with restarts in between, equal those rebuilt from nothing.

use crate::{
    backend::{Backend, Kind, PATIENCE, assert_same},
    history::World,
};
use docket_projections::database::Value;
use docket_projections::{DifferenceKind, Projections, Set, State, diff};
use rand::Rng as _;

async fn live_equals_rebuilt(kind: Kind, seed: u64) {
    let backend = Backend::new(kind);
    let log = backend.log().await;
    let views = backend.views("views").await;
    let mut world = World::new(seed, log.clone());
    let mut projections = Projections::start(log.clone(), views.clone()).await.unwrap();
    while world.events < 10_000 {
        let events = world.rng.random_range(1..900);
        world.run(events).await;
        // Stopped wherever it is, or only when it has caught up.
        if world.rng.random_bool(0.4) {
            let head = log.head().await.unwrap();
            projections.wait_for(head, PATIENCE).await.unwrap();
        }
        if world.rng.random_bool(0.6) {
            projections.stop().await;
            projections = Projections::start(log.clone(), views.clone()).await.unwrap();
        }
    }
    projections.wait_for(log.head().await.unwrap(), PATIENCE).await.unwrap();
    assert_eq!(projections.failures(None, 10).await.unwrap(), []);
    let status = projections.status().await.unwrap();
    assert!(status.iter().all(|one| one.lag == 0 && one.leading && one.state == State::Live), "{status:?}");
    projections.stop().await;

    let comparison = backend.compare_with_rebuilt(&log, &views).await;
    assert_same(&comparison);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_views_equal_rebuilt_ones_on_sqlite() {
    live_equals_rebuilt(Kind::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_views_equal_rebuilt_ones_on_postgres() {
    live_equals_rebuilt(Kind::Postgres, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_finds_every_kind_of_difference() {
    let backend = Backend::new(Kind::Sqlite);
    let log = backend.log().await;
    let views = backend.views("views").await;
    World::new(3, log.clone()).run(500).await;
    let projections = Projections::start(log.clone(), views.clone()).await.unwrap();
    projections.wait_for(log.head().await.unwrap(), PATIENCE).await.unwrap();
    projections.stop().await;
    assert_same(&backend.compare_with_rebuilt(&log, &views).await);

    let mut tx = views.begin().await.unwrap();
    tx.execute("UPDATE audit_log_v1_g1 SET summary = 'nothing' WHERE position = 1", vec![]).await.unwrap();
    tx.execute("DELETE FROM audit_log_v1_g1 WHERE position = 2", vec![]).await.unwrap();
    tx.execute("UPDATE audit_log_v1_g1 SET position = 1000000 WHERE position = 3", vec![]).await.unwrap();
    tx.execute("UPDATE generations SET position = 7 WHERE projection = 'usage'", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    let fresh = backend.views("fresh").await;
    let comparison = diff(&Set::standard(), &views, &fresh).await.unwrap();
    let found: Vec<_> = comparison.differences.iter().map(|one| (one.table, one.key.clone(), one.kind)).collect();
    let row = |position, kind| ("audit_log", vec![Value::int(position)], kind);
    let expected = [
        row(1, DifferenceKind::Differs),
        row(1_000_000, DifferenceKind::OnlyInFirst),
        row(2, DifferenceKind::OnlyInSecond),
        row(3, DifferenceKind::OnlyInSecond),
    ];
    assert_eq!(found, expected);
    assert_eq!(comparison.checkpoints, [("usage", 7, log.head().await.unwrap())]);
    log.close().await;
}
