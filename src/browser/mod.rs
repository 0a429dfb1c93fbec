//! Pictures of web pages, taken by a headless Chromium that is found on the machine.
//!
//! Each picture has a browser of its own, with an empty profile that is gone afterwards. All that the browser loads
//! comes through a proxy of ours (`proxy`), which checks every address at the moment it connects: redirects, names
//! that change and what a page pulls in are held to the same rule as the page itself. The browser is steered over a
//! pipe (`devtools`), so nobody else can.

mod devtools;
mod proxy;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use command_fds::{CommandFdExt as _, FdMapping};
use serde_json::json;
use tokio::sync::Semaphore;
use url::Url;

use crate::domain::Reach;
use crate::names::{Lookup, SystemLookup};
use devtools::{Devtools, DevtoolsError};
use proxy::Proxy;

/// Names under which the browser is looked for, in this order.
const NAMES: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
    "microsoft-edge-stable",
    "microsoft-edge",
];

/// How long a picture may take in all.
const WITHIN: Duration = Duration::from_secs(30);

/// How many browsers run at once; each takes some 300 MB.
const AT_ONCE: usize = 2;

/// The largest picture, in pixels: Chromium's own limit for a texture.
const MOST_PIXELS: u32 = 16_384;

/// What to take a picture of.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The page.
    pub url: Url,
    /// Whether all of the page is wanted, not only what fits the window.
    pub full_page: bool,
    /// The window's width in pixels.
    pub width: u32,
    /// The window's height in pixels.
    pub height: u32,
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The PNG file, in base64.
    pub png: String,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShotError {
    /// No browser was found.
    #[error("no Chromium is installed")]
    NoBrowser,
    /// The address may not be called.
    #[error("{0}")]
    Refused(String),
    /// The page did not load.
    #[error("the page did not load: {0}")]
    NotLoaded(String),
    /// It took too long.
    #[error("the page was not shown within {} seconds", WITHIN.as_secs())]
    TooLong,
    /// The browser failed.
    #[error("the browser failed: {0}")]
    Failed(String),
}

/// Takes pictures.
pub struct Browser {
    program: Option<PathBuf>,
    lookup: Arc<dyn Lookup>,
    reach: Reach,
    slots: Semaphore,
}

impl Browser {
    /// Uses the configured program, or looks for one in this search path when it is first needed.
    #[must_use]
    pub fn new(configured: Option<PathBuf>, search: &str, reach: Reach) -> Self {
        let program = configured.or_else(|| {
            let found =
                |dir: PathBuf| NAMES.iter().map(move |name| dir.join(name)).find(|path| is_program(path));
            std::env::split_paths(search).find_map(found)
        });
        Self { program, lookup: Arc::new(SystemLookup), reach, slots: Semaphore::new(AT_ONCE) }
    }

    /// The same with another way to look names up than the system's.
    #[must_use]
    pub fn with_lookup(self, lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// Takes one picture.
    ///
    /// # Errors
    ///
    /// See [`ShotError`].
    pub async fn take(&self, shot: &Shot) -> Result<Picture, ShotError> {
        proxy::check(&shot.url, &*self.lookup, self.reach).await.map_err(ShotError::Refused)?;
        let program = self.program.as_deref().ok_or(ShotError::NoBrowser)?;
        let failed = |what: String| ShotError::Failed(what);
        let _slot = self.slots.acquire().await.map_err(|error| failed(error.to_string()))?;
        let proxy =
            Proxy::start(self.lookup.clone(), self.reach).await.map_err(|error| failed(error.to_string()))?;
        let profile = tempfile::Builder::new()
            .prefix("aegis-browser-")
            .tempdir()
            .map_err(|error| failed(error.to_string()))?;
        let (mut child, devtools) = start(program, profile.path()).map_err(failed)?;
        let taken = tokio::time::timeout(WITHIN, picture(devtools, proxy.addr, shot)).await;
        // Gone with all of its helpers, which end when it does; then nobody writes into the profile any more.
        let _ = child.kill().await;
        match taken {
            Err(_) => Err(ShotError::TooLong),
            // What the browser says of a connection that the proxy refused says less.
            Ok(Err(ShotError::NotLoaded(said))) => match proxy.refused() {
                Some(why) => Err(ShotError::Refused(why)),
                None => Err(ShotError::NotLoaded(said)),
            },
            Ok(other) => other,
        }
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Starts the browser with its two pipes.
fn start(program: &Path, profile: &Path) -> Result<(tokio::process::Child, Devtools), String> {
    let failed = |error: std::io::Error| error.to_string();
    let (theirs_in, ours_out) = std::io::pipe().map_err(failed)?;
    let (ours_in, theirs_out) = std::io::pipe().map_err(failed)?;
    let mut command = std::process::Command::new(program);
    command
        .args(["--headless", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check"])
        .args([
            "--disable-gpu",
            "--disable-quic",
            "--disable-sync",
            "--disable-extensions",
            "--hide-scrollbars",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-breakpad"])
        .args(["--force-color-profile=srgb", "--mute-audio", "--password-store=basic"])
        // What the browser wants for itself goes nowhere; the page has a proxy of its own. Nothing goes past these: not
        // this machine, no look-up, no datagram.
        .args(["--proxy-server=http://nowhere.invalid:1", "--proxy-bypass-list=<-loopback>"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        .arg("--force-webrtc-ip-handling-policy=disable_non_proxied_udp")
        .arg(format!("--user-data-dir={}", profile.display()));
    if rustix::process::geteuid().is_root() {
        // Chromium's own sandbox refuses to run as root.
        command.arg("--no-sandbox");
    }
    command.arg("about:blank");
    command.env("HOME", profile).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Chromium reads commands from descriptor 3 and answers on 4.
    command
        .fd_mappings(vec![
            FdMapping { parent_fd: theirs_in.into(), child_fd: 3 },
            FdMapping { parent_fd: theirs_out.into(), child_fd: 4 },
        ])
        .map_err(|error| error.to_string())?;
    let child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(failed)?;
    Ok((child, Devtools::new(ours_in, ours_out).map_err(failed)?))
}

async fn picture(mut devtools: Devtools, proxy: SocketAddr, shot: &Shot) -> Result<Picture, ShotError> {
    let server = format!("http://{proxy}");
    let context = json!({ "proxyServer": server, "proxyBypassList": "<-loopback>" });
    let context = devtools.call("Target.createBrowserContext", context).await?;
    let target = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
    let page = devtools.call("Target.createTarget", target).await?;
    let attach = json!({ "targetId": page["targetId"], "flatten": true });
    let attached = devtools.call("Target.attachToTarget", attach).await?;
    devtools.enter(attached["sessionId"].as_str().unwrap_or_default());
    let size = json!({ "width": shot.width, "height": shot.height, "deviceScaleFactor": 1, "mobile": false });
    devtools.call("Emulation.setDeviceMetricsOverride", size).await?;
    devtools.call("Page.enable", json!({})).await?;
    let going = devtools.call("Page.navigate", json!({ "url": shot.url.as_str() })).await?;
    if let Some(error) = going["errorText"].as_str() {
        return Err(ShotError::NotLoaded(error.to_owned()));
    }
    devtools.event("Page.loadEventFired").await?;
    let (mut width, mut height) = (shot.width, shot.height);
    let mut how = json!({ "format": "png" });
    if shot.full_page {
        let metrics = devtools.call("Page.getLayoutMetrics", json!({})).await?;
        let pixels = |side: &str, least: u32| {
            let found = metrics["cssContentSize"][side].as_f64().unwrap_or_default().ceil();
            // Clamped to what a picture can have, so the cast loses nothing.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let found = found.clamp(0.0, f64::from(MOST_PIXELS)) as u32;
            found.max(least)
        };
        (width, height) = (pixels("width", shot.width), pixels("height", shot.height));
        how["captureBeyondViewport"] = true.into();
        how["clip"] = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
    }
    let taken = devtools.call("Page.captureScreenshot", how).await?;
    let png = taken["data"].as_str().unwrap_or_default().to_owned();
    if STANDARD.decode(&png).is_ok_and(|bytes| bytes.starts_with(b"\x89PNG")) {
        Ok(Picture { png, width, height })
    } else {
        Err(ShotError::Failed("it gave no picture".into()))
    }
}

impl From<DevtoolsError> for ShotError {
    fn from(error: DevtoolsError) -> Self {
        Self::Failed(error.to_string())
    }
}
