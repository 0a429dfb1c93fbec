//! The part of the store that keeps pipelines.

use super::{MIN_PREFIX, StoreError};
use crate::domain::{Pipeline, PipelineId, PipelineStatus, Timestamp};

/// A pipeline with the number of its last write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineRow {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// Counts its writes from 1.
    pub revision: u64,
}

/// What became of a new pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineClaim {
    /// It is stored.
    New,
    /// Its key was used before.
    Known {
        /// For this pipeline.
        id: PipelineId,
        /// What the request was.
        fingerprint: String,
    },
}

/// Pipelines as they are kept; finished ones too, for ever.
///
/// # Errors
///
/// As for [`super::Store`]: the general ones only.
pub trait PipelineStore: Send + Sync {
    /// Adds a pipeline, unless `key` (with what the request was) was used before. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn insert_pipeline(
        &self,
        pipeline: &Pipeline,
        key: Option<(&str, &str)>,
    ) -> Result<PipelineClaim, StoreError>;

    /// Writes a pipeline if nobody did since `revision`; returns whether it was written. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn save_pipeline(&self, pipeline: &Pipeline, revision: u64) -> Result<bool, StoreError>;

    /// Takes up pipelines that are known besides, as after the store was replaced. Those that are there stay as they
    /// are; returns how many were not.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn restore_pipelines(&self) -> Result<usize, StoreError>;

    /// Gives one pipeline.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn pipeline(&self, id: PipelineId) -> Result<Option<PipelineRow>, StoreError>;

    /// Finds pipelines by exact id, else by at least [`MIN_PREFIX`] characters of it or by exact name: newest first, at most
    /// [`super::MAX_FOUND`].
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn find_pipelines(&self, reference: &str) -> Result<Vec<Pipeline>, StoreError>;

    /// Gives those that are not over, oldest first.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn open_pipelines(&self) -> Result<Vec<PipelineId>, StoreError>;

    /// Gives at most `limit` pipelines, newest creation first: those after `before`, the creation time and id of the
    /// last one of the page before.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn pipelines(
        &self,
        status: Option<PipelineStatus>,
        before: Option<(Timestamp, PipelineId)>,
        limit: usize,
    ) -> Result<Vec<Pipeline>, StoreError>;
}

/// The range of ids that begin with what a caller wrote, if that can be the beginning of one: an id's characters all
/// sort below `g`.
pub(super) fn prefix(reference: &str) -> Option<(String, String)> {
    let prefix = reference.to_ascii_lowercase();
    let hexadecimal = prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (hexadecimal && prefix.len() >= MIN_PREFIX).then(|| (prefix.clone(), format!("{prefix}g")))
}
