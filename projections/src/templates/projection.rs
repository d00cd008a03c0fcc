//! Templates as rows, with their popularity.

use crate::{
    database::{Transaction, Upsert, Value, documents},
    error::ApplyError,
    projection::{Projection, Table},
    stream_uuid::stream_uuid,
};
use docket_domain::{
    ids::TemplateId,
    template::{Provisioner, TemplateEvent},
    workspace::WorkspaceEvent,
};
use docket_eventlog::{Filter, Recorded};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use strum::VariantNames;
use utoipa::ToSchema;
use uuid::Uuid;

const ROWS: Upsert = Upsert {
    table: "templates@",
    columns: &["id", "name", "archived", "popularity", "document"],
    key: &["id"],
    replace: &["name", "archived", "popularity", "document"],
    add: &[],
};

/// A template. Times are µs since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateDocument {
    #[schema(value_type = Uuid)]
    pub id: TemplateId,
    pub name: String,
    pub description: String,
    /// What carries out the builds of its workspaces.
    #[schema(value_type = String)]
    pub provisioner: Provisioner,
    pub archived: bool,
    /// Workspaces that were ever made from it.
    pub popularity: u64,
    pub created_at: i64,
    pub updated_at: i64,
    /// Of the last event of the template's stream that is in this document.
    pub position: u64,
}

#[derive(Debug, Default)]
pub struct Templates;

/// What concerns a template.
enum Change {
    Own(TemplateEvent),
    Used,
}

impl Projection for Templates {
    const NAME: &'static str = "templates";
    const VERSION: u32 = 1;
    const TABLES: &'static [Table] = &[Table {
        name: "templates",
        key: &["id"],
        columns: "id TEXT PRIMARY KEY, name TEXT NOT NULL, archived BIGINT NOT NULL, popularity BIGINT NOT NULL, \
                document TEXT NOT NULL",
        indexes: &[("name", "name")],
    }];

    fn filter() -> Filter {
        Filter::all().types(TemplateEvent::VARIANTS.iter().copied().chain(["workspace.created"]))
    }

    async fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> Result<(), ApplyError> {
        let changes: Vec<_> = events.iter().map(|event| change(event)).collect::<Result<_, _>>()?;
        let ids = changes.iter().map(|(id, _)| *id).collect();
        let mut templates = documents::<TemplateDocument>(tx, "templates@", ids).await?;
        for ((id, change), event) in changes.iter().zip(events) {
            match change {
                Change::Own(TemplateEvent::Created { name, description, provisioner }) => {
                    let template = TemplateDocument {
                        id: TemplateId(*id),
                        name: name.clone(),
                        description: description.clone(),
                        provisioner: *provisioner,
                        archived: false,
                        popularity: 0,
                        created_at: event.recorded_at,
                        updated_at: event.recorded_at,
                        position: event.position,
                    };
                    templates.insert(*id, template);
                }
                Change::Own(own) => {
                    if let Some(template) = templates.get_mut(id) {
                        template.apply(event.position, event.recorded_at, own);
                    }
                }
                Change::Used => {
                    if let Some(template) = templates.get_mut(id) {
                        template.popularity += 1;
                    }
                }
            }
        }
        let rows: Vec<_> = templates.values().map(row).collect::<sqlx::Result<_>>()?;
        Ok(ROWS.write(tx, rows).await?)
    }
}

fn change(event: &Recorded) -> Result<(Uuid, Change), ApplyError> {
    if &*event.event_type != "workspace.created" {
        return Ok((stream_uuid(event)?, Change::Own(event.decode()?)));
    }
    match event.decode()? {
        WorkspaceEvent::Created { template_id, .. } => Ok((template_id.0, Change::Used)),
        _ => Err(ApplyError::Unfit("the payload is that of another event".to_owned())),
    }
}

impl TemplateDocument {
    fn apply(&mut self, position: u64, at: i64, event: &TemplateEvent) {
        self.position = position;
        self.updated_at = at;
        match event {
            TemplateEvent::Created { .. } => {}
            TemplateEvent::Described { description } => self.description.clone_from(description),
            TemplateEvent::Archived => self.archived = true,
            TemplateEvent::Unarchived => self.archived = false,
        }
    }
}

fn row(template: &TemplateDocument) -> sqlx::Result<Vec<Value>> {
    Ok(vec![
        Value::id(template.id),
        Value::text(&template.name),
        Value::flag(template.archived),
        Value::count(template.popularity),
        Value::document(template)?,
    ])
}
