//! What can go wrong, each with a stable code for programs.

use docket_eventlog::ReadError;

/// Why a view could not be read, or the projections could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    #[error("the views' database: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("the cursor is not one that was given out")]
    Cursor,
    /// There is nothing to read yet: the view is being built for the first time.
    #[error("the view {projection} is being built")]
    Building { projection: &'static str },
    #[error("there is no projection {0}")]
    Unknown(String),
    /// None was set aside, or not this one.
    #[error("projection {projection} has no such failure")]
    NothingToRetry { projection: &'static str },
}

impl ProjectionError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Database(_) => "views_unavailable",
            Self::Log(error) => error.code(),
            Self::Cursor => "cursor_invalid",
            Self::Building { .. } => "views_building",
            Self::Unknown(_) => "not_found",
            Self::NothingToRetry { .. } => "nothing_to_retry",
        }
    }
}

/// Why a batch of events could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Undecodable(#[from] ReadError),
    #[error("the event does not fit its view: {0}")]
    Unfit(String),
    #[error("the projection panicked: {0}")]
    Panicked(String),
    #[error("the views' database: {0}")]
    Database(#[from] sqlx::Error),
}

impl ApplyError {
    /// Whether it is the event's fault: the same event would fail again, so it is set aside. A fault of the database is not, and
    /// its events are tried until they pass.
    #[must_use]
    pub fn is_poison(&self) -> bool {
        match self {
            Self::Undecodable(_) | Self::Unfit(_) | Self::Panicked(_) => true,
            Self::Database(sqlx::Error::Database(error)) => error.code().is_some_and(|code| is_refusal(&code)),
            Self::Database(sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. }) => true,
            Self::Database(_) => false,
        }
    }
}

/// Codes by which a database refuses the data itself: SQLSTATE classes 22 (data exception) and 23 (integrity) on Postgres;
/// TOOBIG (18), CONSTRAINT (19) and MISMATCH (20), with their extended codes, on SQLite.
fn is_refusal(code: &str) -> bool {
    if code.len() == 5 {
        return code.starts_with("22") || code.starts_with("23");
    }
    code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 18..=20))
}

/// The projections did not get there in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("projection {projection} has reached position {reached} only, not {wanted}")]
pub struct Behind {
    pub projection: &'static str,
    pub reached: u64,
    pub wanted: u64,
}

impl Behind {
    #[must_use]
    pub fn code(&self) -> &'static str {
        "views_behind"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_events_own_faults_are_poison() {
        assert!(ApplyError::Unfit("x".to_owned()).is_poison());
        assert!(!ApplyError::Database(sqlx::Error::PoolTimedOut).is_poison());
        assert!(is_refusal("23505") && is_refusal("22021") && is_refusal("1555") && is_refusal("19"));
        assert!(!is_refusal("40001") && !is_refusal("57P01") && !is_refusal("5") && !is_refusal("10"));
    }
}
