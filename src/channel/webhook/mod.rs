//! Webhooks: each notice is one POST of JSON, signed.
//!
//! The body's keys stand in the order that receivers know: `event`, `timestamp`, `detail`, `meta`, `session`. The
//! delivery id is in `webhook-id` and stays the same when a delivery is repeated, so that a receiver can drop repeats.

mod sign;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::http::{Http, Outside, judged};
use super::{Accepted, Channel, SendError, Style};
use crate::config::Webhook;
use crate::domain::Reach;
use crate::domain::{Notice, OutboxEntry, Secret, Timestamp, Topic};

use sign::Signer;

/// What stands in place of what is not told.
const REDACTED: &str = "[REDACTED]";

/// What webhooks tell unless their configuration says otherwise: all that receivers of old know.
pub(super) fn usual(topic: Topic) -> bool {
    topic != Topic::AskResolved
}

/// One receiver of webhooks.
pub struct WebhookChannel {
    name: String,
    url: Url,
    events: Vec<Topic>,
    headers: BTreeMap<String, Secret>,
    within: Duration,
    redact: bool,
    signer: Option<Signer>,
    http: Http,
}

/// What is posted.
#[derive(Serialize)]
struct Body<'a> {
    event: Topic,
    timestamp: Timestamp,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta<'a>>,
    session: Session<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Meta<'a> {
    Whole(&'a Map<String, Value>),
    Redacted(&'static str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    id: String,
    name: &'a str,
    work_dir: &'static str,
}

impl WebhookChannel {
    pub(super) fn new(name: String, config: &Webhook, outside: &Outside) -> Result<Self, SendError> {
        let url = Url::parse(config.url.reveal()).map_err(|_| SendError::lasting("its url is no address"))?;
        let reach = Reach { loopback: config.allow_loopback, private: config.allow_private };
        Ok(Self {
            name,
            url,
            events: config.events.clone(),
            headers: config.headers.clone(),
            within: Duration::from_millis(config.timeout_ms),
            redact: config.redact_content,
            signer: config.secret.as_ref().map(Signer::new),
            http: Http::new(outside, reach),
        })
    }

    /// Posts a body, with the headers of its delivery.
    pub(super) async fn post(
        &self,
        id: &str,
        body: Vec<u8>,
        extra: &[(&str, &str)],
    ) -> Result<Accepted, SendError> {
        // The time of the attempt, by the system's clock: receivers refuse what is five minutes off.
        let at = Timestamp::now().millis().div_euclid(1000);
        let time = at.to_string();
        let signed = self.signer.as_ref().map(|signer| signer.sign(id, at, &body));
        let mut headers = vec![("webhook-id", id), ("webhook-timestamp", time.as_str())];
        if let Some(signed) = &signed {
            headers.push(("webhook-signature", signed.standard.as_str()));
            headers.push(("x-aegis-signature", signed.aegis.as_str()));
        }
        headers.extend_from_slice(extra);
        headers.extend(self.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())));
        judged(&self.http.post(&self.url, &headers, body, self.within).await?)
    }

    fn body(&self, notice: &Notice) -> Result<Vec<u8>, SendError> {
        let meta = notice
            .meta
            .as_ref()
            .map(|meta| if self.redact { Meta::Redacted(REDACTED) } else { Meta::Whole(meta) });
        let body = Body {
            event: notice.event,
            timestamp: notice.timestamp,
            detail: if self.redact { REDACTED } else { &notice.detail },
            meta,
            session: Session {
                id: notice.session.id.to_string(),
                name: &notice.session.name,
                work_dir: REDACTED,
            },
        };
        serde_json::to_vec(&body).map_err(|_| SendError::lasting("the notice cannot be written as JSON"))
    }
}

impl Channel for WebhookChannel {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn target(&self) -> String {
        format!("{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())
    }

    fn wants(&self, topic: Topic) -> bool {
        match self.events.as_slice() {
            [] => usual(topic),
            events => topic == Topic::ChannelTest || events.contains(&topic),
        }
    }

    fn style(&self) -> Style {
        Style { most: 1, gather: Duration::ZERO, fold: None, side_by_side: 8, pace: None }
    }

    fn send<'a>(&'a self, notices: &'a [OutboxEntry]) -> BoxFuture<'a, Result<Accepted, SendError>> {
        Box::pin(async move {
            let mut accepted = Accepted::default();
            for entry in notices {
                let id = format!("msg_{}", entry.id);
                accepted = self.post(&id, self.body(&entry.notice)?, &[]).await?;
            }
            Ok(accepted)
        })
    }
}
