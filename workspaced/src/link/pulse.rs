//! Whether the control plane at the other end is still the process that knows this connection.
//!
//! A control plane that was killed sends no word, and a new one in its place knows nothing of the connection: then it has
//! to be made anew at once. But a network that is gone for a while must not cost the open streams. The two look the same
//! from the tunnel; the instance in the enrolment's answer tells them apart.

use crate::enrol::{EnrolError, Enrolment};
use docket_wire::{
    endpoint::{HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT},
    hello::HEARTBEAT,
};
use iroh::{Endpoint, Watcher, endpoint::Connection};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PROBE_PAUSE: Duration = Duration::from_millis(250);
/// The same process answers outside the tunnel, but for this long not inside: something is broken that only a new
/// connection mends.
const DEAF: Duration = Duration::from_secs(20);

/// The watch over one connection.
#[derive(Debug)]
pub(super) struct Pulse<'a> {
    enrolment: &'a Enrolment,
    instance: &'a str,
}

impl<'a> Pulse<'a> {
    /// For a connection to this process of the control plane.
    pub(super) fn new(enrolment: &'a Enrolment, instance: &'a str) -> Self {
        Self { enrolment, instance }
    }

    /// Returns when the connection has to be left; with the reason if that is a refusal.
    pub(super) async fn watch(&self, endpoint: &Endpoint, connection: &Connection, heard: &mut Instant) -> Option<EnrolError> {
        let mut relay = endpoint.home_relay_status();
        let mut answered = Instant::now();
        loop {
            let suspect = tokio::select! {
                () = tokio::time::sleep(HEARTBEAT_INTERVAL) => !beat(connection).await,
                // A killed process closes its sockets: this comes long before a heartbeat is missed. Also when the relay is
                // connected again by now, for it may be another process's.
                changed = relay.updated() => changed.is_ok(),
            };
            if !suspect {
                *heard = Instant::now();
                answered = Instant::now();
                continue;
            }
            match self.probe().await {
                Ok(()) => *heard = Instant::now(),
                Err(left) => return left,
            }
            if answered.elapsed() > DEAF {
                return None;
            }
        }
    }

    /// Asks outside the tunnel until there is an answer: fine if the process is the same.
    async fn probe(&self) -> Result<(), Option<EnrolError>> {
        loop {
            match self.enrolment.ask().await {
                Ok(answer) if answer.instance == self.instance => return Ok(()),
                Ok(_) => return Err(None),
                Err(EnrolError::Unreachable(_)) => tokio::time::sleep(PROBE_PAUSE).await,
                Err(error) => return Err(Some(error)),
            }
        }
    }
}

async fn beat(connection: &Connection) -> bool {
    let exchange = async {
        let (mut send, mut receive) = connection.open_bi().await?;
        send.write_all(&[HEARTBEAT]).await?;
        send.shutdown().await?;
        anyhow::ensure!(receive.read_u8().await? == HEARTBEAT);
        anyhow::Ok(())
    };
    matches!(tokio::time::timeout(HEARTBEAT_TIMEOUT, exchange).await, Ok(Ok(())))
}
