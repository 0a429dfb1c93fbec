//! The few methods of the Bot API that are used. Errors hold neither the token nor the address with it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::channel::SendError;
use crate::channel::http::{Http, Outside};
use crate::domain::Reach;
use crate::domain::{Secret, cut};

/// How long a method may take, unless it waits for updates.
const WITHIN: Duration = Duration::from_secs(15);

/// How long Telegram waits for updates before it answers that there are none, in seconds.
const LONG_POLL: u64 = 25;

/// The Bot API with one token.
pub(super) struct Api {
    base: Url,
    token: Secret,
    http: Http,
}

/// Something that came in.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Update {
    pub(super) update_id: i64,
    pub(super) message: Option<Message>,
    pub(super) callback_query: Option<Tap>,
}

/// A message. What is not listed is not looked at.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Message {
    pub(super) message_id: i64,
    pub(super) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(super) is_topic_message: bool,
    pub(super) from: Option<User>,
    pub(super) chat: Chat,
    pub(super) text: Option<String>,
}

/// A tap on a button.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Tap {
    pub(super) id: String,
    pub(super) from: User,
    pub(super) message: Option<Message>,
    pub(super) data: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) is_bot: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Chat {
    pub(super) id: i64,
}

/// What every method answers.
#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    result: Option<Value>,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
}

/// Text under which a button stands, and what stands in it.
pub(super) type Button = (String, String);

impl Api {
    pub(super) fn new(
        base: &str,
        token: &Secret,
        reach: Reach,
        outside: &Outside,
    ) -> Result<Self, SendError> {
        let base = Url::parse(base).map_err(|_| SendError::lasting("tgApiUrl is no address"))?;
        Ok(Self { base, token: token.clone(), http: Http::new(outside, reach) })
    }

    pub(super) fn host(&self) -> String {
        format!("{}://{}", self.base.scheme(), self.base.host_str().unwrap_or_default())
    }

    async fn call(&self, method: &str, params: &Value, within: Duration) -> Result<Value, SendError> {
        let base = self.base.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{base}/bot{}/{method}", self.token.reveal()))
            .map_err(|_| SendError::lasting("the token cannot be part of an address"))?;
        let answer = self.http.post(&url, &[], params.to_string().into_bytes(), within).await?;
        let status = answer.status;
        let Ok(envelope) = serde_json::from_slice::<Envelope>(&answer.body) else {
            // A gateway in between speaks HTML; that passes.
            let what = format!("Telegram answered {status} with something that is no JSON");
            let after = answer.retry_after;
            return Err(SendError { what, status: Some(status), retry: true, after, unsure: true });
        };
        if envelope.ok {
            return Ok(envelope.result.unwrap_or_default());
        }
        let code = envelope.error_code.unwrap_or(status);
        let said = cut(&envelope.description.unwrap_or_default(), 300);
        let said = said.replace(self.token.reveal(), "[REDACTED]");
        let after =
            envelope.parameters.and_then(|parameters| parameters.retry_after).map(Duration::from_secs);
        // Only what is wrong with this one message lasts: a token or a group is put right in time.
        let lasting = code == 400 && !said.contains("chat not found") && !said.contains("rights");
        Err(SendError {
            what: format!("Telegram answered {code} to {method}: {said}"),
            status: Some(code),
            retry: !lasting,
            after: after.or(answer.retry_after),
            unsure: code >= 500,
        })
    }

    /// Waits for updates from `offset` on; what came before it is confirmed with this.
    pub(super) async fn updates(&self, offset: i64) -> Result<Vec<Update>, SendError> {
        let params = json!({
            "offset": offset,
            "timeout": LONG_POLL,
            "allowed_updates": ["message", "callback_query"],
        });
        let within = Duration::from_secs(LONG_POLL) + WITHIN;
        let Value::Array(updates) = self.call("getUpdates", &params, within).await? else {
            return Err(SendError::passing("Telegram's updates are no list"));
        };
        // One that cannot be read, as of a newer kind, is passed over by its number.
        let unread = |update: &Value| Update {
            update_id: update["update_id"].as_i64().unwrap_or(offset),
            message: None,
            callback_query: None,
        };
        Ok(updates
            .into_iter()
            .map(|update| Update::deserialize(&update).unwrap_or_else(|_| unread(&update)))
            .collect())
    }

    /// Sends a message and gives its number.
    pub(super) async fn send(
        &self,
        chat: i64,
        topic: Option<i64>,
        text: &str,
        buttons: &[Vec<Button>],
    ) -> Result<i64, SendError> {
        let mut params =
            json!({"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": true}});
        if let Some(topic) = topic {
            params["message_thread_id"] = topic.into();
        }
        if !buttons.is_empty() {
            params["reply_markup"] = keyboard(buttons);
        }
        let sent = self.call("sendMessage", &params, WITHIN).await?;
        sent["message_id"].as_i64().ok_or_else(|| SendError::passing("Telegram gave the message no number"))
    }

    /// Puts another text in place of a message's, and other buttons or none. One that says so already, or is gone, is
    /// as good.
    pub(super) async fn edit(
        &self,
        chat: i64,
        message: i64,
        text: &str,
        buttons: &[Vec<Button>],
    ) -> Result<(), SendError> {
        let params = json!({
            "chat_id": chat, "message_id": message, "text": text,
            "link_preview_options": {"is_disabled": true},
            "reply_markup": keyboard(buttons),
        });
        match self.call("editMessageText", &params, WITHIN).await {
            Err(error) if error.status == Some(400) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Tells whoever tapped. Telegram takes this for some seconds only, so a failure is nothing to mend.
    pub(super) async fn answer_tap(&self, tap: &str, text: &str) {
        let params = json!({"callback_query_id": tap, "text": cut(text, 200), "show_alert": true});
        if let Err(error) = self.call("answerCallbackQuery", &params, WITHIN).await {
            tracing::debug!(%error, "a tap was not answered");
        }
    }

    /// Opens a topic and gives its number.
    pub(super) async fn open_topic(&self, chat: i64, name: &str) -> Result<i64, SendError> {
        let params = json!({"chat_id": chat, "name": cut(name, 120)});
        let topic = self.call("createForumTopic", &params, WITHIN).await?;
        topic["message_thread_id"]
            .as_i64()
            .ok_or_else(|| SendError::passing("Telegram gave the topic no number"))
    }

    /// Closes a topic. One that is closed or gone is as good.
    pub(super) async fn close_topic(&self, chat: i64, topic: i64) -> Result<(), SendError> {
        let params = json!({"chat_id": chat, "message_thread_id": topic});
        match self.call("closeForumTopic", &params, WITHIN).await {
            Err(error) if error.status == Some(400) => Ok(()),
            other => other.map(drop),
        }
    }
}

fn keyboard(rows: &[Vec<Button>]) -> Value {
    let row = |row: &Vec<Button>| -> Value {
        row.iter().map(|(text, data)| json!({"text": cut(text, 60), "callback_data": data})).collect()
    };
    json!({"inline_keyboard": rows.iter().map(row).collect::<Vec<_>>()})
}

/// Whether the topic that was written to is gone.
pub(super) fn topic_is_gone(error: &SendError) -> bool {
    error.status == Some(400)
        && ["thread not found", "TOPIC_DELETED", "TOPIC_ID_INVALID"]
            .iter()
            .any(|words| error.what.contains(words))
}
