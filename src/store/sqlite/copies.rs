//! A copy of each pipeline in a file beside the database, from which a new one is filled if that is lost or damaged.
//!
//! A copy is written before the writing that it goes with is committed, and what a pipeline does next is done after
//! that: so a copy may be ahead of the database by what was not done yet, and is never behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Fault, StoreError};
use crate::config::private_dir;
use crate::domain::Pipeline;

/// A pipeline with all that the store knows of it.
#[derive(Serialize, Deserialize)]
pub(super) struct Copy {
    pub(super) pipeline: Pipeline,
    pub(super) revision: i64,
    /// The idempotency key of its creation, with what the request was.
    pub(super) key: Option<(String, String)>,
}

/// Writes a copy in place of the last. Within a transaction, whose lock keeps others from doing so meanwhile.
pub(super) fn write(database: &Path, copy: &Copy) -> Result<(), Fault> {
    let failed = |source: io::Error| StoreError::Unavailable { path: database.into(), source: source.into() };
    let written = || {
        let dir = folder(database);
        private_dir(&dir).map_err(io::Error::other)?;
        // Readable by its owner alone, as all of its kind.
        let mut file = tempfile::NamedTempFile::new_in(&dir)?;
        serde_json::to_writer(&mut file, copy)?;
        file.persist(dir.join(format!("{}.json", copy.pipeline.id))).map_err(io::Error::from)?;
        Ok(())
    };
    Ok(written().map_err(failed)?)
}

/// Reads all copies; those that cannot be read are passed over.
pub(super) fn read(database: &Path) -> Vec<Copy> {
    let files = fs::read_dir(folder(database)).into_iter().flatten().filter_map(Result::ok);
    let files =
        files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    let copies = files.filter_map(|path| {
        let copy = fs::read(&path).and_then(|json| Ok(serde_json::from_slice(&json)?));
        copy.inspect_err(
            |error| tracing::warn!(%error, path = %path.display(), "a copy of a pipeline cannot be read"),
        )
        .ok()
    });
    copies.collect()
}

fn folder(database: &Path) -> PathBuf {
    database.with_file_name("pipelines")
}
