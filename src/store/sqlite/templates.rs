//! Templates.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Fault, SqliteStore, Sync, limit};
use crate::domain::{Template, TemplateChange, TemplateId, Timestamp};
use crate::store::{StoreError, TemplateStore};

impl TemplateStore for SqliteStore {
    fn insert_template(&self, template: &Template) -> Result<(), StoreError> {
        self.write(Sync::Power, |tx| {
            let sql = "INSERT INTO templates (id, name, updated_at, body) VALUES (?1, ?2, ?3, ?4)";
            put(tx, sql, template)
        })
    }

    fn template(&self, reference: &str) -> Result<Option<Template>, StoreError> {
        self.read(|db| match reference.parse() {
            Ok(id) => one(db, id),
            Err(_) => body(db, "SELECT body FROM templates WHERE name = ?1", reference),
        })
    }

    fn templates(
        &self,
        before: Option<(Timestamp, TemplateId)>,
        page: usize,
    ) -> Result<Vec<Template>, StoreError> {
        self.read(|db| {
            let (at, id) = before.map_or((i64::MAX, String::new()), |(at, id)| (at.millis(), id.to_string()));
            let mut statement = db.prepare_cached(
                "SELECT body FROM templates WHERE (updated_at, id) < (?1, ?2) \
                 ORDER BY updated_at DESC, id DESC LIMIT ?3",
            )?;
            let bodies = statement.query_map(params![at, id, limit(page)], |row| row.get::<_, String>(0))?;
            bodies.map(|body| decode(&body?)).collect()
        })
    }

    fn update_template(
        &self,
        id: TemplateId,
        change: &TemplateChange,
        now: Timestamp,
    ) -> Result<Option<Template>, StoreError> {
        self.write(Sync::Power, |tx| {
            let Some(mut template) = one(tx, id)? else { return Ok(None) };
            template.change(change, now);
            let sql = "UPDATE templates SET name = ?2, updated_at = ?3, body = ?4 WHERE id = ?1";
            put(tx, sql, &template)?;
            Ok(Some(template))
        })
    }

    fn delete_template(&self, id: TemplateId) -> Result<bool, StoreError> {
        self.write(Sync::Power, |tx| {
            Ok(tx.prepare_cached("DELETE FROM templates WHERE id = ?1")?.execute([id.to_string()])? > 0)
        })
    }
}

/// Runs a statement that takes a template's columns in their order.
fn put(db: &Connection, sql: &str, template: &Template) -> Result<(), Fault> {
    let body =
        serde_json::to_string(template).map_err(|_| StoreError::Unstorable { what: "the template" })?;
    let values = params![template.id.to_string(), template.name, template.updated_at.millis(), body];
    match db.prepare_cached(sql)?.execute(values) {
        Ok(_) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
            Err(StoreError::TemplateExists { name: template.name.clone() }.into())
        }
        Err(error) => Err(error.into()),
    }
}

fn one(db: &Connection, id: TemplateId) -> Result<Option<Template>, Fault> {
    body(db, "SELECT body FROM templates WHERE id = ?1", &id.to_string())
}

fn body(db: &Connection, sql: &str, value: &str) -> Result<Option<Template>, Fault> {
    let body: Option<String> = db.prepare_cached(sql)?.query_row([value], |row| row.get(0)).optional()?;
    body.map(|body| decode(&body)).transpose()
}

fn decode(body: &str) -> Result<Template, Fault> {
    serde_json::from_str(body).map_err(Fault::unreadable)
}
