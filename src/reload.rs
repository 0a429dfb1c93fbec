//! A server that serves HTTP takes its configuration anew when a file of it changes, and on SIGHUP.
//!
//! What sessions are created with, who may call and how often count at once. Directories, the listener's address and
//! the level of the log stay as they were at the start.

use std::sync::Arc;

use aegis::access::Access;
use aegis::config::{self, Config, Sources};
use aegis::engine::Engine;
use aegis::http::Hosts;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::serve::rules;

/// What takes the new values.
pub(crate) struct Reload {
    pub(crate) sources: Sources,
    /// The values that count now.
    pub(crate) now: Config,
    /// Whether only this machine can call; else the token must not go away.
    pub(crate) loopback: bool,
    pub(crate) engine: Arc<Engine>,
    pub(crate) access: Arc<Access>,
    pub(crate) hosts: Hosts,
}

impl Reload {
    /// Goes on until the server ends.
    pub(crate) async fn run(mut self, closing: CancellationToken) {
        let (tell, mut changed) = mpsc::channel(1);
        let watch = config::watch(&self.sources, move || {
            // One waiting word is enough.
            let _ = tell.try_send(());
        });
        if let Err(error) = &watch {
            tracing::warn!(%error, "changes of the configuration are not noticed; send SIGHUP after them");
        }
        let Ok(mut hangup) = signal(SignalKind::hangup()) else {
            return tracing::warn!("SIGHUP cannot be handled");
        };
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                Some(()) = changed.recv() => {}
                () = closing.cancelled() => return,
            }
            self.again();
        }
    }

    fn again(&mut self) {
        let new = match Config::load(&self.sources) {
            Ok(loaded) => loaded.config,
            // Often half written; the rest of it is told too.
            Err(error) => {
                return tracing::warn!(%error, "the configuration is left as it was");
            }
        };
        if new == self.now {
            return;
        }
        if !self.loopback && new.auth_token.is_none() {
            return tracing::warn!(
                "the configuration is left as it was: other machines can call, and it has no token any more"
            );
        }
        let stays = |config: &Config| {
            (
                config.state_dir.clone(),
                config.runtime_dir.clone(),
                config.host.clone(),
                config.port,
                config.log_level,
            )
        };
        if stays(&new) != stays(&self.now) {
            tracing::warn!("stateDir, runtimeDir, host, port and logLevel count from the next start on");
        }
        self.access.set_rules(rules(&new));
        self.hosts.allow(new.allowed_hosts.iter().cloned());
        self.engine.set_config(new.clone());
        self.now = new;
        tracing::info!("the configuration was read again");
    }
}
