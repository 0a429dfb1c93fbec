//! File and environment become one validated value.
//!
//! The only reader of settings: everything comes in as [`Sources`], and the rest of Aegis receives values, never
//! variables. [`Config`] is what can be set, [`Config::load`] where it comes from, [`Paths`] where things lie.

mod channels;
mod dirs;
mod error;
mod keys;
mod load;
mod model;
mod paths;
mod watch;

pub use channels::{Alerting, Email, LONGEST_TIMEOUT_MS, Webhook};
pub use dirs::{DirError, private_dir};
pub use error::ConfigError;
pub use load::{Loaded, Origin, Sources};
pub use model::{BrowserReach, Config, LogLevel, OnTimeout, RateLimit, Terminal};
pub use paths::{Paths, PathsError};
pub use watch::{ConfigWatch, watch};
