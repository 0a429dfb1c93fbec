//! A stand-in for Telegram's Bot API: forum topics, messages with buttons, long polling by one at a time, and failures as
//! the real one has them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Lab;
use super::processes::come;

pub const TOKEN: &str = "4242:token-canary";
pub const GROUP: i64 = -100_777;
/// A user who is allowed.
pub const ADA: i64 = 11;
/// One who is not.
pub const EVE: i64 = 66;

/// A message that the bot sent.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    pub id: i64,
    pub chat: i64,
    pub topic: Option<i64>,
    pub text: String,
    /// Texts of buttons and what stands in them.
    pub buttons: Vec<(String, String)>,
    pub edits: usize,
}

#[derive(Default)]
struct Inside {
    updates: Mutex<Vec<Value>>,
    /// Changes with each update, and with each poll that ends another.
    changed: watch::Sender<u64>,
    polls: Mutex<u64>,
    sent: Mutex<Vec<Sent>>,
    topics: Mutex<BTreeMap<i64, (String, bool)>>,
    /// What taps were told, by their ids.
    told: Mutex<BTreeMap<String, String>>,
    failures: Mutex<BTreeMap<String, VecDeque<(u16, String)>>>,
    calls: Mutex<Vec<String>>,
    next: Mutex<i64>,
}

impl Inside {
    fn number(&self) -> i64 {
        let mut next = self.next.lock().unwrap();
        *next += 1;
        *next
    }
}

pub struct Telegram {
    pub port: u16,
    inside: Arc<Inside>,
    task: JoinHandle<()>,
}

fn ok(result: Value) -> Response {
    json!({"ok": true, "result": result}).to_string().into_response()
}

fn error(code: u16, description: &str) -> Response {
    let body = json!({"ok": false, "error_code": code, "description": description}).to_string();
    (StatusCode::from_u16(code).unwrap(), body).into_response()
}

/// The buttons that come with a message.
fn buttons(body: &Value) -> Vec<(String, String)> {
    let rows = body["reply_markup"]["inline_keyboard"].as_array().cloned().unwrap_or_default();
    let buttons = rows.iter().flat_map(|row| row.as_array().unwrap()).map(|button| {
        let data = button["callback_data"].as_str().unwrap().to_owned();
        assert!((1..=64).contains(&data.len()), "{data}");
        (button["text"].as_str().unwrap().to_owned(), data)
    });
    buttons.collect()
}

async fn call(
    State(inside): State<Arc<Inside>>,
    Path((bot, method)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    if bot != format!("bot{TOKEN}") {
        return error(401, "Unauthorized");
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    inside.calls.lock().unwrap().push(method.clone());
    let failure = inside.failures.lock().unwrap().get_mut(&method).and_then(VecDeque::pop_front);
    if let Some((status, body)) = failure {
        return (StatusCode::from_u16(status).unwrap(), body).into_response();
    }
    match method.as_str() {
        "getUpdates" => updates(&inside, &body).await,
        "createForumTopic" => {
            let id = inside.number();
            let name = body["name"].as_str().unwrap().to_owned();
            assert!(name.chars().count() <= 128);
            inside.topics.lock().unwrap().insert(id, (name.clone(), true));
            ok(json!({"message_thread_id": id, "name": name, "icon_color": 1}))
        }
        "closeForumTopic" => {
            let topic = body["message_thread_id"].as_i64().unwrap();
            match inside.topics.lock().unwrap().get_mut(&topic) {
                Some(topic) => topic.1 = false,
                None => return error(400, "Bad Request: TOPIC_ID_INVALID"),
            }
            ok(json!(true))
        }
        "sendMessage" => {
            let text = body["text"].as_str().unwrap().to_owned();
            let units: usize = text.chars().map(char::len_utf16).sum();
            if units > 4096 {
                return error(400, "Bad Request: message is too long");
            }
            if text.trim().is_empty() {
                return error(400, "Bad Request: message text is empty");
            }
            let topic = body["message_thread_id"].as_i64();
            if topic.is_some_and(|topic| !inside.topics.lock().unwrap().contains_key(&topic)) {
                return error(400, "Bad Request: message thread not found");
            }
            let (id, chat) = (inside.number(), body["chat_id"].as_i64().unwrap());
            inside.sent.lock().unwrap().push(Sent {
                id,
                chat,
                topic,
                text,
                buttons: buttons(&body),
                edits: 0,
            });
            ok(json!({"message_id": id, "chat": {"id": chat}}))
        }
        "editMessageText" => {
            let id = body["message_id"].as_i64().unwrap();
            let mut sent = inside.sent.lock().unwrap();
            let Some(message) = sent.iter_mut().find(|sent| sent.id == id) else {
                return error(400, "Bad Request: message to edit not found");
            };
            body["text"].as_str().unwrap().clone_into(&mut message.text);
            message.buttons = buttons(&body);
            message.edits += 1;
            ok(json!({"message_id": id}))
        }
        "answerCallbackQuery" => {
            let text = body["text"].as_str().unwrap().to_owned();
            assert!(text.chars().count() <= 200);
            inside.told.lock().unwrap().insert(body["callback_query_id"].as_str().unwrap().into(), text);
            ok(json!(true))
        }
        other => error(404, &format!("Not Found: {other}")),
    }
}

/// Waits for updates; whoever polls later ends an earlier poll.
async fn updates(inside: &Arc<Inside>, body: &Value) -> Response {
    let mine = {
        let mut polls = inside.polls.lock().unwrap();
        *polls += 1;
        *polls
    };
    inside.changed.send_modify(|change| *change += 1);
    let mut changed = inside.changed.subscribe();
    let offset = body["offset"].as_i64().unwrap();
    let long = Duration::from_secs(body["timeout"].as_u64().unwrap());
    let found = tokio::time::timeout(long, async {
        loop {
            if *inside.polls.lock().unwrap() != mine {
                return Err(());
            }
            let mut updates = inside.updates.lock().unwrap().clone();
            updates.retain(|update| update["update_id"].as_i64().unwrap() >= offset);
            if !updates.is_empty() {
                return Ok(updates);
            }
            changed.changed().await.unwrap();
        }
    })
    .await;
    match found {
        Ok(Ok(updates)) => {
            inside.updates.lock().unwrap().retain(|update| update["update_id"].as_i64().unwrap() >= offset);
            ok(updates.into())
        }
        Ok(Err(())) => error(409, "Conflict: terminated by other getUpdates request"),
        Err(_) => ok(json!([])),
    }
}

impl Telegram {
    pub async fn start() -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = tcp.local_addr().unwrap().port();
        let inside = Arc::new(Inside::default());
        let app = Router::new().route("/{bot}/{method}", post(call)).with_state(inside.clone());
        Self { port, inside, task: tokio::spawn(async move { axum::serve(tcp, app).await.unwrap() }) }
    }

    /// Gives the laboratory this bot.
    pub fn in_lab(&self, lab: Lab) -> Lab {
        self.variables(&ADA.to_string()).into_iter().fold(lab, |lab, (name, value)| lab.with_var(name, value))
    }

    pub fn variables(&self, allowed: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AEGIS_TG_TOKEN", TOKEN.into()),
            ("AEGIS_TG_GROUP", GROUP.to_string()),
            ("AEGIS_TG_ALLOWED_USERS", allowed.into()),
            ("AEGIS_TG_API_URL", format!("http://127.0.0.1:{}", self.port)),
        ]
    }

    fn update(&self, mut update: Value) {
        update["update_id"] = self.inside.number().into();
        self.inside.updates.lock().unwrap().push(update);
        self.inside.changed.send_modify(|change| *change += 1);
    }

    /// Somebody writes in a topic, or outside all topics.
    pub fn say(&self, user: i64, topic: Option<i64>, text: &str) {
        self.say_in(GROUP, user, topic, text);
    }

    pub fn say_in(&self, chat: i64, user: i64, topic: Option<i64>, text: &str) {
        let mut message = json!({
            "message_id": self.inside.number(), "date": 1, "text": text,
            "chat": {"id": chat, "type": "supergroup"},
            "from": {"id": user, "is_bot": false, "first_name": "x"},
        });
        if let Some(topic) = topic {
            message["message_thread_id"] = topic.into();
            message["is_topic_message"] = true.into();
        }
        self.update(json!({"message": message}));
    }

    /// Somebody taps a button with this in it; gives what they were told.
    pub async fn tap_data(&self, chat: i64, user: i64, message: &Sent, data: &str) -> String {
        let id = format!("tap-{}", self.inside.number());
        self.update(json!({"callback_query": {
            "id": id, "data": data, "from": {"id": user, "is_bot": false, "first_name": "x"},
            "message": {
                "message_id": message.id, "date": 1, "chat": {"id": chat, "type": "supergroup"},
                "message_thread_id": message.topic, "text": message.text,
            },
        }}));
        come("an answer to the tap", async || self.inside.told.lock().unwrap().get(&id).cloned()).await
    }

    /// Somebody taps the button with this text, as the message had it.
    pub async fn tap(&self, user: i64, message: &Sent, text: &str) -> String {
        let (_, data) =
            message.buttons.iter().find(|(of, _)| of.contains(text)).unwrap_or_else(|| panic!("{message:?}"));
        self.tap_data(GROUP, user, message, data).await
    }

    /// The method fails next with this.
    pub fn fails(&self, method: &str, status: u16, body: impl Into<String>) {
        let mut failures = self.inside.failures.lock().unwrap();
        failures.entry(method.into()).or_default().push_back((status, body.into()));
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.inside.sent.lock().unwrap().clone()
    }

    /// Waits for a message with this in it.
    pub async fn message(&self, part: &str) -> Sent {
        self.message_that(part, |sent| sent.text.contains(part)).await
    }

    pub async fn message_that(&self, what: &str, fits: impl Fn(&Sent) -> bool) -> Sent {
        let found = tokio::time::timeout(Duration::from_secs(60), async {
            let mut pause = tokio::time::interval(Duration::from_millis(20));
            loop {
                pause.tick().await;
                if let Some(found) = self.sent().into_iter().find(|sent| fits(sent)) {
                    return found;
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("no message {what:?} came: {:#?}", self.sent()))
    }

    /// The topics, with their names and whether they are open.
    pub fn topics(&self) -> BTreeMap<i64, (String, bool)> {
        self.inside.topics.lock().unwrap().clone()
    }

    /// Somebody deletes a topic.
    pub fn delete_topic(&self, topic: i64) {
        self.inside.topics.lock().unwrap().remove(&topic);
    }

    pub fn calls(&self, method: &str) -> usize {
        self.inside.calls.lock().unwrap().iter().filter(|call| *call == method).count()
    }

    /// What is told to whoever polls next is that somebody else does.
    pub fn poll_elsewhere(&self) {
        *self.inside.polls.lock().unwrap() += 1;
        self.inside.changed.send_modify(|change| *change += 1);
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        self.task.abort();
    }
}
