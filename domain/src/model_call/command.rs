//! What may be recorded of a model call.

use super::event::ModelCallEvent;

#[derive(Clone, Debug)]
pub enum ModelCallCommand {
    /// The request, before it is sent: a `Requested` event.
    Request(ModelCallEvent),
    /// What came from the provider, in order; it may end with a terminal.
    Record(Vec<ModelCallEvent>),
    /// The worker is gone: close the call, if it is open.
    Abandon,
}
