//! Slack, by an incoming webhook: what happened in a session within some seconds is one message.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use url::Url;

use super::http::{Http, Outside, judged};
use super::{Accepted, Channel, FOR_PEOPLE, SendError, Style, chosen};
use crate::domain::Reach;
use crate::domain::{Notice, OutboxEntry, Secret, Topic, cut};

/// How long Slack may take to answer.
const WITHIN: Duration = Duration::from_secs(5);

/// The longest text of a block, in characters; Slack's bound is 3000, and escaping makes a text longer.
const LONGEST: usize = 2900;

/// The most notices in a message: Slack takes 50 blocks, each notice is two, and some are for the head.
const MOST: usize = 20;

/// Slack's incoming webhook.
pub struct SlackChannel {
    url: Url,
    events: Vec<Topic>,
    http: Http,
}

impl SlackChannel {
    pub(super) fn new(url: &Secret, events: Vec<Topic>, outside: &Outside) -> Result<Self, SendError> {
        let url =
            Url::parse(url.reveal()).map_err(|_| SendError::lasting("slackWebhookUrl is no address"))?;
        // Whoever names this machine for Slack means it: a proxy, or a stand-in.
        let local = own_machine(&url);
        if url.scheme() != "https" && !local {
            return Err(SendError::lasting("slackWebhookUrl must begin with https://"));
        }
        Ok(Self { url, events, http: Http::new(outside, Reach { loopback: local, private: false }) })
    }
}

/// Whether an address says by itself that it is on this machine.
pub(super) fn own_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

impl Channel for SlackChannel {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn kind(&self) -> &'static str {
        "slack"
    }

    fn target(&self) -> String {
        format!("{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())
    }

    fn wants(&self, topic: Topic) -> bool {
        chosen(topic, &self.events, FOR_PEOPLE)
    }

    fn style(&self) -> Style {
        Style {
            most: MOST,
            gather: Duration::from_secs(2),
            fold: Some(Duration::from_secs(60)),
            side_by_side: 1,
            // Slack takes one message a second, and bursts.
            pace: Some((5, Duration::from_secs(1))),
        }
    }

    fn send<'a>(&'a self, notices: &'a [OutboxEntry]) -> BoxFuture<'a, Result<Accepted, SendError>> {
        Box::pin(async move {
            let Some(body) = message(notices) else { return Ok(Accepted::default()) };
            let body = serde_json::to_vec(&body)
                .map_err(|_| SendError::lasting("the message cannot be written as JSON"))?;
            judged(&self.http.post(&self.url, &[], body, WITHIN).await?)
        })
    }
}

fn message(notices: &[OutboxEntry]) -> Option<Value> {
    let first = &notices.first()?.notice;
    let last = &notices.last()?.notice;
    let more = match notices.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let text = format!("{} Aegis: {}{more}", emoji(first.event), escape(&cut(&first.detail, 300)));
    let session = &first.session;
    let mut blocks = vec![section(&format!(
        "{} *{}*{more}\n*Session:* `{}` (`{}`)",
        emoji(first.event),
        title(first.event),
        code(&session.name),
        session.id
    ))];
    for entry in notices {
        blocks.push(section(&detail(&entry.notice, notices.len() > 1)));
    }
    blocks.push(json!({"type": "context", "elements": [{
        "type": "mrkdwn",
        "text": format!("WorkDir: `{}` • {}", code(&cut(&session.work_dir, 500)), last.timestamp)
    }]}));
    Some(json!({ "text": text, "blocks": blocks }))
}

fn detail(notice: &Notice, several: bool) -> String {
    let head = if several {
        format!("{} *{}* ", emoji(notice.event), title(notice.event))
    } else {
        "*Detail:* ".into()
    };
    head + &escape(&notice.detail)
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": cut(text, LONGEST)}})
}

/// Slack's own rule: these three characters, and no others.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text that stands between backticks.
fn code(text: &str) -> String {
    escape(text).replace('`', "'").replace('\n', " ")
}

/// What a message is headed by.
pub(super) fn title(topic: Topic) -> String {
    match topic {
        Topic::StatusStall => "[ACTION] Session Stalled".into(),
        Topic::StatusDead => "[CRITICAL] Session Dead".into(),
        Topic::StatusError => "[ERROR] Session Error".into(),
        Topic::StatusPermissionTimeout => "[WARNING] Permission Timeout".into(),
        Topic::StatusPermission => "[ACTION] Permission Needed".into(),
        Topic::StatusQuestion => "[ACTION] Question".into(),
        Topic::StatusPlan => "[ACTION] Plan To Approve".into(),
        Topic::StatusRateLimited => "[WARNING] Rate Limited".into(),
        Topic::StatusContextWarning => "[WARNING] Context Nearly Full".into(),
        Topic::SessionCreated => "Session Created".into(),
        Topic::SessionEnded => "Session Ended".into(),
        Topic::MessageAssistant => "Claude".into(),
        Topic::MessageUser => "User".into(),
        Topic::ChannelTest => "Test".into(),
        Topic::MessageThinking
        | Topic::MessageToolUse
        | Topic::MessageToolResult
        | Topic::StatusIdle
        | Topic::StatusWorking
        | Topic::StatusRecovered
        | Topic::StatusStopped
        | Topic::AskResolved => format!("Event: {topic}"),
    }
}

fn emoji(topic: Topic) -> &'static str {
    match topic {
        Topic::SessionCreated | Topic::StatusRecovered => ":large_green_circle:",
        Topic::SessionEnded => ":checkered_flag:",
        Topic::StatusWorking => ":hourglass_flowing_sand:",
        Topic::StatusStall | Topic::StatusContextWarning => ":warning:",
        Topic::StatusDead => ":skull:",
        Topic::StatusError => ":x:",
        Topic::StatusIdle => ":white_circle:",
        Topic::StatusPermission => ":lock:",
        Topic::StatusQuestion => ":question:",
        Topic::StatusPlan | Topic::MessageThinking => ":thought_balloon:",
        Topic::MessageUser => ":bust_in_silhouette:",
        Topic::MessageAssistant => ":robot_face:",
        Topic::MessageToolUse | Topic::MessageToolResult => ":wrench:",
        Topic::StatusRateLimited
        | Topic::StatusPermissionTimeout
        | Topic::StatusStopped
        | Topic::AskResolved
        | Topic::ChannelTest => ":bell:",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escape("<!channel> & <@U1>"), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert_eq!(code("a`b\n<c>"), "a'b &lt;c&gt;");
    }
}
