//! Pipelines: a head, a row a stage, and a copy of it all in a file.

use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::copies::{self, Copy};
use super::{Fault, SqliteStore, StoreError, Sync, limit, number};
use crate::domain::{Pipeline, PipelineId, PipelineStatus, Stage, Timestamp};
use crate::store::MAX_FOUND;
use crate::store::pipelines::{PipelineClaim, PipelineRow, PipelineStore, prefix};

impl PipelineStore for SqliteStore {
    fn insert_pipeline(
        &self,
        pipeline: &Pipeline,
        key: Option<(&str, &str)>,
    ) -> Result<PipelineClaim, StoreError> {
        self.write(Sync::Power, |tx| {
            if let Some((key, _)) = key
                && let Some(known) = claimed(tx, key)?
            {
                return Ok(known);
            }
            let key = key.map(|(key, fingerprint)| (key.to_owned(), fingerprint.to_owned()));
            let copy = Copy { pipeline: pipeline.clone(), revision: 1, key };
            insert(tx, &copy)?;
            copies::write(&self.path, &copy)?;
            Ok(PipelineClaim::New)
        })
    }

    fn save_pipeline(&self, pipeline: &Pipeline, revision: u64) -> Result<bool, StoreError> {
        self.write(Sync::Power, |tx| {
            let Some((revision, key)) = save(tx, pipeline, revision)? else { return Ok(false) };
            copies::write(&self.path, &Copy { pipeline: pipeline.clone(), revision, key })?;
            Ok(true)
        })
    }

    fn restore_pipelines(&self) -> Result<usize, StoreError> {
        let copies = copies::read(&self.path);
        self.write(Sync::Power, |tx| {
            let mut missing = 0;
            for copy in &copies {
                if many(tx, "id = ?1", [copy.pipeline.id.to_string()])?.is_empty() {
                    insert(tx, copy)?;
                    missing += 1;
                }
            }
            Ok(missing)
        })
    }

    fn pipeline(&self, id: PipelineId) -> Result<Option<PipelineRow>, StoreError> {
        self.read(|db| Ok(many(db, "id = ?1", [id.to_string()])?.pop()))
    }

    fn find_pipelines(&self, reference: &str) -> Result<Vec<Pipeline>, StoreError> {
        if let Ok(id) = reference.parse()
            && let Some(row) = self.pipeline(id)?
        {
            return Ok(vec![row.pipeline]);
        }
        let (from, below) = prefix(reference).unzip();
        let condition = "name = ?1 OR (id >= ?2 AND id < ?3) ORDER BY created_at DESC, id DESC LIMIT ?4";
        self.read(|db| Ok(bare(many(db, condition, params![reference, from, below, limit(MAX_FOUND)])?)))
    }

    fn open_pipelines(&self) -> Result<Vec<PipelineId>, StoreError> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT id FROM pipelines WHERE status IN ('pending', 'running', 'cancelling') ORDER BY created_at",
            )?;
            let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
            ids.map(|id| id?.parse().map_err(Fault::unreadable)).collect()
        })
    }

    fn pipelines(
        &self,
        status: Option<PipelineStatus>,
        before: Option<(Timestamp, PipelineId)>,
        page: usize,
    ) -> Result<Vec<Pipeline>, StoreError> {
        let (at, id) = before.map_or((i64::MAX, String::new()), |(at, id)| (at.millis(), id.to_string()));
        let condition = "(created_at, id) < (?1, ?2) AND (?3 IS NULL OR status = ?3) \
                         ORDER BY created_at DESC, id DESC LIMIT ?4";
        let status = status.map(PipelineStatus::as_str);
        self.read(|db| Ok(bare(many(db, condition, params![at, id, status, limit(page)])?)))
    }
}

/// The pipeline that was created under a key.
fn claimed(db: &Connection, key: &str) -> Result<Option<PipelineClaim>, Fault> {
    let known: Option<(String, String)> = db
        .prepare_cached("SELECT id, fingerprint FROM pipelines WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, fingerprint)) = known else { return Ok(None) };
    Ok(Some(PipelineClaim::Known { id: id.parse().map_err(Fault::unreadable)?, fingerprint }))
}

fn insert(db: &Connection, Copy { pipeline, revision, key }: &Copy) -> Result<(), Fault> {
    let (key, fingerprint) = key.as_ref().map(|(key, fingerprint)| (key, fingerprint)).unzip();
    db.prepare_cached(
        "INSERT INTO pipelines (id, name, status, created_at, revision, key, fingerprint, head) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        pipeline.id.to_string(),
        pipeline.name,
        pipeline.status.as_str(),
        pipeline.created_at.millis(),
        revision,
        key,
        fingerprint,
        head(pipeline)?,
    ])?;
    write_stages(db, pipeline)
}

/// Writes a pipeline if it is as of `revision`; gives its next revision, and the key of its creation.
fn save(db: &Connection, pipeline: &Pipeline, revision: u64) -> Result<Option<Saved>, Fault> {
    let saved: Option<Saved> = db
        .prepare_cached(
            "UPDATE pipelines SET status = ?3, head = ?4, revision = revision + 1 WHERE id = ?1 AND revision = ?2 \
             RETURNING revision, key, fingerprint",
        )?
        .query_row(
            params![
                pipeline.id.to_string(),
                number("the pipeline's revision", revision)?,
                pipeline.status.as_str(),
                head(pipeline)?,
            ],
            |row| Ok((row.get(0)?, row.get::<_, Option<_>>(1)?.zip(row.get(2)?))),
        )
        .optional()?;
    if saved.is_some() {
        write_stages(db, pipeline)?;
    }
    Ok(saved)
}

/// A revision, and a key with its fingerprint.
type Saved = (i64, Option<(String, String)>);

/// Writes the stages that are not stored as they are.
fn write_stages(db: &Connection, pipeline: &Pipeline) -> Result<(), Fault> {
    let mut statement = db.prepare_cached(
        "INSERT INTO pipeline_stages (pipeline, place, body) VALUES (?1, ?2, ?3) \
         ON CONFLICT (pipeline, place) DO UPDATE SET body = excluded.body WHERE body <> excluded.body",
    )?;
    for (place, stage) in pipeline.stages.iter().enumerate() {
        let stage = serde_json::to_string(stage).map_err(|_| unstorable())?;
        statement.execute(params![pipeline.id.to_string(), limit(place), stage])?;
    }
    Ok(())
}

/// The pipeline without its stages.
fn head(pipeline: &Pipeline) -> Result<String, Fault> {
    let mut head = pipeline.clone();
    head.stages.clear();
    serde_json::to_string(&head).map_err(|_| unstorable().into())
}

fn unstorable() -> StoreError {
    StoreError::Unstorable { what: "the pipeline" }
}

fn many(db: &Connection, condition: &str, values: impl Params) -> Result<Vec<PipelineRow>, Fault> {
    let sql = format!("SELECT id, revision, head FROM pipelines WHERE {condition}");
    let mut statement = db.prepare_cached(&sql)?;
    let heads = statement.query_map(values, |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut rows = Vec::new();
    for head in heads {
        let (id, revision, head) = head?;
        let mut pipeline: Pipeline = serde_json::from_str(&head).map_err(Fault::unreadable)?;
        pipeline.stages = stages(db, &id)?;
        rows.push(PipelineRow { pipeline, revision: u64::try_from(revision).map_err(Fault::unreadable)? });
    }
    Ok(rows)
}

fn stages(db: &Connection, id: &str) -> Result<Vec<Stage>, Fault> {
    let mut statement =
        db.prepare_cached("SELECT body FROM pipeline_stages WHERE pipeline = ?1 ORDER BY place")?;
    let bodies = statement.query_map([id], |row| row.get::<_, String>(0))?;
    bodies.map(|body| serde_json::from_str(&body?).map_err(Fault::unreadable)).collect()
}

fn bare(rows: Vec<PipelineRow>) -> Vec<Pipeline> {
    rows.into_iter().map(|row| row.pipeline).collect()
}
