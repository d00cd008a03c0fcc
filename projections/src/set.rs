//! Which projections there are.

use crate::{
    audit_log::{self, AuditLog},
    build::{self, BuildError, Built, Job},
    chat::Chats,
    database::Database,
    failure, generation,
    progress::Progress,
    projection::{Projection, Table},
    runner::{self, Shared},
    templates::Templates,
    usage::Usage,
    users::Users,
    workspaces::Workspaces,
};
use docket_eventlog::Filter;
use futures_util::future::BoxFuture;
use std::sync::Arc;

type Run = fn(Shared, Arc<Progress>) -> BoxFuture<'static, ()>;
type Build = fn(Job) -> BoxFuture<'static, Result<Built, BuildError>>;

/// The tables of version 0.1, before there were generations. Views are disposable: they are built again.
const OF_0_1: [&str; 13] = [
    "checkpoints",
    "failed_events",
    "chats_v1",
    "messages_v1",
    "chat_labels_v1",
    "audit_log_v1",
    "usage_v1",
    "usage_open_v1",
    "workspaces_v1",
    "build_log_v1",
    "templates_v1",
    "users_v1",
    "tokens_v1",
];

/// Projections that are run together.
#[derive(Clone, Debug, Default)]
pub struct Set {
    pub(crate) members: Vec<Member>,
    /// What a build reads, if not everything: each event that a member wants is chosen by one of these.
    scan: Option<Vec<Filter>>,
}

/// A projection without its type.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) tables: &'static [Table],
    pub(crate) run: Run,
    pub(crate) build: Build,
}

impl Set {
    /// All of Docket's. A build reads neither tokens nor usage reports, which are nearly the whole log.
    #[must_use]
    pub fn standard() -> Self {
        let set = Self::default().with::<Chats>().with::<AuditLog>().with::<Usage>();
        let set = set.with::<Workspaces>().with::<Templates>().with::<Users>();
        let others = Filter::all().aggregates(["chat", "workspace", "template", "user", "policy"]);
        Self { scan: Some(vec![others, audit_log::model_calls()]), ..set }
    }

    #[must_use]
    pub fn with<P: Projection>(mut self) -> Self {
        self.members.push(Member {
            name: P::NAME,
            version: P::VERSION,
            tables: P::TABLES,
            run: |shared, progress| Box::pin(runner::run::<P>(shared, progress)),
            build: |job| Box::pin(build::catch_up::<P>(job)),
        });
        self.scan = None;
        self
    }

    /// Only those of these names.
    #[must_use]
    pub fn only(mut self, names: &[&str]) -> Self {
        self.members.retain(|member| names.contains(&member.name));
        self
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.members.iter().map(|member| member.name)
    }

    pub(crate) fn scan(&self) -> Vec<Filter> {
        self.scan.clone().unwrap_or_else(|| vec![Filter::all()])
    }

    /// Makes the tables that all projections share, where they are missing.
    pub(crate) async fn prepare(&self, database: &Database) -> sqlx::Result<()> {
        let old = OF_0_1.map(|table| format!("DROP TABLE IF EXISTS {table}"));
        let shared = generation::DDL.iter().chain(failure::DDL).map(|statement| (*statement).to_owned());
        let statements: Vec<_> = old.into_iter().chain(shared).collect();
        database.create(&statements, None).await
    }

    /// Has those built that there never was anything of, all together: so the log is read once.
    pub(crate) async fn begin_all(&self, database: &Database) -> sqlx::Result<()> {
        let mut tx = database.read().await?;
        let all = generation::all(&mut tx).await?;
        tx.rollback().await?;
        for member in &self.members {
            if !all.iter().any(|generation| generation.projection == member.name) {
                generation::begin_first(database, member.name, member.version).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use docket_domain::{
        VariantNames as _, chat::ChatEvent, model_call::ModelCallEvent, policy::PolicyEvent, template::TemplateEvent,
        user::UserEvent, workspace::WorkspaceEvent,
    };
    use docket_eventlog::{Recorded, StreamId};

    fn event(aggregate: &str, event_type: &str) -> Recorded {
        Recorded {
            position: 1,
            stream: StreamId::new(aggregate, "1"),
            scope: None,
            sequence: 1,
            event_type: event_type.into(),
            event_version: "1".into(),
            payload: "{}".into(),
            metadata: "{}".into(),
            recorded_at: 0,
            leaf_hash: [0; 32],
            encoded: Default::default(),
        }
    }

    #[test]
    fn a_build_reads_every_event_that_a_projection_wants_and_no_token() {
        let wanted =
            [Chats::filter(), AuditLog::filter(), Usage::filter(), Workspaces::filter(), Templates::filter(), Users::filter()];
        let read = Set::standard().scan();
        let types = [
            ChatEvent::VARIANTS,
            ModelCallEvent::VARIANTS,
            WorkspaceEvent::VARIANTS,
            TemplateEvent::VARIANTS,
            UserEvent::VARIANTS,
            PolicyEvent::VARIANTS,
        ];
        let mut both = 0;
        for event_type in types.concat().into_iter().chain(["chat.of_a_later_version"]) {
            let (aggregate, _) = event_type.split_once('.').unwrap();
            let event = event(aggregate, event_type);
            if wanted.iter().any(|filter| filter.matches(&event)) {
                assert!(read.iter().any(|filter| filter.matches(&event)), "{event_type}");
                both += 1;
            }
        }
        assert!(both > 50, "{both}");
        let token = event("model_call", "model_call.text_streamed");
        assert!(!read.iter().any(|filter| filter.matches(&token)));
    }
}
