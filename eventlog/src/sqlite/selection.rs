//! The statements that select events. There are few, so that each stays prepared. CROSS JOIN keeps SQLite from starting at the
//! events; all of them give the events in order without sorting.

use super::scan::SELECT;
use crate::filter::Filter;

/// Of stream (?1, ?2), after sequence ?3, at most ?4; from the run that holds the next event on.
pub(crate) fn stream() -> String {
    const STREAM: &str = "(SELECT id FROM streams WHERE aggregate_type = ?1 AND aggregate_id = ?2)";
    format!(
        "{SELECT} FROM stream_runs r CROSS JOIN events e \
           ON e.position BETWEEN r.position + max(?3 + 1 - r.sequence, 0) AND r.position + r.events - 1 \
         WHERE r.stream = {STREAM} AND r.sequence >= coalesce((SELECT sequence FROM stream_runs \
           WHERE stream = {STREAM} AND sequence <= ?3 + 1 ORDER BY sequence DESC LIMIT 1), 0) \
         ORDER BY r.sequence, e.position LIMIT ?4"
    )
}

/// In (?1, ?2], at most ?3; with the JSON arrays ?4 to ?7: scopes in hex, event types, aggregate types, one stream's type and id. The
/// payload is not looked at before all conditions hold.
pub(crate) fn filtered(filter: &Filter) -> (String, [Option<String>; 4]) {
    let scopes = filter.scopes.as_ref().map(|scopes| array(scopes.iter().map(|scope| scope.simple().to_string())));
    let one = filter.scopes.as_ref().is_some_and(|scopes| scopes.len() == 1);
    const SCOPES: &str = "(SELECT id FROM scopes WHERE scope IN (SELECT unhex(value) FROM json_each(?4)))";
    const STREAM: &str = "(SELECT id FROM streams WHERE aggregate_type = ?7 ->> 0 AND aggregate_id = ?7 ->> 1)";
    let stream = filter.stream.as_ref().map(|stream| array([&stream.aggregate_type, &stream.aggregate_id]));
    let mut select = match &scopes {
        // Positions rise along a stream as sequences do.
        _ if stream.is_some() => format!(
            "{SELECT} FROM stream_runs r CROSS JOIN events e \
               ON e.position BETWEEN max(r.position, ?1 + 1) AND min(r.position + r.events - 1, ?2) \
             WHERE r.stream = {STREAM} AND r.sequence >= coalesce((SELECT sequence FROM stream_runs \
               WHERE stream = {STREAM} AND position <= ?1 + 1 ORDER BY sequence DESC LIMIT 1), 0) \
               AND (?4 IS NULL OR e.scope IN {SCOPES})"
        ),
        None => format!("{SELECT} FROM events e WHERE e.position > ?1 AND e.position <= ?2 AND ?4 IS NULL"),
        Some(_) if one => format!(
            "{SELECT} FROM scope_runs r CROSS JOIN events e \
               ON e.position BETWEEN max(r.position, ?1 + 1) AND min(r.position + r.events - 1, ?2) \
             WHERE r.scope = {SCOPES} AND r.position <= ?2 AND r.position >= coalesce((SELECT position FROM scope_runs \
               WHERE scope = {SCOPES} AND position <= ?1 + 1 ORDER BY position DESC LIMIT 1), 0)"
        ),
        Some(_) => format!("{SELECT} FROM events e WHERE e.position > ?1 AND e.position <= ?2 AND e.scope IN {SCOPES}"),
    };
    let types = filter.types.as_ref().map(array);
    select.push_str(match types {
        None => " AND ?5 IS NULL",
        Some(_) => " AND e.event_type IN (SELECT id FROM event_types WHERE name IN (SELECT value FROM json_each(?5)))",
    });
    let aggregates = filter.aggregates.as_ref().map(array);
    select.push_str(match aggregates {
        None => " AND ?6 IS NULL",
        Some(_) => " AND (SELECT aggregate_type FROM streams WHERE id = e.stream) IN (SELECT value FROM json_each(?6))",
    });
    select.push_str(if stream.is_some() { "" } else { " AND ?7 IS NULL" });
    select.push_str(match () {
        () if stream.is_some() => " ORDER BY r.sequence, e.position LIMIT ?3",
        () if one => " ORDER BY r.position, e.position LIMIT ?3",
        () => " ORDER BY e.position LIMIT ?3",
    });
    (select, [scopes, types, aggregates, stream])
}

fn array<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    serde_json::Value::from_iter(values.into_iter().map(|value| value.as_ref().to_owned())).to_string()
}
