//! Comparing secrets.

use sha2::{Digest as _, Sha256};

/// Tells whether two secrets are the same. The time it takes says nothing about where they differ: what is compared
/// are their hashes, every byte of them.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    let (one, other) = (Sha256::digest(one), Sha256::digest(other));
    one.iter().zip(other.iter()).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same("a secret", "a secret"));
        assert!(!same("a secret", "a secre"));
        assert!(!same("", "a secret"));
    }
}
