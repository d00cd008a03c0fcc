//! Whether the segments are what was recorded.

use super::{error::StoreError, sealed::Sealed};
use crate::error::ReadError;
use std::{collections::HashSet, sync::Arc};

/// What was found in the place of segments.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Segments that are whole.
    pub segments: u64,
    /// Their events; each was decoded, and its leaf hash computed.
    pub events: u64,
    /// Their files together.
    pub bytes: u64,
    /// Segments that are missing or damaged, and why.
    pub damaged: Vec<(Arc<str>, String)>,
    /// Files that are not recorded.
    pub orphans: Vec<String>,
}

impl Sealed {
    /// Reads every segment from the store, whatever is in memory.
    pub(crate) async fn verify(&self, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<VerifyReport, ReadError> {
        let mut report = VerifyReport::default();
        let segments = self.list().await?;
        for (done, segment) in (1..).zip(&segments) {
            match self.load(segment).await {
                Ok(_) => {
                    report.segments += 1;
                    report.events += segment.events;
                    report.bytes += segment.bytes;
                }
                Err(ReadError::Segment { object, reason }) => report.damaged.push((object, reason)),
                Err(error) => return Err(error),
            }
            progress(done, segments.len() as u64);
        }
        let recorded = segments.into_iter().map(|segment| segment.object).collect();
        report.orphans = self.orphans(&recorded).await.map_err(|error| ReadError::damaged(error.to_string()))?;
        Ok(report)
    }

    /// The files that look like segments and are not recorded.
    pub(super) async fn orphans(&self, recorded: &HashSet<Arc<str>>) -> Result<Vec<String>, StoreError> {
        let mut names = match self.store() {
            Some(store) => store.names().await?,
            None => Vec::new(),
        };
        names.retain(|name| name.ends_with(".segment") && !recorded.contains(&**name));
        Ok(names)
    }
}
