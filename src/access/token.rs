//! Secrets: made and hashed.

use sha2::{Digest as _, Sha256};

use crate::domain::{ErrorCode, OpError};

/// What keys begin with.
pub const KEY_PREFIX: &str = "aegis_";

/// What tickets for streams begin with.
pub const TICKET_PREFIX: &str = "sse_";

/// Makes a secret: the prefix and 64 random hexadecimal digits.
///
/// # Errors
///
/// `internal` where the system gives no random numbers.
pub fn mint(prefix: &str) -> Result<String, OpError> {
    Ok(format!("{prefix}{}", random::<32>()?))
}

/// Makes an id of 16 random hexadecimal digits.
///
/// # Errors
///
/// As [`mint`].
pub fn mint_id() -> Result<String, OpError> {
    random::<8>()
}

fn random<const BYTES: usize>() -> Result<String, OpError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| OpError::new(ErrorCode::Internal, format!("no random numbers: {error}")))?;
    Ok(hex(&bytes))
}

/// What is kept of a secret: its SHA-256, hexadecimal. Enough for secrets that nobody can guess.
#[must_use]
pub fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret))
}

/// Tells whether a text has the shape of such a secret.
pub(super) fn is_minted(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == 64 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_shape_and_differ() {
        let (one, other) = (mint(KEY_PREFIX).unwrap(), mint(KEY_PREFIX).unwrap());
        assert!(is_minted(&one, KEY_PREFIX) && !is_minted(&one, TICKET_PREFIX));
        assert_ne!(one, other);
        assert_eq!(mint_id().unwrap().len(), 16);
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
