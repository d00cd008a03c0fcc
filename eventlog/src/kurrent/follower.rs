//! The subscription through which this process gets every event, its own and those of others: there the order is, and the position.

use super::{connection::Connection, decoder::Decoder, envelope::STREAMS_OF_EVENTS, seen::Seen};
use crate::{error::ReadError, live::Live};
use eventstore::{
    Position, RecordedEvent, StreamPosition, SubscribeToAllOptions, Subscription, SubscriptionEvent, SubscriptionFilter,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::sleep};

/// Events that may wait to be shown; the server waits when there are more.
const WAITING: usize = 1024;
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) struct Follower {
    connection: Arc<Connection>,
    seen: Arc<Seen>,
    /// The last event of ours that was shown.
    position: u64,
}

impl Follower {
    pub(super) fn new(connection: Arc<Connection>, seen: Arc<Seen>, position: u64) -> Self {
        Self { connection, seen, position }
    }

    /// Runs until the log is closed. Errors never end it: it goes on where it was.
    pub(crate) async fn run(mut self, live: Arc<Live>) {
        let closed = live.closed.clone();
        let follow = async {
            loop {
                if let Err(error) = self.follow(&live).await {
                    tracing::warn!(%error, "the log's subscription was lost");
                }
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = closed.cancelled() => {}
            () = follow => {}
        }
    }

    /// One subscription's life.
    async fn follow(&mut self, live: &Live) -> Result<(), ReadError> {
        let (sender, mut received) = mpsc::channel(WAITING);
        let (connection, position) = (self.connection.clone(), self.position);
        // To wait for the next event with one hand and take in those that have come with the other, it needs a task of its own: a
        // wait that is dropped would end the subscription.
        let receiving = AbortOnDrop(tokio::spawn(async move { receive(&connection, position, sender).await }));
        let mut events = Vec::new();
        while received.recv_many(&mut events, WAITING).await > 0 {
            self.show(live, events.drain(..).collect()).await?;
        }
        receiving.ended().await
    }

    async fn show(&mut self, live: &Live, received: Vec<RecordedEvent>) -> Result<(), ReadError> {
        let connection = self.connection.clone();
        let (mut events, mut ids, mut decoder) = (Vec::new(), Vec::new(), Decoder::new(&connection));
        for event in &received {
            if let Some(recorded) = decoder.event(event).await? {
                ids.push((event.id, recorded.position));
                events.push(recorded);
            }
        }
        if let Some(last) = events.last().map(|event| event.position) {
            live.advance(last);
            live.fill(events, last);
            self.position = last;
            self.seen.shown(ids);
        }
        Ok(())
    }
}

/// Hands over every event after a position until the subscription breaks.
async fn receive(connection: &Connection, after: u64, sender: mpsc::Sender<RecordedEvent>) -> Result<(), ReadError> {
    let mut subscription = subscribe(connection, after).await;
    loop {
        let next = subscription.next_subscription_event().await.map_err(|error| connection.failed(&error))?;
        if let SubscriptionEvent::EventAppeared(event) = next
            && let Some(event) = event.event
            && sender.send(event).await.is_err()
        {
            return Ok(());
        }
    }
}

/// What the server sends of all streams of events after a position.
pub(super) async fn subscribe(connection: &Connection, after: u64) -> Subscription {
    let position = match after {
        0 => StreamPosition::Start,
        after => StreamPosition::Position(Position { commit: after, prepare: after }),
    };
    let filter = SubscriptionFilter::on_stream_name().regex(STREAMS_OF_EVENTS);
    connection.client().subscribe_to_all(&SubscribeToAllOptions::default().position(position).filter(filter)).await
}

/// A task that does not outlive whoever waits for it.
struct AbortOnDrop(tokio::task::JoinHandle<Result<(), ReadError>>);

impl AbortOnDrop {
    async fn ended(mut self) -> Result<(), ReadError> {
        (&mut self.0).await.unwrap_or_else(|error| Err(ReadError::damaged(error.to_string())))
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
