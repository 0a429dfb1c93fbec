//! The health of this server and of what it stands on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aegis, Caller};
use crate::domain::OpError;

/// Asks for the server's health.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerHealthRequest {}

/// The `claude` program.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaudeHealth {
    /// Whether it was found.
    pub found: bool,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether Aegis works with it.
    pub supported: bool,
    /// What to do, if anything is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Where the steward runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StewardPlace {
    /// In this process.
    Here,
    /// In another server.
    Elsewhere,
    /// Nowhere: only command lines are running.
    None,
}

/// The store.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreHealth {
    /// Whether it answers.
    pub ok: bool,
    /// Which kind: `sqlite`.
    pub kind: String,
    /// The state directory.
    pub state_dir: String,
}

/// The health of this server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerHealth {
    /// Aegis's version.
    pub version: String,
    /// How long this server has run, in seconds.
    pub uptime_seconds: u64,
    /// Live sessions by status.
    pub sessions: BTreeMap<String, usize>,
    /// The `claude` program.
    pub claude: ClaudeHealth,
    /// Where the steward runs.
    pub steward: StewardPlace,
    /// The store.
    pub store: StoreHealth,
    /// Channels that tell people, by their names.
    pub channels: Vec<String>,
    /// The doors that are open: `mcp`, `cli`.
    pub doors: Vec<String>,
}

impl Aegis {
    /// Tells how this server and what it stands on are.
    ///
    /// # Errors
    ///
    /// None in practice: what is wrong is told in the answer.
    pub async fn server_health(
        &self,
        caller: &Caller,
        _: ServerHealthRequest,
    ) -> Result<ServerHealth, OpError> {
        let state = self.engine.health().await;
        let claude = match state.claude {
            Ok(found) => ClaudeHealth {
                found: true,
                path: Some(found.path.display().to_string()),
                supported: found.supported,
                hint: (!found.supported)
                    .then(|| crate::domain::ErrorCode::ClaudeUnsupported.default_hint().into()),
                version: found.version,
            },
            Err(error) => ClaudeHealth {
                found: false,
                path: None,
                version: None,
                supported: false,
                hint: Some(error.hint),
            },
        };
        Ok(ServerHealth {
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_seconds: state.uptime.as_secs(),
            sessions: state.sessions,
            claude,
            steward: place(state.steward_here),
            store: StoreHealth { ok: state.store_ok, kind: "sqlite".into(), state_dir: state.state_dir },
            channels: self.channels.iter().flat_map(|all| all.list()).map(|channel| channel.name).collect(),
            doors: vec![caller.surface.clone()],
        })
    }

    /// Tells where the steward runs, which runs pipelines.
    #[must_use]
    pub fn steward(&self) -> StewardPlace {
        place(self.engine.steward_here())
    }
}

fn place(here: Option<bool>) -> StewardPlace {
    match here {
        Some(true) => StewardPlace::Here,
        Some(false) => StewardPlace::Elsewhere,
        None => StewardPlace::None,
    }
}
