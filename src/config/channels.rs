//! What can be set about channels: webhooks, Telegram, Slack, mail, alerts.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use url::{Host, Url};

use crate::domain::{Secret, Topic};

/// The longest time that a webhook's receiver may be given, in milliseconds.
pub const LONGEST_TIMEOUT_MS: u64 = 60_000;

/// One receiver of webhooks: its address as a text, or an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Where to: `https://…`, or `http://…` on this machine.
    pub url: Secret,
    /// Which events; all if empty.
    pub events: Vec<Topic>,
    /// Headers to send along.
    pub headers: BTreeMap<String, Secret>,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms: u64,
    /// Signs each body. `whsec_…` is base64, as Standard Webhooks have it.
    pub secret: Option<Secret>,
    /// Leaves out what sessions say and do.
    pub redact_content: bool,
    /// Whether the receiver may be on this machine.
    pub allow_loopback: bool,
    /// Whether the receiver may be in a private network.
    pub allow_private: bool,
}

/// The object in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    /// Where to: `https://…`, or `http://…` on this machine.
    url: Secret,
    /// Which events; all if left out.
    #[serde(default)]
    events: Vec<Topic>,
    /// Headers to send along.
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    /// How long an answer may take, in milliseconds.
    #[serde(default = "five_seconds")]
    #[schemars(range(min = 1, max = LONGEST_TIMEOUT_MS))]
    timeout_ms: u64,
    /// Signs each body; `whsec_` and base64, or any text.
    #[serde(default)]
    secret: Option<Secret>,
    /// Leaves out what sessions say and do.
    #[serde(default)]
    redact_content: bool,
    /// Whether the receiver may be on this machine.
    #[serde(default)]
    allow_loopback: bool,
    /// Whether the receiver may be in a private network.
    #[serde(default)]
    allow_private: bool,
}

fn five_seconds() -> u64 {
    5000
}

impl<'de> Deserialize<'de> for Webhook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            Value::String(url) => serde_json::json!({ "url": url }),
            other => other,
        };
        let written = Written::deserialize(value).map_err(serde::de::Error::custom)?;
        let Written {
            url,
            events,
            headers,
            timeout_ms,
            secret,
            redact_content,
            allow_loopback,
            allow_private,
        } = written;
        Ok(Self { url, events, headers, timeout_ms, secret, redact_content, allow_loopback, allow_private })
    }
}

impl JsonSchema for Webhook {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Webhook".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let written = Written::json_schema(generator);
        json_schema!({
            "description": "One receiver of webhooks: its address, or an object.",
            "anyOf": [{"type": "string", "format": "uri"}, written]
        })
    }
}

impl Webhook {
    /// Tells what is wrong with it, without what is secret.
    pub(super) fn check(&self) -> Result<(), String> {
        let url = Url::parse(self.url.reveal()).map_err(|error| format!("its url is no address: {error}"))?;
        let host = url.host().ok_or("its url names no host")?;
        let loopback = match host {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.to_canonical().is_loopback(),
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        };
        match url.scheme() {
            _ if loopback && !self.allow_loopback => {
                return Err("its url is on this machine; allowLoopback permits that".into());
            }
            "https" => {}
            "http" if loopback || self.allow_private => {}
            _ => return Err("its url must begin with https://".into()),
        }
        if !(1..=LONGEST_TIMEOUT_MS).contains(&self.timeout_ms) {
            return Err(format!("its timeoutMs must be from 1 to {LONGEST_TIMEOUT_MS}"));
        }
        let plain = |text: &str| text.chars().all(|c| !c.is_control());
        for (name, value) in &self.headers {
            let token = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if name.is_empty() || !token || !plain(value.reveal()) {
                return Err(format!("it has the header {name:?}, which cannot be sent"));
            }
        }
        match &self.secret {
            Some(secret) if secret.reveal().is_empty() => Err("its secret is empty".into()),
            Some(_) | None => Ok(()),
        }
    }
}

/// Mail: sent where `host` and `to` are set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Email {
    /// The SMTP server's name. `AEGIS_EMAIL_HOST`.
    pub host: Option<String>,
    /// Its port; 465 means TLS from the first byte, any other STARTTLS. `AEGIS_EMAIL_PORT`.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: u16,
    /// Who logs in. `AEGIS_EMAIL_USER`.
    pub user: Option<String>,
    /// The password. `AEGIS_EMAIL_PASS`.
    pub pass: Option<Secret>,
    /// The sender; `aegis@localhost` unless set. `AEGIS_EMAIL_FROM`.
    pub from: Option<String>,
    /// The addressee; several are separated by commas. `AEGIS_EMAIL_TO`.
    pub to: Option<String>,
    /// TLS from the first byte at another port than 465: `true` or `false`. `AEGIS_EMAIL_SECURE`.
    pub secure: bool,
    /// Which events; those of trouble unless set. `AEGIS_EMAIL_EVENTS`, as a JSON array or separated by commas.
    pub events: Vec<Topic>,
}

impl Default for Email {
    fn default() -> Self {
        Self {
            host: None,
            port: 587,
            user: None,
            pass: None,
            from: None,
            to: None,
            secure: false,
            events: Vec::new(),
        }
    }
}

/// Alerts: told when failures pile up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Alerting {
    /// Where alerts go, written as `webhooks`. `AEGIS_ALERT_WEBHOOKS`.
    pub webhooks: Vec<Webhook>,
    /// So many failures within the cooldown raise an alert. `AEGIS_ALERT_FAILURE_THRESHOLD`.
    #[schemars(range(min = 1, max = 1000))]
    pub failure_threshold: u32,
    /// How long failures count, and how long after an alert there is no other, in milliseconds.
    /// `AEGIS_ALERT_COOLDOWN_MS`.
    #[schemars(range(min = 1000, max = 86_400_000))]
    pub cooldown_ms: u64,
}

impl Default for Alerting {
    fn default() -> Self {
        Self { webhooks: Vec::new(), failure_threshold: 5, cooldown_ms: 600_000 }
    }
}
