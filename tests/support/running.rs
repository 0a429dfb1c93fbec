//! Channels of a configuration that run in this process, over a store into which events are put.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use aegis::channel::{Channels, Configured, NewChatSession, Parts, Sessions};
use aegis::config::{Config, Sources};
use aegis::domain::{
    Answer, Ask, AskId, ChannelRow, Epoch, ErrorCode, Event, EventData, OpError, Session, SessionId,
    Timestamp,
};
use aegis::names::Lookup;
use aegis::store::{OutboxStore as _, SessionRow, SqliteStore, Store as _};
use futures_util::future::BoxFuture;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::processes::come;
use crate::support::sessions::row;

/// Sessions that nobody asks for anything.
pub struct Nobody;

fn none<T>() -> Result<T, OpError> {
    Err(OpError::new(ErrorCode::NoSuchSession, "there is no session"))
}

impl Sessions for Nobody {
    fn send(&self, _: String, _: SessionId, _: String, _: String) -> BoxFuture<'_, Result<(), OpError>> {
        Box::pin(async { none() })
    }

    fn answer(&self, _: String, _: SessionId, _: AskId, _: Answer) -> BoxFuture<'_, Result<Ask, OpError>> {
        Box::pin(async { none() })
    }

    fn show(&self, _: String, _: SessionId) -> BoxFuture<'_, Result<Session, OpError>> {
        Box::pin(async { none() })
    }

    fn list(&self, _: String) -> BoxFuture<'_, Result<Vec<Session>, OpError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn create(&self, _: String, _: NewChatSession) -> BoxFuture<'_, Result<Session, OpError>> {
        Box::pin(async { none() })
    }

    fn kill(&self, _: String, _: SessionId) -> BoxFuture<'_, Result<Session, OpError>> {
        Box::pin(async { none() })
    }

    fn message(&self, _: SessionId, _: u64) -> BoxFuture<'_, Result<Option<String>, OpError>> {
        Box::pin(async { Ok(None) })
    }
}

pub struct Running {
    _dir: TempDir,
    pub store: Arc<SqliteStore>,
    pub config: Config,
    channels: Arc<Channels>,
    wake: watch::Sender<()>,
    task: JoinHandle<()>,
    seqs: Mutex<HashMap<SessionId, (Epoch, u64)>>,
}

impl Running {
    /// Starts the channels of this configuration.
    pub async fn start(config: Value) -> Self {
        Self::looking_up(config, None).await
    }

    /// As [`Self::start`], with names looked up like this.
    pub async fn looking_up(config: Value, lookup: Option<Arc<dyn Lookup>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let sources = Sources { file: Some(file), cwd: dir.path().into(), home: None, env: BTreeMap::new() };
        let config = Config::load(&sources).unwrap().config;
        let store = Arc::new(SqliteStore::open(&dir.path().join("aegis.db")).unwrap());
        let channels = Arc::new(Channels::new(Parts {
            config: config.clone(),
            store: store.clone(),
            locks_dir: dir.path().into(),
            shared_dir: dir.path().into(),
            lookup,
            clock: None,
        }));
        let (wake, woken) = watch::channel(());
        let running = channels.clone();
        let task = tokio::spawn(async move { running.run(Arc::new(Nobody), woken).await });
        let started = Self { _dir: dir, store, config, channels, wake, task, seqs: Mutex::default() };
        for channel in started.listed() {
            come("the channel is known", async || started.store.channel(&channel.name).unwrap()).await;
        }
        started
    }

    pub fn listed(&self) -> Vec<Configured> {
        self.channels.list()
    }

    pub fn session(&self, name: &str) -> SessionRow {
        let row = row(name, 1);
        self.store.insert_session(&row).unwrap();
        row
    }

    pub fn happens(&mut self, row: &SessionRow, data: Vec<EventData>) {
        let mut seqs = self.seqs.lock().unwrap();
        let (epoch, seq) = seqs.entry(row.spec.id).or_insert_with(|| (Epoch::mint(), 0));
        let events: Vec<_> = data
            .into_iter()
            .map(|data| {
                *seq += 1;
                Event { epoch: *epoch, seq: *seq, session_id: row.spec.id, at: Timestamp::now(), data }
            })
            .collect();
        self.store.ingest(&events, None).unwrap();
        self.wake.send_replace(());
    }

    /// Waits until the first channel is so.
    pub async fn until(&self, wanted: impl Fn(&ChannelRow) -> bool) -> ChannelRow {
        let name = &self.listed()[0].name;
        come("the channel is so", async || self.store.channel(name).unwrap().filter(|row| wanted(row))).await
    }

    /// Waits until nothing is left to tell.
    pub async fn quiet(&self) {
        self.until(|row| row.pending == 0 && row.behind == 0).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
