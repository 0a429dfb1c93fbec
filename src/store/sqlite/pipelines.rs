//! Pipelines: a head, and a row a stage.

use rusqlite::{Connection, OptionalExtension as _, Params, params};

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
        self.write(Sync::Power, |tx| insert(tx, pipeline, key))
    }

    fn save_pipeline(&self, pipeline: &Pipeline, revision: u64) -> Result<bool, StoreError> {
        self.write(Sync::Power, |tx| save(tx, pipeline, revision))
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

fn insert(db: &Connection, pipeline: &Pipeline, key: Option<(&str, &str)>) -> Result<PipelineClaim, Fault> {
    if let Some((key, _)) = key {
        let known: Option<(String, String)> = db
            .prepare_cached("SELECT id, fingerprint FROM pipelines WHERE key = ?1")?
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((id, fingerprint)) = known {
            return Ok(PipelineClaim::Known { id: id.parse().map_err(Fault::unreadable)?, fingerprint });
        }
    }
    let (key, fingerprint) = key.unzip();
    db.prepare_cached(
        "INSERT INTO pipelines (id, name, status, created_at, revision, key, fingerprint, head) \
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7)",
    )?
    .execute(params![
        pipeline.id.to_string(),
        pipeline.name,
        pipeline.status.as_str(),
        pipeline.created_at.millis(),
        key,
        fingerprint,
        head(pipeline)?,
    ])?;
    write_stages(db, pipeline)?;
    Ok(PipelineClaim::New)
}

fn save(db: &Connection, pipeline: &Pipeline, revision: u64) -> Result<bool, Fault> {
    let changed = db
        .prepare_cached(
            "UPDATE pipelines SET status = ?3, head = ?4, revision = revision + 1 WHERE id = ?1 AND revision = ?2",
        )?
        .execute(params![
            pipeline.id.to_string(),
            number("the pipeline's revision", revision)?,
            pipeline.status.as_str(),
            head(pipeline)?,
        ])?;
    if changed > 0 {
        write_stages(db, pipeline)?;
    }
    Ok(changed > 0)
}

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
