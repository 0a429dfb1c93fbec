//! Other people's MCP clients, fetched from their registries into the target directory, in pinned versions.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::Lab;
use crate::support::clients::{must, once, python};
use crate::support::lab::AEGIS;
use crate::support::outside::{McpClient, Peer};

const TYPESCRIPT: &str = "@modelcontextprotocol/sdk@1.32.2";
const PYTHON: &str = "mcp==2.3.0";
const INSPECTOR: &str = "@modelcontextprotocol/inspector@2.12.0";

/// The clients that whole stories are told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sdk {
    /// The official one for TypeScript, which opens with `initialize`.
    TypeScript,
    /// The official one for Python, made to open with `initialize`.
    Python,
    /// The same, free to choose: it takes the newer protocol.
    PythonModern,
}

fn npm(name: &str, package: &str) -> PathBuf {
    once(name, package, |dir| {
        let mut npm = Command::new("npm");
        // Forced, because a package may name a newer Node.js than it needs.
        npm.args([
            "install",
            "--force",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ]);
        must(npm.arg(dir).arg(package));
    })
}

fn typescript() -> PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| npm("mcp-sdk", TYPESCRIPT)).clone()
}

/// The inspector's command-line program.
pub(crate) fn inspector() -> PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    let dir = DIR.get_or_init(|| npm("mcp-inspector", INSPECTOR));
    dir.join("node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")
}

/// Starts a client with a server behind it.
pub(crate) async fn client(lab: &Lab, sdk: Sdk, args: &[&str]) -> McpClient {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doors");
    let mut command = tokio::task::spawn_blocking(move || match sdk {
        Sdk::TypeScript => {
            let mut node = Command::new("node");
            node.arg(here.join("client.mjs")).arg(typescript());
            node
        }
        Sdk::Python | Sdk::PythonModern => {
            let mut python = Command::new(python("mcp-python", PYTHON));
            // Nothing is left beside the script.
            python.arg("-B").arg(here.join("client.py")).arg(if sdk == Sdk::Python {
                "legacy"
            } else {
                "auto"
            });
            python
        }
    })
    .await
    .unwrap();
    command.env_clear().envs(&lab.env).current_dir(&lab.project).arg(AEGIS).args(args);
    McpClient::bridged(Peer::start(command)).await
}
