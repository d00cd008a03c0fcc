//! Whatever is cut off between the rows and the checkpoint, an event takes effect once.

use crate::{
    backend::{Backend, Kind, PATIENCE, assert_same},
    history::World,
};
use docket_eventlog::{Filter, Recorded};
use docket_projections::{
    ApplyError, Projection, Projections, Set, Table,
    audit_log::AuditLog,
    chat::Chats,
    database::{Transaction, Value},
    templates::Templates,
    usage::Usage,
    users::Users,
    workspaces::Workspaces,
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Fails after it has written, as a database does that goes away.
struct Faulty<P> {
    inner: P,
}

/// How many calls of all [`Faulty`] projections are still to fail.
static FAULTS: AtomicU32 = AtomicU32::new(0);

impl<P: Default> Default for Faulty<P> {
    fn default() -> Self {
        Self { inner: P::default() }
    }
}

impl<P: Projection> Projection for Faulty<P> {
    const NAME: &'static str = P::NAME;
    const VERSION: u32 = P::VERSION;
    const TABLES: &'static [Table] = P::TABLES;

    fn filter() -> Filter {
        P::filter()
    }

    async fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> Result<(), ApplyError> {
        self.inner.apply(tx, events).await?;
        match FAULTS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(ApplyError::Database(sqlx::Error::WorkerCrashed)),
            Err(_) => Ok(()),
        }
    }
}

async fn faults_never_double_an_effect(kind: Kind) {
    let backend = Backend::new(kind);
    let log = backend.log().await;
    let views = backend.views("views").await;
    let set = Set::default().with::<Faulty<Chats>>().with::<Faulty<AuditLog>>().with::<Faulty<Usage>>();
    let set = set.with::<Faulty<Workspaces>>().with::<Faulty<Templates>>().with::<Faulty<Users>>();
    let projections = Projections::start_set(&set, log.clone(), views.clone()).await.unwrap();
    let mut world = World::new(41, log.clone());
    for _ in 0..4 {
        world.run(100).await;
        FAULTS.fetch_add(3, Ordering::SeqCst);
        world.run(300).await;
        projections.wait_for(log.head().await.unwrap(), PATIENCE).await.unwrap();
    }
    assert_eq!(FAULTS.load(Ordering::SeqCst), 0, "all faults have happened");
    assert_eq!(projections.failures(None, 10).await.unwrap(), [], "and no event was skipped for them");
    projections.stop().await;
    assert_same(&backend.compare_with_rebuilt(&log, &views).await);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_between_rows_and_checkpoint_never_double_an_effect() {
    // One after the other, because they share the faults.
    faults_never_double_an_effect(Kind::Sqlite).await;
    faults_never_double_an_effect(Kind::Postgres).await;
}

/// A process that is killed leaves its transactions open; here its runtime is taken away under it.
#[test]
fn a_killed_process_leaves_nothing_half_done() {
    let own = tokio::runtime::Runtime::new().unwrap();
    let backend = Backend::new(Kind::Sqlite);
    let (log, views) = own.block_on(async {
        let log = backend.log().await;
        World::new(43, log.clone()).run(6_000).await;
        (log, backend.views("views").await)
    });
    let head = own.block_on(log.head()).unwrap();
    for kill in 0..12_u64 {
        let victim = tokio::runtime::Runtime::new().unwrap();
        victim.block_on(async {
            let views = backend.views("views").await;
            let projections = Projections::start(log.clone(), views).await.unwrap();
            // The kill comes as soon as it has got a bit further, wherever it then is.
            let _ = projections.wait_for_one("chat", head * kill / 12 + 1, PATIENCE).await;
        });
        victim.shutdown_background();
    }
    own.block_on(async {
        let projections = Projections::start(log.clone(), views.clone()).await.unwrap();
        projections.wait_for(head, PATIENCE).await.unwrap();
        projections.stop().await;
        assert_same(&backend.compare_with_rebuilt(&log, &views).await);
        log.close().await;
    });
}

/// A checkpoint that another process has moved on: what we would write is not ours any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_was_overtaken_goes_on_from_where_the_other_is() {
    let backend = Backend::new(Kind::Sqlite);
    let log = backend.log().await;
    let views = backend.views("views").await;
    let mut world = World::new(47, log.clone());
    world.run(300).await;
    let set = Set::default().with::<Usage>();
    let projections = Projections::start_set(&set, log.clone(), views.clone()).await.unwrap();
    projections.wait_for(log.head().await.unwrap(), PATIENCE).await.unwrap();

    // Somebody else says that the next thousand positions are done.
    let further = log.head().await.unwrap() + 1_000;
    let mut tx = views.begin().await.unwrap();
    tx.execute("UPDATE generations SET position = $1", vec![Value::count(further)]).await.unwrap();
    tx.commit().await.unwrap();
    let before = projections.usage().query(&Default::default()).await.unwrap().totals;
    world.run(800).await;
    projections.wait_for(further, PATIENCE).await.unwrap();
    let after = projections.usage().query(&Default::default()).await.unwrap().totals;
    assert_eq!(before, after, "what the other has done is not done again");
    projections.stop().await;
    log.close().await;
}
