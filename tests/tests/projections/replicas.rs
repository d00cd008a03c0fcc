//! Several processes on one Postgres: one of them runs each projection, all of them can wait for it and read.

use crate::{
    backend::{Backend, Kind, PATIENCE, assert_same},
    history::World,
};
use docket_projections::Projections;

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_work_and_take_over_from_each_other() {
    let backend = Backend::new(Kind::Postgres);
    let (log_a, log_b) = (backend.log().await, backend.log().await);
    let (views_a, views_b) = (backend.views("views").await, backend.views("views").await);
    let (a, b) =
        tokio::join!(Projections::start(log_a.clone(), views_a.clone()), Projections::start(log_b.clone(), views_b.clone()),);
    let (a, b) = (a.unwrap(), b.unwrap());
    let mut world = World::new(61, log_a.clone());
    for _ in 0..5 {
        world.run(300).await;
        let head = log_a.head().await.unwrap();
        // Both see it, whoever did it.
        let (seen_a, seen_b) = tokio::join!(a.wait_for(head, PATIENCE), b.wait_for(head, PATIENCE));
        seen_a.unwrap();
        seen_b.unwrap();
        for chat in &world.chats {
            let from_a = a.chats().snapshot(chat.id, 50).await.unwrap();
            assert_eq!(from_a, b.chats().snapshot(chat.id, 50).await.unwrap());
        }
        let (status_a, status_b) = (a.status().await.unwrap(), b.status().await.unwrap());
        assert!(status_a.iter().zip(&status_b).all(|(a, b)| a.leading != b.leading), "one of them, and only one");
    }
    // The one goes away in an orderly manner, the other takes over.
    world.log = log_b.clone();
    a.stop().await;
    world.run(500).await;
    b.wait_for(log_b.head().await.unwrap(), PATIENCE).await.unwrap();
    assert!(b.status().await.unwrap().iter().all(|one| one.leading));
    assert_eq!(b.failures(None, 10).await.unwrap(), []);
    b.stop().await;
    assert_same(&backend.compare_with_rebuilt(&log_b, &views_b).await);
    log_a.close().await;
    log_b.close().await;
}

/// Without the lease, as when a lease's connection breaks unseen: the checkpoint alone keeps effects single.
#[tokio::test(flavor = "multi_thread")]
async fn two_runners_at_once_still_have_each_effect_once() {
    let backend = Backend::new(Kind::Sqlite);
    let log = backend.log().await;
    let (views_a, views_b) = (backend.views("views").await, backend.views("views").await);
    let a = Projections::start(log.clone(), views_a.clone()).await.unwrap();
    let b = Projections::start(log.clone(), views_b).await.unwrap();
    World::new(67, log.clone()).run(2_000).await;
    let head = log.head().await.unwrap();
    a.wait_for(head, PATIENCE).await.unwrap();
    b.wait_for(head, PATIENCE).await.unwrap();
    a.stop().await;
    b.stop().await;
    let comparison = backend.compare_with_rebuilt(&log, &views_a).await;
    assert_eq!(comparison.differences, []);
    log.close().await;
}
