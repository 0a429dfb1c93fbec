//! Pictures of web pages, such as the one that a session builds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Aegis, Caller};
use crate::browser::{Shot, ShotError};
use crate::domain::{ErrorCode, OpError, Timestamp};

/// Asks for a picture of a web page.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Screenshot {
    /// Id, prefix or name.
    pub session_id: String,
    /// The page, http or https.
    pub url: String,
    /// All of the page, not only what fits the window. Default false.
    #[serde(default)]
    pub full_page: Option<bool>,
    /// The window's width in pixels. Default 1280.
    #[serde(default)]
    #[schemars(range(min = 1, max = 7680))]
    pub width: Option<u32>,
    /// The window's height in pixels. Default 720.
    #[serde(default)]
    #[schemars(range(min = 1, max = 4320))]
    pub height: Option<u32>,
}

/// A picture of a web page.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScreenshotTaken {
    /// The PNG file, in base64.
    pub screenshot: String,
    /// Its media type.
    pub mime_type: String,
    /// The page.
    pub url: String,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// When it was taken.
    pub timestamp: Timestamp,
}

impl Aegis {
    /// Takes a picture of a web page with a browser that is found on this machine.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `forbidden`, `invalid_argument` for an address that may not be called or a page that does not load,
    /// `unsupported` without a browser, `not_confirmed` for a page that takes too long, `internal`.
    pub async fn screenshot(&self, caller: &Caller, req: Screenshot) -> Result<ScreenshotTaken, OpError> {
        self.engine.resolve_seen(&req.session_id, caller.confined()).await?;
        let invalid = |what: String| OpError::new(ErrorCode::InvalidArgument, what);
        let url = Url::parse(&req.url).map_err(|error| invalid(format!("url: {error}")))?;
        let (width, height) = (req.width.unwrap_or(1280), req.height.unwrap_or(720));
        if !(1..=7680).contains(&width) || !(1..=4320).contains(&height) {
            return Err(invalid("width is from 1 to 7680, height from 1 to 4320".into()));
        }
        let shot = Shot { url, full_page: req.full_page.unwrap_or(false), width, height };
        let picture = match &self.browser {
            Some(browser) => browser.take(&shot).await,
            None => Err(ShotError::NoBrowser),
        };
        let picture = picture.map_err(failure)?;
        Ok(ScreenshotTaken {
            screenshot: picture.png,
            mime_type: "image/png".into(),
            url: shot.url.into(),
            width: picture.width,
            height: picture.height,
            timestamp: Timestamp::now(),
        })
    }
}

fn failure(error: ShotError) -> OpError {
    let what = error.to_string();
    match error {
        ShotError::NoBrowser => OpError::new(ErrorCode::Unsupported, what)
            .hint("install Chromium (Debian: `apt-get install chromium`), or name a browser with AEGIS_BROWSER_PATH"),
        ShotError::Refused(_) => OpError::new(ErrorCode::InvalidArgument, what)
            .hint("pages of this machine need browserReach (AEGIS_BROWSER_REACH) set to loopback or private"),
        ShotError::NotLoaded(_) => {
            OpError::new(ErrorCode::InvalidArgument, what).hint("check that the page can be reached from here")
        }
        ShotError::TooLong => {
            OpError::new(ErrorCode::NotConfirmed, what).hint("try again, or check what the page waits for")
        }
        ShotError::Failed(_) => OpError::new(ErrorCode::Internal, what).hint("try again"),
    }
}
