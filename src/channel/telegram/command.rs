//! What is written in the group: commands, and in a topic prompts.

use super::TelegramChannel;
use crate::channel::{NewChatSession, Sessions};
use crate::domain::{Answer, Ask, OpError, Remember, Session, SessionId, how};

const HELP: &str = "In a session's topic every text is a prompt, or the answer to Claude's question.\n\
    /new DIRECTORY [PROMPT] starts a session\n\
    /list shows the live sessions\n\
    /status tells what this topic's session is doing\n\
    /approve allows what it asks for\n\
    /reject [REASON] refuses it\n\
    /kill ends it\n\
    /help shows this";

const NO_SESSION: &str = "This is not the topic of a session. /list shows the sessions, /new starts one.";

impl TelegramChannel {
    /// Does what was written; gives what to say to it, if anything.
    pub(super) async fn command(
        &self,
        sessions: &dyn Sessions,
        user: i64,
        update: i64,
        session: Option<SessionId>,
        text: &str,
    ) -> Option<String> {
        let by = format!("telegram:{user}");
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        // In a group a command may name the bot: /list@my_bot.
        let word = word.split('@').next().unwrap_or(word).to_ascii_lowercase();
        let key = format!("telegram-{update}");
        let done = match (word.as_str(), session) {
            ("/help" | "/start", _) => Ok(HELP.to_owned()),
            ("/list", _) => sessions.list(by).await.map(|sessions| list(&sessions)),
            ("/new", _) if rest.is_empty() => Ok("/new DIRECTORY [PROMPT]".into()),
            ("/new", _) => {
                let (dir, prompt) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let prompt = Some(prompt.trim().to_owned()).filter(|prompt| !prompt.is_empty());
                let new = NewChatSession { work_dir: dir.into(), prompt, key };
                sessions.create(by, new).await.map(|session| format!("{} is started.", session.name))
            }
            ("/status" | "/approve" | "/reject" | "/kill", None) => Ok(NO_SESSION.into()),
            ("/status", Some(id)) => sessions.show(by, id).await.map(|session| status(&session)),
            ("/kill", Some(id)) => {
                sessions.kill(by, id).await.map(|session| format!("{} has ended.", session.name))
            }
            ("/approve", Some(id)) => self.settle(sessions, by, id, None).await,
            ("/reject", Some(id)) => self.settle(sessions, by, id, Some(rest)).await,
            (word, _) if word.starts_with('/') => Ok(format!("There is no command {word}.\n\n{HELP}")),
            // What people say to each other elsewhere in the group is not for us.
            (_, None) => return None,
            (_, Some(id)) => match sessions.send(by, id, text.to_owned(), key).await {
                Ok(()) => return None,
                Err(error) => Err(error),
            },
        };
        Some(done.unwrap_or_else(|error| format!("{}\n{}", error.message, error.hint)))
    }

    /// Allows or refuses the only open ask, or says which there are.
    async fn settle(
        &self,
        sessions: &dyn Sessions,
        by: String,
        id: SessionId,
        reject: Option<&str>,
    ) -> Result<String, OpError> {
        let open = sessions.show(by.clone(), id).await?.open_asks;
        let ask: &Ask = match open.as_slice() {
            [] => return Ok("Nothing waits for an approval.".into()),
            [ask] => ask,
            several => {
                let titles: Vec<_> = several.iter().map(|ask| format!("• {}", ask.title)).collect();
                return Ok(format!(
                    "Several asks are open; tap the button of the one you mean:\n{}",
                    titles.join("\n")
                ));
            }
        };
        let answer = match reject {
            None => Answer::Approve { input_hash: Some(ask.input_hash.clone()), remember: Remember::Once },
            Some(reason) => {
                Answer::Reject { reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()) }
            }
        };
        let done = sessions.answer(by, id, ask.id, answer).await?;
        let word = done.resolution.map_or("settled", |resolution| how(resolution.how));
        Ok(format!("{}: {word}.", ask.title))
    }
}

fn list(sessions: &[Session]) -> String {
    if sessions.is_empty() {
        return "There are no sessions.".into();
    }
    let one = |session: &Session| {
        format!("• {} — {} ({})", session.name, session.status.as_str(), session.work_dir)
    };
    sessions.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn status(session: &Session) -> String {
    let mut text = format!("{} is {} since {}.", session.name, session.status.as_str(), session.since);
    for ask in &session.open_asks {
        text.push_str(&format!("\nOpen: {}", ask.title));
    }
    text
}
