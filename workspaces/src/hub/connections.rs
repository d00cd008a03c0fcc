//! Which workspaces are connected, by which connection, and whether they are in reach.

use super::reports::{Report, Reports};
use crate::tunnel::{Tunnel, iroh::IrohTunnel};
use docket_domain::ids::WorkspaceId;
use docket_wire::hello::{CLOSE_REFUSED, CLOSE_REPLACED};
use iroh::{
    EndpointId,
    endpoint::{Connection, VarInt},
};
use iroh_relay::server::ConnectionId;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// A daemon that lost its relay and is not back by then is out of reach.
const GRACE: Duration = Duration::from_millis(2_500);
/// Remembered for each workspace, newest last.
const REPLACED: usize = 16;
/// Keys of deleted workspaces that are remembered.
const FORGOTTEN: usize = 4_096;

#[derive(Debug)]
struct Current {
    tunnel: Arc<IrohTunnel>,
    key: EndpointId,
    run: String,
    in_reach: bool,
}

#[derive(Debug, Default)]
struct Slot {
    current: Option<Current>,
    /// Runs of daemons whose place a newer one took while they were in reach.
    replaced: VecDeque<String>,
}

#[derive(Debug, Default)]
struct State {
    slots: HashMap<WorkspaceId, Slot>,
    /// Connections to the relay.
    relayed: HashMap<EndpointId, HashSet<ConnectionId>>,
    forgotten: VecDeque<EndpointId>,
    reports: Option<Reports>,
}

/// All connections.
#[derive(Debug)]
pub(super) struct Connections {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Connections {
    pub(super) fn new(reports: Reports) -> Self {
        Self { state: Mutex::new(State { reports: Some(reports), ..State::default() }), changed: watch::Sender::new(()) }
    }

    /// The tunnel to a workspace that is in reach now.
    pub(super) fn now(&self, workspace: WorkspaceId) -> Option<Arc<dyn Tunnel>> {
        let state = self.state();
        let current = state.slots.get(&workspace)?.current.as_ref()?;
        current.in_reach.then(|| Arc::clone(&current.tunnel) as Arc<dyn Tunnel>)
    }

    /// As [`Self::now`], when there is one.
    pub(super) async fn tunnel(&self, workspace: WorkspaceId) -> Arc<dyn Tunnel> {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(tunnel) = self.now(workspace) {
                return tunnel;
            }
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// A daemon said hello. Its connection takes the place of any earlier one.
    pub(super) fn add(&self, workspace: WorkspaceId, connection: &Connection, run: &str) {
        let key = connection.remote_id();
        let tunnel = Arc::new(IrohTunnel::new(connection.clone()));
        let path = tunnel.info().path;
        let mut state = self.state();
        let relayed = state.relayed.get(&key).map_or(0, HashSet::len);
        let slot = state.slots.entry(workspace).or_default();
        slot.replaced.retain(|replaced| replaced != run);
        let old = slot.current.replace(Current { tunnel, key, run: run.to_owned(), in_reach: true });
        let mut duplicated = false;
        if let Some(old) = old {
            old.tunnel.lose("a newer connection took its place");
            old.tunnel.connection().close(VarInt::from_u32(CLOSE_REPLACED), b"replaced");
            // Another process, while the first is connected: there are two.
            duplicated = old.run != run && old.in_reach && relayed > 1;
            if duplicated {
                slot.replaced.push_back(old.run);
                if slot.replaced.len() > REPLACED {
                    slot.replaced.pop_front();
                }
            }
        }
        if duplicated {
            tracing::warn!(%workspace, "two daemons use this workspace's key; the newer one is used");
            state.report(Report::Duplicated(workspace));
        }
        state.report(Report::Connected(workspace, path));
        drop(state);
        self.changed.send_replace(());
    }

    /// Whether a daemon's place was taken by another that is there.
    pub(super) fn replaced(&self, workspace: WorkspaceId, run: &str) -> bool {
        let state = self.state();
        let Some(slot) = state.slots.get(&workspace) else { return false };
        let other = slot.current.as_ref().is_some_and(|current| current.in_reach && current.run != run);
        other && slot.replaced.iter().any(|replaced| replaced == run)
    }

    /// A daemon gave a sign of life. If it was out of reach, it is back, with all its streams.
    pub(super) fn alive(&self, workspace: WorkspaceId, connection: &Connection) {
        let mut state = self.state();
        let Some(current) = state.slots.get_mut(&workspace).and_then(|slot| slot.current.as_mut()) else { return };
        if current.in_reach || !same(current, connection) {
            return;
        }
        current.tunnel = Arc::new(IrohTunnel::new(connection.clone()));
        current.in_reach = true;
        let path = current.tunnel.info().path;
        state.report(Report::Connected(workspace, path));
        drop(state);
        self.changed.send_replace(());
    }

    /// A connection ended.
    pub(super) fn remove(&self, workspace: WorkspaceId, connection: &Connection, reason: &str) {
        let mut state = self.state();
        let Some(slot) = state.slots.get_mut(&workspace) else { return };
        let Some(current) = slot.current.take_if(|current| same(current, connection)) else { return };
        current.tunnel.lose(reason);
        if current.in_reach {
            state.report(Report::Disconnected(workspace, reason.to_owned()));
        }
    }

    /// A daemon is connected to the relay.
    pub(super) fn present(&self, key: EndpointId, connection: ConnectionId) {
        self.state().relayed.entry(key).or_default().insert(connection);
    }

    /// A daemon lost a connection to the relay. If that was the last, it has a short while to make another.
    pub(super) fn absent(self: &Arc<Self>, key: EndpointId, connection: ConnectionId) {
        let mut state = self.state();
        if let Some(relayed) = state.relayed.get_mut(&key) {
            relayed.remove(&connection);
            if relayed.is_empty() {
                state.relayed.remove(&key);
                let this = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(GRACE).await;
                    this.out_of_reach(key);
                });
            }
        }
    }

    fn out_of_reach(&self, key: EndpointId) {
        let mut state = self.state();
        if state.relayed.contains_key(&key) {
            return;
        }
        let mut reports = Vec::new();
        for (workspace, slot) in &mut state.slots {
            let Some(current) = slot.current.as_mut().filter(|current| current.key == key && current.in_reach) else {
                continue;
            };
            current.in_reach = false;
            current.tunnel.lose("the daemon is out of reach");
            reports.push(Report::Disconnected(*workspace, "the daemon is out of reach".to_owned()));
        }
        for report in reports {
            state.report(report);
        }
    }

    /// Ends a deleted workspace's connection; its key.
    pub(super) fn forget(&self, workspace: WorkspaceId) -> Option<EndpointId> {
        let mut state = self.state();
        let current = state.slots.remove(&workspace)?.current?;
        current.tunnel.lose("the workspace was deleted");
        current.tunnel.connection().close(VarInt::from_u32(CLOSE_REFUSED), b"deleted");
        state.forgotten.push_back(current.key);
        if state.forgotten.len() > FORGOTTEN {
            state.forgotten.pop_front();
        }
        Some(current.key)
    }

    /// Whether a key was a deleted workspace's.
    pub(super) fn forgotten(&self, key: EndpointId) -> bool {
        self.state().forgotten.contains(&key)
    }

    /// Closes every connection.
    pub(super) fn close_all(&self, code: VarInt, reason: &[u8]) {
        for current in self.state().slots.values().filter_map(|slot| slot.current.as_ref()) {
            current.tunnel.lose("the control plane is shutting down");
            current.tunnel.connection().close(code, reason);
        }
    }

    /// The registry hears no more.
    pub(super) fn stop_reports(&self) {
        self.state().reports = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn report(&self, report: Report) {
        if let Some(reports) = &self.reports {
            // Fails only after the hub has closed.
            let _ = reports.send(report);
        }
    }
}

fn same(current: &Current, connection: &Connection) -> bool {
    current.tunnel.connection().stable_id() == connection.stable_id()
}
