//! Channels: who is told, how they do, what did not arrive.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aegis, Caller};
use crate::access::Needs;
use crate::channel::{AlertStats, Channels};
use crate::domain::{ErrorCode, OpError, OutboxEntry, OutboxState, Timestamp, Topic};
use crate::store::{KEPT, KEPT_REFUSALS, Store, StoreError};

/// After so many failures in a row a channel counts as not healthy; one may happen to anybody.
const UNHEALTHY: u32 = 2;

/// Names a channel, or all.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChannelRef {
    /// Its name; all channels if left out.
    #[serde(default)]
    pub channel: Option<String>,
}

/// Asks for what was given up to be sent again.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryDeliveries {
    /// Only this channel's.
    #[serde(default)]
    pub channel: Option<String>,
    /// Only this delivery.
    #[serde(default)]
    pub id: Option<String>,
}

/// A channel of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelInfo {
    /// Its name.
    pub name: String,
    /// Its kind: `webhook`, `telegram`, `slack`, `email`, `alerts`, or `broken`.
    pub kind: String,
    /// Whom it tells, without what is secret.
    pub target: String,
    /// What it tells.
    pub events: Vec<Topic>,
    /// Why it cannot be used, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How a channel does. The first five fields are those that existing clients read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelHealthView {
    /// Its name.
    pub channel: String,
    /// Whether it can be used and did not fail twice in a row.
    pub healthy: bool,
    /// When a receiver last took something, in milliseconds since the Unix epoch.
    pub last_success: Option<i64>,
    /// Why the last failure came about.
    pub last_error: Option<String>,
    /// Notices that wait.
    pub pending_count: u32,
    /// Notices that were given up and are kept.
    pub dead_count: u32,
    /// Events that were not looked at yet.
    pub behind: u32,
    /// Events that were too old when their turn came.
    pub expired: u32,
    /// Failures since the last success.
    pub failures: u32,
    /// When the last failure was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<Timestamp>,
    /// Nothing is sent before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// When a channel that listens last heard from its service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// What else there is to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A notice that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// When it was given up.
    pub timestamp: Timestamp,
    /// The channel's receiver.
    pub endpoint: String,
    /// What it was about.
    pub event: Topic,
    /// Why it did not arrive.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Names the delivery.
    pub id: String,
    /// The channel.
    pub channel: String,
    /// The session.
    pub session_id: String,
}

/// The last attempt of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// Names the delivery.
    pub id: String,
    /// The channel's receiver.
    pub endpoint_url: String,
    /// What it is about.
    pub event: Topic,
    /// `success`, `failed` or `pending`.
    pub status: String,
    /// The receiver's answer.
    pub response_code: Option<u16>,
    /// Why it did not arrive.
    pub error: Option<String>,
    /// When it was tried last, or written.
    pub timestamp: Timestamp,
    /// How often it was tried.
    pub attempt_number: u32,
}

/// How an attempt to try a channel out came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelTested {
    /// The channel.
    pub channel: String,
    /// Whether its receiver took it.
    pub sent: bool,
    /// The receiver's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_code: Option<u16>,
    /// Why it did not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retried {
    /// How many notices are sent again.
    pub retried: usize,
}

/// What became of a test of the alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertsTested {
    /// Whether every receiver took it.
    pub sent: bool,
    /// How many receivers there are.
    pub webhook_count: usize,
    /// What went wrong, if anything did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Something that came in and was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalView {
    /// When.
    pub at: Timestamp,
    /// Through which channel.
    pub channel: String,
    /// From whom.
    pub who: String,
    /// What.
    pub what: String,
}

impl Aegis {
    fn hall(&self) -> Option<&Channels> {
        self.channels.as_deref()
    }

    /// The receiver of each channel, without what is secret.
    fn targets(&self) -> BTreeMap<String, String> {
        let all = self.hall().map(Channels::list).unwrap_or_default();
        all.into_iter().map(|channel| (channel.name, channel.target)).collect()
    }

    async fn outbox<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, OpError> {
        let store = self.engine.store();
        let result = tokio::task::spawn_blocking(move || call(store.as_ref())).await;
        let result = result.map_err(|error| OpError::new(ErrorCode::Internal, error.to_string()))?;
        result.map_err(|error| OpError::new(error.code(), error.to_string()))
    }

    /// Lists the channels of the configuration.
    ///
    /// # Errors
    ///
    /// `forbidden`.
    pub async fn list_channels(&self, caller: &Caller) -> Result<Vec<ChannelInfo>, OpError> {
        caller.may(Needs::Admin)?;
        Ok(self.configured())
    }

    /// The channels of the configuration.
    fn configured(&self) -> Vec<ChannelInfo> {
        let all = self.hall().map(Channels::list).unwrap_or_default();
        let info = all.into_iter().map(|channel| ChannelInfo {
            name: channel.name,
            kind: channel.kind.into(),
            target: channel.target,
            events: channel.events,
            note: channel.note,
        });
        info.collect()
    }

    /// Tells how each channel does, whichever process runs it.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn channels_health(&self, _: &Caller) -> Result<Vec<ChannelHealthView>, OpError> {
        let mut all = Vec::new();
        for channel in self.configured() {
            let name = channel.name.clone();
            let row = self.outbox(move |store| store.channel(&name)).await?.unwrap_or_default();
            let broken = channel.note.is_some();
            // Alerts keep their counts there.
            let note = if channel.kind == "alerts" { None } else { row.note };
            all.push(ChannelHealthView {
                channel: channel.name,
                healthy: !broken && row.failures < UNHEALTHY,
                last_success: row.last_success.map(Timestamp::millis),
                last_error: row.last_error,
                pending_count: row.pending,
                dead_count: row.dead,
                behind: row.behind,
                expired: row.expired,
                failures: row.failures,
                last_error_at: row.last_error_at,
                paused_until: row.paused_until,
                heard_at: row.heard_at,
                note: channel.note.or(note),
            });
        }
        Ok(all)
    }

    /// Sends a test notice through one channel or all, at once.
    ///
    /// # Errors
    ///
    /// `forbidden`, `no_such_channel`. A test that does not arrive is no error but an answer.
    pub async fn test_channels(
        &self,
        caller: &Caller,
        req: ChannelRef,
    ) -> Result<Vec<ChannelTested>, OpError> {
        caller.may(Needs::Admin)?;
        let all = self.configured();
        let names = match req.channel {
            Some(name) => vec![self.known(name)?],
            None => all.iter().map(|channel| channel.name.clone()).collect(),
        };
        let mut tested = Vec::new();
        for name in names {
            let result = match self.hall() {
                Some(hall) => hall.test(&name).await,
                None => None,
            };
            let broken =
                || all.iter().find(|channel| channel.name == name).and_then(|channel| channel.note.clone());
            tested.push(match result {
                Some(Ok(accepted)) => {
                    ChannelTested { channel: name, sent: true, response_code: accepted.status, error: None }
                }
                Some(Err(error)) => ChannelTested {
                    channel: name,
                    sent: false,
                    response_code: error.status,
                    error: Some(error.what),
                },
                None => {
                    let error = broken();
                    ChannelTested { channel: name, sent: false, response_code: None, error }
                }
            });
        }
        Ok(tested)
    }

    /// Lists what was given up, newest last, as existing clients expect it.
    ///
    /// # Errors
    ///
    /// `forbidden`, `no_such_channel`, `storage_failed`.
    pub async fn list_dead_letters(
        &self,
        caller: &Caller,
        req: ChannelRef,
    ) -> Result<Vec<DeadLetter>, OpError> {
        caller.may(Needs::Admin)?;
        let targets = self.targets();
        let entries = self.entries(req, Some(OutboxState::Dead)).await?;
        let letters = entries.into_iter().rev().map(|entry| DeadLetter {
            timestamp: entry.updated_at,
            endpoint: targets.get(&entry.channel).cloned().unwrap_or_default(),
            event: entry.notice.event,
            error: entry.error.unwrap_or_default(),
            attempts: entry.attempts,
            id: entry.id.to_string(),
            session_id: entry.notice.session.id.to_string(),
            channel: entry.channel,
        });
        Ok(letters.collect())
    }

    /// Lists the newest deliveries and what became of them, newest first.
    ///
    /// # Errors
    ///
    /// `forbidden`, `no_such_channel`, `storage_failed`.
    pub async fn list_deliveries(
        &self,
        caller: &Caller,
        req: ChannelRef,
    ) -> Result<Vec<DeliveryView>, OpError> {
        caller.may(Needs::Admin)?;
        let targets = self.targets();
        let entries = self.entries(req, None).await?;
        let views = entries.into_iter().map(|entry| DeliveryView {
            id: entry.id.to_string(),
            endpoint_url: targets.get(&entry.channel).cloned().unwrap_or_default(),
            event: entry.notice.event,
            status: match entry.state {
                OutboxState::Sent => "success",
                OutboxState::Dead => "failed",
                OutboxState::Pending => "pending",
            }
            .into(),
            response_code: entry.status,
            error: entry.error,
            timestamp: entry.updated_at,
            attempt_number: entry.attempts,
        });
        Ok(views.collect())
    }

    async fn entries(
        &self,
        req: ChannelRef,
        state: Option<OutboxState>,
    ) -> Result<Vec<OutboxEntry>, OpError> {
        let channel = req.channel.map(|name| self.known(name)).transpose()?;
        self.outbox(move |store| store.outbox(channel.as_deref(), state, KEPT * 5)).await
    }

    /// Sends what was given up again.
    ///
    /// # Errors
    ///
    /// `forbidden`, `no_such_channel`, `storage_failed`.
    pub async fn retry_deliveries(&self, caller: &Caller, req: RetryDeliveries) -> Result<Retried, OpError> {
        let act = self.begin(caller, "retry_deliveries", Needs::Admin).await?;
        let done = async {
            let channel = req.channel.map(|name| self.known(name)).transpose()?;
            let (id, now) = (req.id, Timestamp::now());
            let retried =
                self.outbox(move |store| store.retry(channel.as_deref(), id.as_deref(), now)).await?;
            self.engine.tell_outbox();
            Ok(Retried { retried })
        };
        let done = done.await;
        act.end(done).await
    }

    /// Lists what came in through channels and was refused, newest first.
    ///
    /// # Errors
    ///
    /// `forbidden`, `storage_failed`.
    pub async fn list_refusals(&self, caller: &Caller) -> Result<Vec<RefusalView>, OpError> {
        caller.may(Needs::Admin)?;
        let refusals = self.outbox(|store| store.refusals(KEPT_REFUSALS)).await?;
        let view = refusals.into_iter().map(|refusal| RefusalView {
            at: refusal.at,
            channel: refusal.channel,
            who: refusal.who,
            what: refusal.what,
        });
        Ok(view.collect())
    }

    /// Tells how alerts stand, whichever process counts them.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn alert_stats(&self, _: &Caller) -> Result<AlertStats, OpError> {
        let row = self.outbox(|store| store.channel("alerts")).await?;
        Ok(row.and_then(|row| serde_json::from_str(&row.note?).ok()).unwrap_or_default())
    }

    /// Sends a test alert, whatever was counted.
    ///
    /// # Errors
    ///
    /// `forbidden`. What goes wrong with a receiver is told in the answer.
    pub async fn test_alerts(&self, caller: &Caller) -> Result<AlertsTested, OpError> {
        caller.may(Needs::Operator)?;
        let results = match self.hall() {
            Some(hall) => hall.test_alerts().await,
            None => None,
        };
        let Some(results) = results else {
            let message = Some("no alert webhooks are configured: set AEGIS_ALERT_WEBHOOKS".into());
            return Ok(AlertsTested { sent: false, webhook_count: 0, message });
        };
        let failed = results.iter().find_map(|result| result.as_ref().err().map(ToString::to_string));
        Ok(AlertsTested { sent: failed.is_none(), webhook_count: results.len(), message: failed })
    }

    /// The name of a channel that there is.
    fn known(&self, name: String) -> Result<String, OpError> {
        let all = self.targets();
        if all.contains_key(&name) {
            return Ok(name);
        }
        let near = crate::domain::nearest(&name, all.keys().map(String::as_str));
        Err(OpError::new(ErrorCode::NoSuchChannel, format!("there is no channel {name:?}"))
            .did_you_mean(near))
    }
}
