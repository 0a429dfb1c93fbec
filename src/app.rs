//! The composition root: the only place that reads the environment and builds things.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::access::audit::AuditLog;
use crate::browser::Browser;
use crate::channel::{Channels, Parts as ChannelParts};
use crate::claude::launch::SESSION_VARIABLE;
use crate::config::{BrowserReach, Config, Paths, Sources};
use crate::domain::{ErrorCode, OpError, Reach, SessionId};
use crate::engine::{Engine, Parts};
use crate::ops::{Aegis, Caller, ChatSessions};
use crate::store::{KeyStore, SqliteStore, Store};

/// How often the outbox is looked at where it cannot be watched.
const LOOK: Duration = Duration::from_secs(1);

/// What the process was given by its surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// Environment, working directory, home, and the configuration file that was named.
    pub sources: Sources,
    /// The `aegis` program itself.
    pub program: PathBuf,
}

impl Surroundings {
    /// Reads them from the process.
    ///
    /// # Errors
    ///
    /// When the process has no working directory or cannot tell its own program.
    pub fn read(config: Option<PathBuf>) -> Result<Self, OpError> {
        let failed =
            |what: &str, error: std::io::Error| OpError::new(ErrorCode::Internal, format!("{what}: {error}"));
        let cwd = std::env::current_dir().map_err(|error| failed("no working directory", error))?;
        let program =
            std::env::current_exe().map_err(|error| failed("the program cannot be found", error))?;
        let env: BTreeMap<String, OsString> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
        let home = env.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        Ok(Self { sources: Sources { file: config, cwd, home, env }, program })
    }

    /// The variable as text, if it is set.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        self.sources.env.get(name)?.to_str().map(str::to_owned)
    }

    /// Builds everything.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a bad configuration, `storage_failed` for directories and the store.
    pub fn build(self) -> Result<App, OpError> {
        let invalid = |what: String| {
            OpError::new(ErrorCode::InvalidArgument, what).hint("correct the configuration and start again")
        };
        let storage = |what: String| OpError::new(ErrorCode::StorageFailed, what);
        let config = Config::load(&self.sources).map_err(|error| invalid(error.to_string()))?.config;
        let paths = Paths::resolve(&config, &self.sources).map_err(|error| storage(error.to_string()))?;
        paths.create().map_err(|error| storage(error.to_string()))?;
        let store = SqliteStore::open(&paths.database)
            .map_err(|error| OpError::new(error.code(), error.to_string()))?;
        let inside = self.variable(SESSION_VARIABLE).and_then(|id| id.parse::<SessionId>().ok());
        let environment: BTreeMap<String, String> = self
            .sources
            .env
            .clone()
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.into_string().ok()?)))
            .collect();
        let reach = match config.browser_reach {
            BrowserReach::Public => Reach::default(),
            BrowserReach::Loopback => Reach { loopback: true, private: false },
            BrowserReach::Private => Reach { loopback: true, private: true },
        };
        let search = environment.get("PATH").map(String::as_str).unwrap_or_default();
        let browser = Browser::new(config.browser_path.clone(), search, reach);
        let store: Arc<dyn Store> = Arc::new(store);
        let channels = Channels::new(ChannelParts {
            config: config.clone(),
            store: store.clone(),
            locks_dir: paths.channels_dir.clone(),
            shared_dir: paths.socket_dir.parent().unwrap_or(&paths.socket_dir).to_owned(),
            lookup: None,
            clock: None,
        });
        let engine = Engine::new(Parts {
            store,
            config: config.clone(),
            paths: paths.clone(),
            environment,
            aegis: self.program.clone(),
        });
        Ok(App {
            engine: Arc::new(engine),
            browser: Arc::new(browser),
            channels: Arc::new(channels),
            config,
            paths,
            program: self.program,
            inside,
            sources: self.sources,
        })
    }
}

/// Everything, built.
pub struct App {
    /// Sessions as running things.
    pub engine: Arc<Engine>,
    /// What takes pictures of pages.
    pub browser: Arc<Browser>,
    /// Who is told what happens.
    pub channels: Arc<Channels>,
    /// What was configured.
    pub config: Config,
    /// Where files are.
    pub paths: Paths,
    /// The `aegis` program itself.
    pub program: PathBuf,
    /// The session that this process runs inside of.
    pub inside: Option<SessionId>,
    /// Where the configuration came from, and comes from when it is read again.
    pub sources: Sources,
}

impl App {
    /// The operations.
    #[must_use]
    pub fn aegis(&self) -> Aegis {
        Aegis::new(self.engine.clone())
            .with_browser(self.browser.clone())
            .with_channels(self.channels.clone())
            .audited(Arc::new(AuditLog::new(self.paths.audit_dir.clone())))
    }

    /// Runs those channels that no other process runs, until the future is dropped. Without channels nothing happens.
    pub fn tell(&self) -> impl Future<Output = ()> + Send + 'static {
        let (engine, channels) = (self.engine.clone(), self.channels.clone());
        let sessions = Arc::new(ChatSessions(self.aegis()));
        async move {
            if channels.is_empty() {
                return;
            }
            let changes = match engine.outbox_changes().await {
                Ok(changes) => changes,
                // A full or read-only disk, which may be mended while channels run.
                Err(error) => {
                    tracing::warn!(%error, "nobody can tell the channels of news: they look each second");
                    return look_again_and_again(&channels, sessions).await;
                }
            };
            channels.run(sessions, changes.also()).await;
        }
    }

    /// The keys that programs call with, on a connection of their own, so that no call waits for what is written through
    /// others.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub fn keys(&self) -> Result<Arc<dyn KeyStore>, OpError> {
        let store = SqliteStore::open(&self.paths.database);
        let store = store.map_err(|error| OpError::new(error.code(), error.to_string()))?;
        Ok(Arc::new(store))
    }

    /// Whoever calls through this surface.
    #[must_use]
    pub fn caller(&self, surface: &str) -> Caller {
        Caller { inside: self.inside, ..Caller::local(surface) }
    }
}

/// Runs the channels where nobody tells them when there is something to do.
async fn look_again_and_again(channels: &Channels, sessions: Arc<ChatSessions>) {
    let (look, woken) = watch::channel(());
    let mut seconds = tokio::time::interval(LOOK);
    let looking = async {
        loop {
            seconds.tick().await;
            look.send_replace(());
        }
    };
    tokio::select! {
        () = channels.run(sessions, woken) => {}
        () = looking => {}
    }
}
