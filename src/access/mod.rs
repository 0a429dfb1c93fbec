//! Who calls over the network, and what they may do. Knows nothing of sessions.

mod identity;
mod token;

pub use identity::{Identity, Needs, Permission, Role};
pub use token::same;

use crate::domain::Secret;

/// Decides who a bearer token belongs to.
#[derive(Debug, Default)]
pub struct Access {
    /// The token of `AEGIS_AUTH_TOKEN`, which may do everything.
    master: Option<Secret>,
}

/// Why a call is refused before anything is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It brought no token.
    NoToken,
    /// Its token belongs to nobody.
    BadToken,
}

impl Access {
    /// Builds it over the configured token.
    #[must_use]
    pub fn new(master: Option<Secret>) -> Self {
        Self { master }
    }

    /// Tells whether calls need a token at all.
    #[must_use]
    pub fn required(&self) -> bool {
        self.master.is_some()
    }

    /// Tells who calls with this token.
    ///
    /// # Errors
    ///
    /// See [`Denied`].
    pub fn identify(&self, token: Option<&str>) -> Result<Identity, Denied> {
        let Some(master) = &self.master else { return Ok(Identity::everyone()) };
        let token = token.ok_or(Denied::NoToken)?;
        if same(token, master.reveal()) { Ok(Identity::master()) } else { Err(Denied::BadToken) }
    }
}
