//! The state of a template.

use super::event::{Provisioner, TemplateEvent};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub name: String,
    pub description: String,
    pub provisioner: Option<Provisioner>,
    pub archived: bool,
}

impl Template {
    pub(super) fn fold(&mut self, event: &TemplateEvent) {
        match event {
            TemplateEvent::Created { name, description, provisioner } => {
                self.name.clone_from(name);
                self.description.clone_from(description);
                self.provisioner = Some(*provisioner);
            }
            TemplateEvent::Described { description } => self.description.clone_from(description),
            TemplateEvent::Archived => self.archived = true,
            TemplateEvent::Unarchived => self.archived = false,
        }
    }
}
