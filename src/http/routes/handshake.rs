//! What a client and this server can do together.

use axum::Json;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::input::Body;
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;

/// The version of these paths and shapes.
const PROTOCOL: &str = "1";

/// What this server can do, in the order in which it is told. What is not there is not promised.
const CAPABILITIES: &[&str] = &[
    "session.create",
    "session.resume",
    "session.approve",
    "session.transcript",
    "session.transcript.cursor",
    "session.events.sse",
    "hooks.pre_tool_use",
    "hooks.post_tool_use",
    "hooks.notification",
    "hooks.stop",
    "swarm",
    "metrics",
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/handshake", handshake)
            .says("Tells which capabilities client and server share.")
            .public()
            .body::<Offer>()
            .gives::<Agreement>(200),
    ]
}

/// What a client offers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Offer {
    /// The version that it speaks; this server speaks 1.
    #[schemars(length(min = 1))]
    protocol_version: String,
    /// What it can use; all of the server's if left out or empty.
    #[serde(default)]
    client_capabilities: Option<Vec<String>>,
    /// Its own version, which decides nothing.
    #[serde(default, rename = "clientVersion")]
    _client_version: Option<String>,
}

/// What both can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Agreement {
    protocol_version: String,
    server_capabilities: Vec<String>,
    /// What both have, in the client's order.
    negotiated_capabilities: Vec<String>,
    feature_gates: Gates,
    /// `none`, `legacy-defaults` for a client that names no capabilities, `invalid-protocol` or
    /// `incompatible-protocol`.
    fallback_mode: String,
    warnings: Vec<String>,
    /// Whether the two can work together at all.
    compatible: bool,
}

/// What the negotiated capabilities open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a gate of its own")]
struct Gates {
    cursor_replay: bool,
    transcript_read: bool,
    sse_events: bool,
    permission_control: bool,
    screenshots: bool,
    hook_lifecycle: bool,
}

async fn handshake(Body(offer): Body<Offer>) -> Reply<Json<Agreement>> {
    if offer.protocol_version.is_empty() {
        return Err(Refusal::invalid("Invalid request body: protocolVersion is empty"));
    }
    let agreement = agree(&offer);
    if agreement.compatible {
        return Ok(Json(agreement));
    }
    let what = agreement.warnings.join(" ");
    let refusal = Refusal::new(StatusCode::CONFLICT, "incompatible_protocol", what)
        .hint(format!("this server speaks protocol version {PROTOCOL}"));
    Err(match serde_json::to_value(agreement) {
        Ok(Value::Object(fields)) => refusal.beside(fields),
        _ => refusal,
    })
}

fn agree(offer: &Offer) -> Agreement {
    let mut warnings = Vec::new();
    let version = leading_integer(&offer.protocol_version);
    let failure = match version {
        None => {
            warnings.push(format!("Protocol version \"{}\" is not a number.", offer.protocol_version));
            Some("invalid-protocol")
        }
        Some(version) if version < 1 => {
            warnings.push(format!("Protocol version {version} is older than {PROTOCOL}."));
            Some("incompatible-protocol")
        }
        Some(version) => {
            if version > 1 {
                let what =
                    format!("Client protocol version {version} is newer than server version {PROTOCOL}.");
                warnings.push(what);
            }
            None
        }
    };
    let mut mode = failure.unwrap_or("none");
    let wanted = offer.client_capabilities.as_deref().unwrap_or_default();
    let negotiated: Vec<String> = if failure.is_some() {
        Vec::new()
    } else if wanted.is_empty() {
        mode = "legacy-defaults";
        warnings.push("No client capabilities were named; all of the server's are taken.".into());
        CAPABILITIES.iter().map(ToString::to_string).collect()
    } else {
        let known = |name: &&String| CAPABILITIES.contains(&name.as_str());
        let unknown: Vec<_> = wanted.iter().filter(|name| !known(name)).map(String::as_str).collect();
        if !unknown.is_empty() {
            warnings.push(format!("Unknown client capabilities: {}.", unknown.join(", ")));
        }
        wanted.iter().filter(known).cloned().collect()
    };
    let has = |name: &str| negotiated.iter().any(|one| one == name);
    let feature_gates = Gates {
        cursor_replay: has("session.transcript.cursor"),
        transcript_read: has("session.transcript"),
        sse_events: has("session.events.sse"),
        permission_control: has("session.approve"),
        screenshots: has("session.screenshot"),
        hook_lifecycle: has("hooks.pre_tool_use") && has("hooks.post_tool_use"),
    };
    Agreement {
        protocol_version: PROTOCOL.into(),
        server_capabilities: CAPABILITIES.iter().map(ToString::to_string).collect(),
        negotiated_capabilities: negotiated,
        feature_gates,
        fallback_mode: mode.into(),
        warnings,
        compatible: failure.is_none(),
    }
}

/// The integer at the beginning of a text, as older servers read versions: `1.2` is 1.
fn leading_integer(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let value = digits[..end].parse().unwrap_or(i64::MAX);
    Some(if text.starts_with('-') { -value } else { value })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn offer(version: &str, capabilities: Option<&[&str]>) -> Offer {
        Offer {
            protocol_version: version.into(),
            client_capabilities: capabilities.map(|all| all.iter().map(ToString::to_string).collect()),
            _client_version: None,
        }
    }

    #[rstest]
    #[case::words("one", "invalid-protocol", false)]
    #[case::nothing(" ", "invalid-protocol", false)]
    #[case::old("0", "incompatible-protocol", false)]
    #[case::negative("-3", "incompatible-protocol", false)]
    #[case::same("1", "none", true)]
    #[case::minor("1.4", "none", true)]
    #[case::newer("2", "none", true)]
    #[case::huge("99999999999999999999", "none", true)]
    fn versions_are_compared(#[case] version: &str, #[case] mode: &str, #[case] compatible: bool) {
        let agreement = agree(&offer(version, Some(&["metrics"])));
        assert_eq!((agreement.fallback_mode.as_str(), agreement.compatible), (mode, compatible));
        assert_eq!(agreement.negotiated_capabilities.is_empty(), !compatible);
    }

    #[test]
    fn what_both_have_is_told_in_the_clients_order() {
        let agreement = agree(&offer("1", Some(&["metrics", "teleport", "session.transcript.cursor"])));
        assert_eq!(agreement.negotiated_capabilities, ["metrics", "session.transcript.cursor"]);
        assert!(agreement.feature_gates.cursor_replay && !agreement.feature_gates.permission_control);
        assert_eq!(agreement.warnings, ["Unknown client capabilities: teleport."]);
        let legacy = agree(&offer("1", Some(&[])));
        assert_eq!(legacy.negotiated_capabilities, legacy.server_capabilities);
        assert_eq!(legacy.fallback_mode, "legacy-defaults");
        assert!(legacy.feature_gates.hook_lifecycle);
    }
}
