//! Which events a reader wants.

use crate::{recorded::Recorded, stream_id::StreamId};
use std::sync::Arc;
use uuid::Uuid;

/// Chooses events by stream, scope, aggregate type and event type, before anything is decoded. Conditions of different kinds must all
/// hold; of several values of one kind, any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    pub(crate) stream: Option<StreamId>,
    pub(crate) scopes: Option<Vec<Uuid>>,
    pub(crate) aggregates: Option<Vec<Arc<str>>>,
    pub(crate) types: Option<Vec<Arc<str>>>,
}

impl Filter {
    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The events of one stream.
    #[must_use]
    pub fn stream(stream: StreamId) -> Self {
        Self { stream: Some(stream), ..Self::default() }
    }

    /// The events that were appended with this scope: a chat's id for the chat and all its model calls.
    #[must_use]
    pub fn scope(scope: Uuid) -> Self {
        Self::scopes([scope])
    }

    /// The events of any of these scopes.
    #[must_use]
    pub fn scopes(scopes: impl IntoIterator<Item = Uuid>) -> Self {
        Self { scopes: Some(scopes.into_iter().collect()), ..Self::default() }
    }

    /// Narrows the choice to these aggregate types.
    #[must_use]
    pub fn aggregates<T: Into<Arc<str>>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.aggregates = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// Narrows the choice to these event types, in full (`chat.turn_started`).
    #[must_use]
    pub fn types<T: Into<Arc<str>>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// Whether the event is one of those chosen.
    #[must_use]
    pub fn matches(&self, event: &Recorded) -> bool {
        self.stream.as_ref().is_none_or(|stream| *stream == event.stream)
            && self.scopes.as_ref().is_none_or(|scopes| event.scope.is_some_and(|scope| scopes.contains(&scope)))
            && self.aggregates.as_ref().is_none_or(|types| types.contains(&event.stream.aggregate_type))
            && self.types.as_ref().is_none_or(|types| types.contains(&event.event_type))
    }

    /// Whether there can be events of this aggregate type among those chosen.
    pub(crate) fn may_match_aggregate(&self, kind: &str) -> bool {
        let of_kind = |event_type: &Arc<str>| event_type.split_once('.').is_none_or(|(aggregate, _)| aggregate == kind);
        self.stream.as_ref().is_none_or(|stream| *stream.aggregate_type == *kind)
            && self.aggregates.as_ref().is_none_or(|types| types.iter().any(|aggregate| **aggregate == *kind))
            && self.types.as_ref().is_none_or(|types| types.iter().any(of_kind))
    }

    /// How far after `after` one page may look when the newest position is `head`. An index finds the events of one stream or scope;
    /// for any other condition the rows are looked at one by one, and a rare one must not cost a walk through the whole log.
    pub(crate) fn horizon(&self, after: u64, head: u64) -> u64 {
        const WINDOW: u64 = 50_000;
        let indexed = self.stream.is_some() || self.scopes.as_ref().is_some_and(|scopes| scopes.len() == 1);
        if indexed || *self == Self::all() { head } else { head.min(after.saturating_add(WINDOW)) }
    }
}
