//! What may be asked of the workspaces.

use super::document::{BuildLogLine, WorkspaceDocument};
use crate::{
    cursor,
    database::{Conditions, Value},
    error::ProjectionError,
    view::View,
};
use docket_domain::{
    ids::{ChatId, UserId, WorkspaceId},
    workspace::WorkspaceStatus,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most workspaces that are given out at once.
pub const MAX_WORKSPACES: usize = 200;

/// Which workspaces. The default is all that are not deleted.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceQuery {
    pub owner: Option<UserId>,
    /// Those that this chat asked for.
    pub chat: Option<ChatId>,
    pub status: Option<WorkspaceStatus>,
    /// From the page before.
    pub cursor: Option<String>,
    pub limit: usize,
}

/// Workspaces, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspacePage {
    pub items: Vec<WorkspaceDocument>,
    pub next_cursor: Option<String>,
}

/// Reads the workspaces.
#[derive(Clone, Debug)]
pub struct WorkspaceReads {
    pub(crate) view: View,
}

impl WorkspaceReads {
    /// # Errors
    /// When the database cannot be read.
    pub async fn get(&self, id: WorkspaceId) -> Result<Option<WorkspaceDocument>, ProjectionError> {
        let mut tx = self.view.read().await?;
        let row = tx.first("SELECT document FROM workspaces@ WHERE id = $1", vec![Value::id(id)]).await?;
        Ok(row.map(|row| row.document(0)).transpose()?)
    }

    /// # Errors
    /// When the cursor is not ours, or the database cannot be read.
    pub async fn list(&self, query: &WorkspaceQuery) -> Result<WorkspacePage, ProjectionError> {
        let limit = query.limit.clamp(1, MAX_WORKSPACES);
        let mut conditions = Conditions::default();
        match query.status {
            Some(status) => conditions.add("status = ?", [Value::id(status)]),
            None => conditions.add("status <> ?", [Value::id(WorkspaceStatus::Deleted)]),
        }
        if let Some(owner) = query.owner {
            conditions.add("owner = ?", [Value::id(owner)]);
        }
        if let Some(chat) = query.chat {
            conditions.add("chat_id = ?", [Value::id(chat)]);
        }
        if let Some(cursor) = &query.cursor {
            let (at, id): (i64, String) = cursor::read(cursor)?;
            conditions.add("(created_at, id) < (?, ?)", [Value::int(at), Value::text(id)]);
        }
        let sql = format!(
            "SELECT document FROM workspaces@ WHERE {} ORDER BY created_at DESC, id DESC LIMIT {}",
            conditions.sql(),
            limit + 1
        );
        let rows = self.view.read().await?.fetch(&sql, conditions.values).await?;
        let mut workspaces: Vec<WorkspaceDocument> = rows.iter().map(|row| row.document(0)).collect::<sqlx::Result<_>>()?;
        let more = workspaces.len() > limit;
        workspaces.truncate(limit);
        let last = workspaces.last().filter(|_| more);
        let next_cursor = last.map(|workspace| cursor::make(&(workspace.created_at, workspace.id.to_string())));
        Ok(WorkspacePage { items: workspaces, next_cursor })
    }

    /// The lines of the workspace's builds that are kept, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn build_log(&self, id: WorkspaceId) -> Result<Vec<BuildLogLine>, ProjectionError> {
        let sql = "SELECT position, recorded_at, build_id, line FROM build_log@ WHERE workspace_id = $1 ORDER BY position";
        let rows = self.view.read().await?.fetch(sql, vec![Value::id(id)]).await?;
        let line = |row: &crate::database::Row| {
            Ok(BuildLogLine { position: row.count(0)?, recorded_at: row.int(1)?, build_id: row.parsed(2)?, line: row.text(3)? })
        };
        Ok(rows.iter().map(line).collect::<sqlx::Result<_>>()?)
    }
}
