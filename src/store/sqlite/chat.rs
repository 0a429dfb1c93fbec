//! What chat channels remember.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Fault, SqliteStore, Sync, limit};
use crate::domain::{Answer, AskId, SessionId, Timestamp};
use crate::store::{ChatAsk, ChatButton, ChatStore, KEPT_REFUSALS, Refusal, StoreError};

/// How long asks and buttons are remembered, in milliseconds: 30 days, longer than anybody scrolls back to tap.
const ASKS_KEPT: i64 = 30 * 24 * 60 * 60 * 1000;

/// The columns of an ask that [`ask`] takes, in its order.
const ASK: &str = "a.ask, a.session, a.message, a.shown, a.settled";

/// Stands for a topic that is about to be opened; the real ones' numbers begin with 1.
const INTENDED: i64 = 0;

impl ChatStore for SqliteStore {
    fn chat_topic(&self, channel: &str, session: SessionId) -> Result<Option<(i64, bool)>, StoreError> {
        self.read(|db| {
            let sql = "SELECT topic, closed FROM chat_topics \
                WHERE channel = ?1 AND session = ?2 AND topic <> ?3";
            let mut found = db.prepare_cached(sql)?;
            let key = params![channel, session.to_string(), INTENDED];
            Ok(found.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
        })
    }

    fn intend_chat_topic(&self, channel: &str, session: SessionId) -> Result<bool, StoreError> {
        self.write(Sync::Process, |tx| {
            let added = tx
                .prepare_cached(
                    "INSERT INTO chat_topics (channel, session, topic) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![channel, session.to_string(), INTENDED])?;
            Ok(added == 0)
        })
    }

    fn set_chat_topic(
        &self,
        channel: &str,
        session: SessionId,
        topic: i64,
        closed: bool,
    ) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| {
            tx.prepare_cached(
                "INSERT INTO chat_topics (channel, session, topic, closed) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (channel, session) DO UPDATE SET topic = excluded.topic, closed = excluded.closed",
            )?
            .execute(params![channel, session.to_string(), topic, closed])?;
            Ok(())
        })
    }

    fn drop_chat_topic(&self, channel: &str, session: SessionId) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| {
            tx.prepare_cached("DELETE FROM chat_topics WHERE channel = ?1 AND session = ?2")?
                .execute(params![channel, session.to_string()])?;
            Ok(())
        })
    }

    fn chat_session(&self, channel: &str, topic: i64) -> Result<Option<SessionId>, StoreError> {
        self.read(|db| {
            let sql = "SELECT session FROM chat_topics WHERE channel = ?1 AND topic = ?2 AND topic <> ?3";
            let found: Option<String> = db
                .prepare_cached(sql)?
                .query_row(params![channel, topic, INTENDED], |row| row.get(0))
                .optional()?;
            found.map(|id| id.parse().map_err(Fault::unreadable)).transpose()
        })
    }

    fn show_ask(
        &self,
        channel: &str,
        shown: &ChatAsk,
        buttons: &[ChatButton],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| {
            let ask = shown.ask.to_string();
            let old = now.millis().saturating_sub(ASKS_KEPT);
            for table in ["chat_asks", "chat_buttons"] {
                let sql = format!("DELETE FROM {table} WHERE at < ?1 OR (channel = ?2 AND ask = ?3)");
                tx.prepare_cached(&sql)?.execute(params![old, channel, ask])?;
            }
            tx.prepare_cached(
                "INSERT INTO chat_asks (channel, ask, session, message, shown, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                channel,
                ask,
                shown.session.to_string(),
                shown.message,
                shown.shown,
                now.millis()
            ])?;
            let mut insert = tx.prepare_cached(
                "INSERT INTO chat_buttons (token, channel, ask, choice, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for button in buttons {
                let choice = serde_json::to_string(&button.choice)
                    .map_err(|_| StoreError::Unstorable { what: "the answer" })?;
                insert.execute(params![button.token, channel, ask, choice, now.millis()])?;
            }
            Ok(())
        })
    }

    fn set_ask_message(&self, channel: &str, ask: AskId, message: i64) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| {
            tx.prepare_cached("UPDATE chat_asks SET message = ?3 WHERE channel = ?1 AND ask = ?2")?
                .execute(params![channel, ask.to_string(), message])?;
            Ok(())
        })
    }

    fn set_ask_settled(&self, channel: &str, ask: AskId, settled: &str) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| {
            tx.prepare_cached("UPDATE chat_asks SET settled = ?3 WHERE channel = ?1 AND ask = ?2")?
                .execute(params![channel, ask.to_string(), settled])?;
            Ok(())
        })
    }

    fn chat_ask(&self, channel: &str, id: AskId) -> Result<Option<ChatAsk>, StoreError> {
        self.read(|db| {
            let sql = format!("SELECT {ASK} FROM chat_asks AS a WHERE a.channel = ?1 AND a.ask = ?2");
            let found =
                db.prepare_cached(&sql)?.query_row(params![channel, id.to_string()], raw_ask).optional()?;
            found.map(ask).transpose()
        })
    }

    fn chat_button(&self, channel: &str, token: &str) -> Result<Option<(ChatAsk, Answer)>, StoreError> {
        self.read(|db| {
            let sql = format!(
                "SELECT {ASK}, b.choice FROM chat_buttons AS b \
                 JOIN chat_asks AS a ON a.channel = b.channel AND a.ask = b.ask \
                 WHERE b.channel = ?1 AND b.token = ?2"
            );
            let found = db
                .prepare_cached(&sql)?
                .query_row(params![channel, token], |row| Ok((raw_ask(row)?, row.get::<_, String>(5)?)))
                .optional()?;
            let Some((raw, choice)) = found else { return Ok(None) };
            Ok(Some((ask(raw)?, serde_json::from_str(&choice).map_err(Fault::unreadable)?)))
        })
    }

    fn chat_buttons(&self, channel: &str, ask: AskId) -> Result<Vec<(ChatButton, bool)>, StoreError> {
        self.read(|db| {
            let sql = "SELECT token, choice, used FROM chat_buttons \
                WHERE channel = ?1 AND ask = ?2 ORDER BY rowid";
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map(params![channel, ask.to_string()], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
            })?;
            rows.map(|row| {
                let (token, choice, used) = row?;
                let choice = serde_json::from_str(&choice).map_err(Fault::unreadable)?;
                Ok((ChatButton { token, choice }, used))
            })
            .collect()
        })
    }

    fn use_button(&self, token: &str) -> Result<bool, StoreError> {
        self.write(Sync::Process, |tx| {
            let used = tx
                .prepare_cached("UPDATE chat_buttons SET used = 1 WHERE token = ?1 AND used = 0")?
                .execute([token])?;
            Ok(used > 0)
        })
    }

    fn free_button(&self, token: &str) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| {
            tx.prepare_cached("UPDATE chat_buttons SET used = 0 WHERE token = ?1")?.execute([token])?;
            Ok(())
        })
    }

    fn refuse(&self, refusal: &Refusal) -> Result<(), StoreError> {
        self.write(Sync::Process, |tx| {
            tx.prepare_cached(
                "INSERT INTO channel_refusals (at, channel, who, what) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                refusal.at.millis(),
                refusal.channel,
                refusal.who,
                refusal.what
            ])?;
            let oldest = tx.last_insert_rowid().saturating_sub(limit(KEPT_REFUSALS));
            tx.prepare_cached("DELETE FROM channel_refusals WHERE number <= ?1")?.execute([oldest])?;
            Ok(())
        })
    }

    fn refusals(&self, most: usize) -> Result<Vec<Refusal>, StoreError> {
        self.read(|db| {
            let sql = "SELECT at, channel, who, what FROM channel_refusals ORDER BY number DESC LIMIT ?1";
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([limit(most)], |row| {
                Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.map(|row| {
                let (at, channel, who, what) = row?;
                Ok(Refusal { at: super::time(at)?, channel, who, what })
            })
            .collect()
        })
    }
}

type RawAsk = (String, String, Option<i64>, String, Option<String>);

fn raw_ask(row: &Row<'_>) -> rusqlite::Result<RawAsk> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn ask((ask, session, message, shown, settled): RawAsk) -> Result<ChatAsk, Fault> {
    Ok(ChatAsk {
        ask: ask.parse().map_err(Fault::unreadable)?,
        session: session.parse().map_err(Fault::unreadable)?,
        message,
        shown,
        settled,
    })
}
