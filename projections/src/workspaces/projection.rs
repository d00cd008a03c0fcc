//! Workspaces and their build logs as rows.

use super::document::WorkspaceDocument;
use crate::{
    database::{Transaction, Upsert, Value, documents},
    error::ApplyError,
    projection::{Projection, Table},
    stream_uuid::stream_uuid,
};
use docket_domain::{ids::WorkspaceId, workspace::WorkspaceEvent};
use docket_eventlog::{Filter, Recorded};
use std::{collections::BTreeSet, sync::Arc};

/// The newest lines of a workspace's builds that are kept. The log has them all.
pub const MAX_LOG_LINES: usize = 2_000;

const WORKSPACES: Upsert = Upsert {
    table: "workspaces@",
    columns: &["id", "owner", "chat_id", "status", "created_at", "document"],
    key: &["id"],
    replace: &["status", "document"],
    add: &[],
};
const LINES: Upsert = Upsert {
    table: "build_log@",
    columns: &["workspace_id", "position", "recorded_at", "build_id", "line"],
    key: &["workspace_id", "position"],
    replace: &[],
    add: &[],
};

#[derive(Debug, Default)]
pub struct Workspaces;

impl Projection for Workspaces {
    const NAME: &'static str = "workspaces";
    const VERSION: u32 = 1;
    const TABLES: &'static [Table] = &[
        Table {
            name: "workspaces",
            key: &["id"],
            columns: "id TEXT PRIMARY KEY, owner TEXT NOT NULL, chat_id TEXT, status TEXT NOT NULL, created_at BIGINT NOT \
                NULL, document TEXT NOT NULL",
            indexes: &[("owner", "owner, created_at, id"), ("age", "created_at, id")],
        },
        Table {
            name: "build_log",
            key: &["workspace_id", "position"],
            columns: "workspace_id TEXT NOT NULL, position BIGINT NOT NULL, recorded_at BIGINT NOT NULL, build_id TEXT NOT \
                NULL, line TEXT NOT NULL, PRIMARY KEY (workspace_id, position)",
            indexes: &[],
        },
    ];

    fn filter() -> Filter {
        Filter::all().aggregates(["workspace"])
    }

    async fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> Result<(), ApplyError> {
        let decoded = events.iter().map(|event| Ok((stream_uuid(event)?, event, event.decode::<WorkspaceEvent>()?)));
        let decoded: Vec<_> = decoded.collect::<Result<_, ApplyError>>()?;
        let ids: BTreeSet<_> = decoded.iter().map(|(id, ..)| *id).collect();
        let mut workspaces = documents::<WorkspaceDocument>(tx, "workspaces@", ids).await?;
        let mut lines = Vec::new();
        let mut logged = BTreeSet::new();
        for (id, recorded, event) in &decoded {
            if let WorkspaceEvent::BuildLogged { build_id, line } = event {
                logged.insert(*id);
                lines.push(vec![
                    Value::id(id),
                    Value::count(recorded.position),
                    Value::int(recorded.recorded_at),
                    Value::id(build_id),
                    Value::text(line),
                ]);
            }
            if let Some(created) = WorkspaceDocument::created(WorkspaceId(*id), recorded.recorded_at, event) {
                workspaces.insert(*id, created);
            }
            if let Some(workspace) = workspaces.get_mut(id) {
                workspace.apply(recorded.position, recorded.recorded_at, event);
            }
        }
        let rows: Vec<_> = workspaces.values().map(row).collect::<sqlx::Result<_>>()?;
        WORKSPACES.write(tx, rows).await?;
        LINES.write(tx, lines).await?;
        for id in logged {
            let sql = format!(
                "DELETE FROM build_log@ WHERE workspace_id = $1 AND position <= (SELECT position FROM build_log@ \
                 WHERE workspace_id = $2 ORDER BY position DESC LIMIT 1 OFFSET {MAX_LOG_LINES})"
            );
            tx.execute(&sql, vec![Value::id(id), Value::id(id)]).await?;
        }
        Ok(())
    }
}

fn row(workspace: &WorkspaceDocument) -> sqlx::Result<Vec<Value>> {
    Ok(vec![
        Value::id(workspace.id),
        Value::id(workspace.owner),
        Value::maybe(workspace.chat_id),
        Value::id(workspace.status),
        Value::int(workspace.created_at),
        Value::document(workspace)?,
    ])
}
