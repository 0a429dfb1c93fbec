//! Signatures of webhooks, in two forms over one secret.
//!
//! `X-Aegis-Signature: t=<seconds>,v1=<hex>` is HMAC-SHA256 over `<t>.<body>`, as receivers of old know it;
//! `webhook-signature: v1,<base64>` is that of Standard Webhooks, over `<id>.<t>.<body>`. Both sign the time, so that a
//! receiver can refuse what is old.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::Secret;

/// What secrets of Standard Webhooks begin with; base64 follows.
const PREFIX: &str = "whsec_";

/// Signs with one secret.
pub(super) struct Signer {
    secret: Secret,
}

/// Both signatures of one attempt.
pub(super) struct Signed {
    pub(super) aegis: String,
    pub(super) standard: String,
}

impl Signer {
    pub(super) fn new(secret: &Secret) -> Self {
        Self { secret: secret.clone() }
    }

    pub(super) fn sign(&self, id: &str, at: i64, body: &[u8]) -> Signed {
        let text = self.secret.reveal().as_bytes();
        let of_old = mac(text, &[at.to_string().as_bytes(), b".", body]);
        let mut aegis = format!("t={at},v1=");
        for byte in of_old {
            // Writing to a string cannot fail.
            let _ = write!(aegis, "{byte:02x}");
        }
        let decoded = self.secret.reveal().strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok());
        let key = decoded.as_deref().unwrap_or(text);
        let standard = mac(key, &[id.as_bytes(), b".", at.to_string().as_bytes(), b".", body]);
        Signed { aegis, standard: format!("v1,{}", STANDARD.encode(standard)) }
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_published_vectors() {
        let signed = Signer::new(&Secret::new("secret")).sign("x", 1_700_000_000, br#"{"a":1}"#);
        let expected = "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";
        assert_eq!(signed.aegis, expected);
        // The example of the Standard Webhooks libraries.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = Signer::new(&secret).sign(id, 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed.standard, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
