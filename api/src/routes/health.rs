//! Whether the server is well.

use crate::{problem::Problem, state::AppState};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use docket_projections::Lag;
use std::fmt::Write;

/// A view that is this many positions behind is not ready.
const MAX_LAG: u64 = 100_000;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

async fn lags(state: &AppState) -> Result<Vec<Lag>, Problem> {
    let lags = state.projections.lags().await;
    lags.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", format!("the views: {error}")))
}

/// The log can be read and written, and the views keep up.
pub(super) async fn readyz(State(state): State<AppState>) -> Result<&'static str, Problem> {
    let unready = |detail: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail);
    if state.ending.is_cancelled() {
        return Err(unready("the server is shutting down".to_owned()));
    }
    state.control.log.check().await.map_err(|error| unready(format!("the log: {error}")))?;
    for lag in lags(&state).await? {
        if lag.lag > MAX_LAG {
            return Err(unready(format!("the view {} is {} events behind", lag.projection, lag.lag)));
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
    let lags = state.projections.lags().await.unwrap_or_default();
    let label = |lag: &Lag| format!("{{projection=\"{}\"}}", lag.projection);
    let behind: Vec<_> = lags.iter().map(|lag| (label(lag), lag.lag)).collect();
    let failures: Vec<_> = lags.iter().map(|lag| (label(lag), lag.failures)).collect();
    metric("docket_projection_lag_positions", "gauge", "Events that a view has not seen yet.", &behind);
    metric("docket_projection_failures", "gauge", "Events that a view has set aside.", &failures);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
