//! What may be asked of a template.

use super::event::Provisioner;

#[derive(Clone, Debug)]
pub enum TemplateCommand {
    Create { name: String, description: String, provisioner: Provisioner },
    Describe { description: String },
    SetArchived { archived: bool },
}
