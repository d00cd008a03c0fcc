//! What may be asked of the templates.

use super::projection::TemplateDocument;
use crate::{database::Value, error::ProjectionError, view::View};
use docket_domain::ids::TemplateId;

/// Reads the templates. An installation has few, so they are not paged.
#[derive(Clone, Debug)]
pub struct TemplateReads {
    pub(crate) view: View,
}

/// Which templates a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateList {
    /// Those of which workspaces can be made.
    Offered,
    All,
}

impl TemplateReads {
    /// The most popular first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(&self, which: TemplateList) -> Result<Vec<TemplateDocument>, ProjectionError> {
        let archived = match which {
            TemplateList::Offered => 0,
            TemplateList::All => 1,
        };
        let sql = "SELECT document FROM templates@ WHERE archived <= $1 ORDER BY popularity DESC, name, id";
        let rows = self.view.read().await?.fetch(sql, vec![Value::int(archived)]).await?;
        Ok(rows.iter().map(|row| row.document(0)).collect::<sqlx::Result<_>>()?)
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn get(&self, id: TemplateId) -> Result<Option<TemplateDocument>, ProjectionError> {
        self.one("SELECT document FROM templates@ WHERE id = $1", Value::id(id)).await
    }

    /// By its exact name. Where several have it, one that is offered, and the most popular of these.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn by_name(&self, name: &str) -> Result<Option<TemplateDocument>, ProjectionError> {
        let sql = "SELECT document FROM templates@ WHERE name = $1 ORDER BY archived, popularity DESC, id LIMIT 1";
        self.one(sql, Value::text(name)).await
    }

    async fn one(&self, sql: &str, key: Value) -> Result<Option<TemplateDocument>, ProjectionError> {
        let row = self.view.read().await?.first(sql, vec![key]).await?;
        Ok(row.map(|row| row.document(0)).transpose()?)
    }
}
