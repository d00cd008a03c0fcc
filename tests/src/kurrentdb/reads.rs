//! Reading: a stream or all of them, forwards or backwards, or as a subscription that catches up and then follows.

use super::{
    protocol::{
        StreamIdentifier, Uuid as WireUuid,
        streams::{
            ReadResp,
            read_req::{
                Options,
                options::{
                    AllOptions, CountOption, FilterOption, ReadDirection, StreamOption, StreamOptions,
                    all_options::AllOption,
                    filter_options::{Expression, Filter},
                    stream_options::RevisionOption,
                },
            },
            read_resp::{
                CaughtUp, Checkpoint, Content, ReadEvent, StreamNotFound, SubscriptionConfirmation,
                read_event::{Position as EventPosition, RecordedEvent},
            },
        },
        uuid::Value,
    },
    store::{Event, Store},
};
use futures_util::{Stream, StreamExt, stream};
use std::{collections::VecDeque, pin::Pin, sync::Arc};
use tonic::Status;

type Answers = Pin<Box<dyn Stream<Item = Result<ReadResp, Status>> + Send>>;

/// Events that a subscription looks at between two checkpoints.
const CHECKPOINT: usize = 32;

pub(super) fn read(store: &Arc<Store>, options: Options) -> Result<Answers, Status> {
    let invalid = |what: &str| Status::invalid_argument(what.to_owned());
    let chosen = chosen(options.filter_option)?;
    let backwards = options.read_direction == i32::from(ReadDirection::Backwards);
    match (options.stream_option, options.count_option) {
        (Some(StreamOption::Stream(of)), Some(CountOption::Count(count))) => {
            Ok(finite(stream_events(store, of, backwards, count)?))
        }
        (Some(StreamOption::All(from)), Some(CountOption::Count(count))) => {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let mut events = all_events(store, from, backwards)?;
            events.retain(|event| chosen(event));
            events.truncate(count);
            Ok(finite(events.iter().map(|event| content(event)).collect()))
        }
        (Some(StreamOption::All(from)), Some(CountOption::Subscription(_))) => {
            let next = match from.all_option {
                Some(AllOption::Start(_)) => 0,
                // After it, not from it on.
                Some(AllOption::Position(at)) => {
                    store.index(at.commit_position).ok_or_else(|| invalid("the position is no event's"))? + 1
                }
                Some(AllOption::End(_)) => store.events(),
                None => return Err(invalid("no position")),
            };
            Ok(subscription(store.clone(), next, chosen))
        }
        _ => Err(invalid("not of this double")),
    }
}

fn finite(contents: Vec<Content>) -> Answers {
    Box::pin(stream::iter(contents).map(answer))
}

fn answer(content: Content) -> Result<ReadResp, Status> {
    Ok(ReadResp { content: Some(content) })
}

fn stream_events(store: &Store, of: StreamOptions, backwards: bool, count: u64) -> Result<Vec<Content>, Status> {
    let identifier = of.stream_identifier.ok_or_else(|| Status::invalid_argument("no stream"))?;
    let name = String::from_utf8_lossy(&identifier.stream_name).into_owned();
    let Some(mut events) = store.stream(&name) else {
        return Ok(vec![Content::StreamNotFound(StreamNotFound { stream_identifier: Some(identifier) })]);
    };
    let last = events.last().map_or(0, |event| event.revision);
    match (of.revision_option.ok_or_else(|| Status::invalid_argument("no revision"))?, backwards) {
        (RevisionOption::Revision(from), false) => events.retain(|event| event.revision >= from),
        (RevisionOption::Revision(from), true) => events.retain(|event| event.revision <= from),
        (RevisionOption::Start(_), false) | (RevisionOption::End(_), true) => {}
        (RevisionOption::End(_), false) => events.clear(),
        (RevisionOption::Start(_), true) => events.truncate(1),
    }
    if backwards {
        events.reverse();
    }
    events.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    let mut contents: Vec<_> = events.iter().map(|event| content(event)).collect();
    contents.push(Content::LastStreamPosition(last));
    Ok(contents)
}

/// Forwards from a position, that one included; backwards from before it.
fn all_events(store: &Store, from: AllOptions, backwards: bool) -> Result<VecDeque<Arc<Event>>, Status> {
    let mut events: VecDeque<_> = store.all(0, usize::MAX).into();
    match from.all_option {
        Some(AllOption::Start(_)) if !backwards => {}
        Some(AllOption::End(_)) if backwards => {}
        Some(AllOption::Position(at)) if backwards => events.retain(|event| event.position < at.commit_position),
        Some(AllOption::Position(at)) => events.retain(|event| event.position >= at.commit_position),
        _ => events.clear(),
    }
    if backwards {
        events = events.into_iter().rev().collect();
    }
    Ok(events)
}

fn subscription(store: Arc<Store>, next: usize, chosen: Chosen) -> Answers {
    let confirmed = Content::Confirmation(SubscriptionConfirmation { subscription_id: uuid::Uuid::new_v4().to_string() });
    let grown = store.grown.subscribe();
    let following =
        stream::unfold((store, next, chosen, grown, false), |(store, mut next, chosen, mut grown, mut live)| async move {
            loop {
                grown.borrow_and_update();
                let page = store.all(next, CHECKPOINT);
                next += page.len();
                let mut contents: Vec<_> = page.iter().filter(|event| chosen(event)).map(|event| content(event)).collect();
                match page.last() {
                    Some(last) if page.len() == CHECKPOINT && !live => contents.push(Content::Checkpoint(Checkpoint {
                        commit_position: last.position,
                        prepare_position: last.position,
                    })),
                    Some(_) => {}
                    None if !live => {
                        live = true;
                        contents.push(Content::CaughtUp(CaughtUp {}));
                    }
                    None => grown.changed().await.ok()?,
                }
                if !contents.is_empty() {
                    return Some((stream::iter(contents).map(answer), (store, next, chosen, grown, live)));
                }
            }
        });
    Box::pin(stream::once(async { answer(confirmed) }).chain(following.flatten()))
}

type Chosen = Box<dyn Fn(&Event) -> bool + Send + Sync>;

fn chosen(filter: Option<FilterOption>) -> Result<Chosen, Status> {
    let Some(FilterOption::Filter(filter)) = filter else { return Ok(Box::new(|_| true)) };
    let (by_stream, Expression { regex, prefix }) = match filter.filter {
        Some(Filter::StreamIdentifier(expression)) => (true, expression),
        Some(Filter::EventType(expression)) => (false, expression),
        None => return Err(Status::invalid_argument("no filter")),
    };
    let begins_otherwise = if prefix.is_empty() { Some(excluded(&regex)?) } else { None };
    Ok(Box::new(move |event| {
        let name = if by_stream { &*event.stream } else { event.event_type() };
        match &begins_otherwise {
            Some(excluded) => name.chars().next().is_some_and(|first| !excluded.contains(first)),
            None => prefix.iter().any(|prefix| name.starts_with(prefix)),
        }
    }))
}

/// Of `^[^…]`, the characters that a name may not begin with: the one kind of expression that this double knows.
fn excluded(regex: &str) -> Result<String, Status> {
    let excluded = regex.strip_prefix("^[^").and_then(|rest| rest.strip_suffix("]"));
    excluded.map(str::to_owned).ok_or_else(|| Status::unimplemented(format!("the expression {regex}")))
}

fn content(event: &Event) -> Content {
    Content::Event(ReadEvent {
        event: Some(RecordedEvent {
            id: Some(WireUuid { value: Some(Value::String(event.new.id.to_string())) }),
            stream_identifier: Some(StreamIdentifier { stream_name: event.stream.clone().into() }),
            stream_revision: event.revision,
            prepare_position: event.position,
            commit_position: event.position,
            metadata: event.new.metadata.clone(),
            custom_metadata: event.new.custom.clone(),
            data: event.new.data.clone(),
        }),
        link: None,
        position: Some(EventPosition::CommitPosition(event.position)),
    })
}
