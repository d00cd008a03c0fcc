//! The daemon's end of the tunnel: it dials, stays connected, and finds its way back.

mod connection;
mod pulse;

use crate::{
    enrol::{EnrolError, Enrolment},
    identity::Identity,
};
use axum::Router;
use connection::Left;
use docket_wire::{bootstrap::BootstrapAnswer, endpoint};
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayUrl};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A restarted control plane is found within this time.
const PAUSE: Duration = Duration::from_millis(500);
/// After [`LONG_AGO`] without an answer.
const LONG_PAUSE: Duration = Duration::from_secs(5);
const LONG_AGO: Duration = Duration::from_secs(60);
/// While another daemon is connected with the same key, or this one is refused.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// Why the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to by a signal.
    Told,
    /// The workspace was deleted.
    Deleted,
    /// The control plane was out of reach for too long.
    Unreachable,
}

/// The daemon's end of the tunnel.
#[derive(Debug)]
pub struct Link {
    enrolment: Enrolment,
    identity: Identity,
    url: RelayUrl,
    router: Router,
    exit_after: Option<Duration>,
}

impl Link {
    /// Serves the router to the control plane at the URL.
    pub fn new(
        url: &str,
        enrolment: Enrolment,
        identity: Identity,
        router: Router,
        exit_after: Option<Duration>,
    ) -> anyhow::Result<Self> {
        Ok(Self { enrolment, identity, url: url.parse()?, router, exit_after })
    }

    /// Connects, again and again, until there is a reason to end.
    pub async fn run(&self, stop: &CancellationToken) -> Ended {
        let mut heard = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let left = tokio::select! {
                left = self.once(&mut heard, stop) => left,
                () = stop.cancelled() => return Ended::Told,
            };
            let silent = heard.elapsed();
            pause = match left {
                Left::Told => return Ended::Told,
                Left::Deleted => return Ended::Deleted,
                Left::Lost => FIRST_PAUSE,
                Left::Refused => REFUSED_PAUSE,
                Left::Failed if silent > LONG_AGO => LONG_PAUSE,
                Left::Failed => (pause * 2).min(PAUSE),
            };
            if self.exit_after.is_some_and(|limit| silent > limit) {
                return Ended::Unreachable;
            }
            let jitter = 0.8 + 0.4 * rand::random::<f64>();
            tokio::select! {
                () = tokio::time::sleep(pause.mul_f64(jitter)) => {}
                () = stop.cancelled() => return Ended::Told,
            }
        }
    }

    async fn once(&self, heard: &mut Instant, stop: &CancellationToken) -> Left {
        let answer = match self.enrolment.ask().await {
            Ok(answer) => answer,
            Err(error) => return refused(&error),
        };
        *heard = Instant::now();
        match self.bind(&answer).await {
            Ok((endpoint, peer)) => {
                let left = connection::serve(self, &endpoint, peer, &answer.instance, heard, stop).await;
                // To its end, whatever it takes: two endpoints with one key would fight for the relay's slot.
                let begun = Instant::now();
                endpoint.close().await;
                tracing::debug!(elapsed = ?begun.elapsed(), "the endpoint is closed");
                left
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the tunnel's endpoint cannot be made");
                Left::Failed
            }
        }
    }

    async fn bind(&self, answer: &BootstrapAnswer) -> anyhow::Result<(Endpoint, EndpointAddr)> {
        let id: EndpointId = answer.endpoint_id.parse()?;
        let builder = endpoint::builder(self.identity.key().clone(), self.url.clone(), &answer.relay_token);
        let endpoint = builder.bind().await?;
        Ok((endpoint, EndpointAddr::new(id).with_relay_url(self.url.clone())))
    }
}

/// What a refused enrolment means for the next attempt.
fn refused(error: &EnrolError) -> Left {
    match error {
        EnrolError::Unreachable(why) => {
            tracing::debug!(why, "the control plane cannot be reached");
            Left::Failed
        }
        EnrolError::Deleted(_) => Left::Deleted,
        EnrolError::Replaced(_) | EnrolError::Refused(_) => {
            tracing::error!("{error}");
            Left::Refused
        }
    }
}
