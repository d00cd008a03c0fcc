//! Whether the server is well.

use crate::{problem::Problem, state::AppState};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use docket_projections::{State as ViewState, Status};
use std::fmt::Write;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

async fn status(state: &AppState) -> Result<Vec<Status>, Problem> {
    let status = state.projections.status().await;
    status.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", format!("the views: {error}")))
}

/// The log can be read and written, and the views keep up.
pub(super) async fn readyz(State(state): State<AppState>) -> Result<&'static str, Problem> {
    let unready = |detail: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail);
    if state.ending.is_cancelled() {
        return Err(unready("the server is shutting down".to_owned()));
    }
    state.control.log.check().await.map_err(|error| unready(format!("the log: {error}")))?;
    let max_lag = state.max_lag;
    for Status { name, state, building, head, lag, fault, .. } in status(&state).await? {
        if let Some(fault) = fault {
            return Err(unready(format!("the view {name} does not go on: {fault}")));
        }
        if state == ViewState::Building {
            let position = building.map_or(0, |building| building.position);
            return Err(unready(format!("the view {name} is being built and is at {position} of {head}")));
        }
        if lag > max_lag {
            return Err(unready(format!("the view {name} is {lag} positions behind")));
        }
    }
    Ok("ready\n")
}

/// Prometheus' text format, version 0.0.4.
pub(super) async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let stats = state.control.log.stats();
    let one = |value: u64| [(String::new(), value)];
    metric("docket_events_appended_total", "counter", "Events appended by this process.", &one(stats.events));
    metric("docket_append_batches_total", "counter", "Transactions that appended them.", &one(stats.batches));
    metric("docket_append_queue", "gauge", "Appends that wait for the writer.", &one(stats.queued));
    let all = state.projections.status().await.unwrap_or_default();
    let now = state.control.clock.now().0;
    let mut of_each = |name: &str, help: &str, value: &dyn Fn(&Status) -> Option<u64>| {
        let labelled = |one: &Status| Some((format!("{{projection=\"{}\"}}", one.name), value(one)?));
        metric(name, "gauge", help, &all.iter().filter_map(labelled).collect::<Vec<_>>());
    };
    of_each("docket_projection_position", "The event up to which a view has seen all.", &|one| Some(one.head - one.lag));
    of_each("docket_projection_lag_positions", "Events that a view has not seen yet.", &|one| Some(one.lag));
    of_each("docket_projection_lag_seconds", "Age of the first event that a view has not seen yet.", &|one| {
        Some(one.unseen_since.map_or(0, |since| (now - since).max(0).unsigned_abs() / 1_000_000))
    });
    of_each("docket_projection_failures", "Events that are missing in a view because they could not be applied.", &|one| {
        Some(one.live.as_ref()?.failures)
    });
    of_each("docket_projection_generation", "The generation of a view that is read.", &|one| {
        Some(one.live.as_ref()?.generation)
    });
    of_each("docket_projection_building_position", "How far a generation is that is being built.", &|one| {
        Some(one.building.as_ref()?.position)
    });
    of_each("docket_projection_fault", "Whether a fault keeps a view from going on.", &|one| Some(one.fault.is_some().into()));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
