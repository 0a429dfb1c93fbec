//! How names of hosts become addresses, for whatever checks where a call leads before it connects.

use std::io;
use std::net::IpAddr;

use futures_util::future::BoxFuture;

/// Turns a name into addresses.
pub trait Lookup: Send + Sync {
    /// Looks the name up.
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's own way to look names up.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
        })
    }
}
