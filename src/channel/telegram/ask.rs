//! How an ask is shown with its buttons, what a tap does, and what stands there once the ask is settled.

use super::api::{Button, Tap, topic_is_gone};
use super::questions::{self, Chosen};
use super::{LONGEST, NAME, TelegramChannel};
use crate::channel::SendError;
use crate::channel::text::{line, split};
use crate::domain::{
    Answer, AskId, AskKind, ErrorCode, Notice, OpError, OpenAsk, Remember, Resolution, SettledAsk, how,
};
use crate::fault;
use crate::store::{ChatAsk, ChatButton};

/// The most options that get a button; the others are answered by text.
pub(super) const MOST_OPTIONS: usize = 8;

/// What an ask's buttons are, in rows: their texts and answers. Of several questions, those of all.
fn choices(open: &OpenAsk) -> Vec<Vec<(String, Answer)>> {
    let by_text = |open: &OpenAsk| {
        let options = open.options.iter().take(MOST_OPTIONS);
        options.map(|text| vec![(text.clone(), Answer::Text { text: text.clone() })]).collect()
    };
    match open.kind {
        AskKind::Question if open.questions == 1 => by_text(open),
        AskKind::Question => questions::choices(open),
        AskKind::Dialog => by_text(open),
        AskKind::Permission | AskKind::Plan | AskKind::Trust => {
            let approve =
                Answer::Approve { input_hash: Some(open.input_hash.clone()), remember: Remember::Once };
            let text = if open.whole { "✅ Approve" } else { "✅ Approve (not all is shown)" };
            vec![vec![(text.into(), approve), ("❌ Reject".into(), Answer::Reject { reason: None })]]
        }
    }
}

/// What to do beside tapping.
fn advice(open: &OpenAsk) -> &'static str {
    match open.kind {
        AskKind::Question if questions::by_steps(open) => "",
        AskKind::Question if open.questions > 1 => {
            "\n\nSeveral questions: answer them with `aegis answer` or in the terminal."
        }
        AskKind::Question => "\n\nTap, or write an answer.",
        AskKind::Permission | AskKind::Plan | AskKind::Trust | AskKind::Dialog => "",
    }
}

fn settled(by: &str, word: &str) -> String {
    format!("{word} by {by}")
}

/// Who settled an ask that somebody came too late for.
fn by_whom(error: &OpError) -> Option<String> {
    let details = error.details.as_ref()?;
    let resolution = details.get("resolution").unwrap_or(details);
    let resolution: Resolution = serde_json::from_value(resolution.clone()).ok()?;
    Some(settled(&resolution.by, how(resolution.how)))
}

impl TelegramChannel {
    /// Shows an ask with its buttons. What the buttons mean is kept before they can be tapped.
    pub(super) async fn show_ask(&self, notice: &Notice, open: &OpenAsk) -> Result<(), SendError> {
        let id = open.id;
        let known = self.db(move |store| store.chat_ask(NAME, id)).await?;
        if known.is_some_and(|known| known.message.is_some()) {
            return Ok(());
        }
        let text = format!("{}{}", line(notice), advice(open));
        let mut pieces = split(&text, LONGEST);
        let shown = pieces.pop().unwrap_or_default();
        for piece in pieces {
            self.say(&notice.session, &piece).await?;
        }
        let rows = choices(open);
        let buttons = self.buttons(notice, id, &shown, &rows).await?;
        // Of several questions the first is shown that is not answered, and the others as it goes on.
        let (text, rows) = match questions::steps(buttons.iter().cloned()) {
            Some(steps) => questions::page(&shown, &steps),
            None => {
                let mut tokens = buttons.into_iter().map(|(button, _)| button.token);
                let row = |row: Vec<(String, Answer)>| {
                    row.into_iter().zip(tokens.by_ref()).map(|((text, _), token)| (text, token)).collect()
                };
                (shown, rows.into_iter().map(row).collect::<Vec<Vec<Button>>>())
            }
        };
        let topic = self.topic(&notice.session).await?;
        let message = match self.api.send(self.group, Some(topic), &text, &rows).await {
            Err(error) if topic_is_gone(&error) => {
                self.forget_topic(notice.session.id).await?;
                let topic = self.topic(&notice.session).await?;
                self.api.send(self.group, Some(topic), &text, &rows).await?
            }
            other => other?,
        };
        fault::point("telegram.shown");
        self.db(move |store| store.set_ask_message(NAME, id, message)).await
    }

    /// The buttons of an ask, and which of them were taken. Those of a message that was cut short are used again: it
    /// may stand in the chat all the same, and somebody may tap there.
    async fn buttons(
        &self,
        notice: &Notice,
        id: AskId,
        shown: &str,
        rows: &[Vec<(String, Answer)>],
    ) -> Result<Vec<(ChatButton, bool)>, SendError> {
        let known = self.db(move |store| store.chat_buttons(NAME, id)).await?;
        let wanted = rows.iter().flatten().map(|(_, choice)| choice);
        if !known.is_empty() && wanted.clone().eq(known.iter().map(|(button, _)| &button.choice)) {
            return Ok(known);
        }
        let new: Vec<_> = wanted
            .map(|choice| ChatButton {
                token: uuid::Uuid::new_v4().simple().to_string(),
                choice: choice.clone(),
            })
            .collect();
        let ask = ChatAsk {
            ask: id,
            session: notice.session.id,
            message: None,
            shown: shown.to_owned(),
            settled: None,
        };
        let (kept, now) = (new.clone(), self.clock.now());
        self.db(move |store| store.show_ask(NAME, &ask, &kept, now)).await?;
        Ok(new.into_iter().map(|button| (button, false)).collect())
    }

    /// Tells at the ask itself who settled it, and takes its buttons away. One that was never shown is passed over.
    pub(super) async fn show_settled(&self, told: &SettledAsk) -> Result<(), SendError> {
        let id = told.id;
        let Some(ask) = self.db(move |store| store.chat_ask(NAME, id)).await? else { return Ok(()) };
        let words = settled(&told.by, how(told.how));
        let kept = words.clone();
        self.db(move |store| store.set_ask_settled(NAME, id, &kept)).await?;
        let Some(message) = ask.message else { return Ok(()) };
        let given = questions::given(self.steps(id).await?.as_deref().unwrap_or_default());
        let text = format!("{}{given}\n\n☑️ {words}", ask.shown);
        // The text fits but for some words; its end is what matters now.
        let text = split(&text, LONGEST).pop().unwrap_or(text);
        self.api.edit(self.group, message, &text, &[]).await
    }

    /// Does what a tap says, if it may, and tells whoever tapped what came of it.
    pub(super) async fn tapped(&self, tap: &Tap) {
        let user = tap.from.id;
        let here = tap.message.as_ref().is_some_and(|message| message.chat.id == self.group);
        if !here || tap.from.is_bot || !self.allowed.contains(&user) {
            self.refused(user, "a tap on a button").await;
            let text =
                if here { self.how_to_be_allowed(user) } else { "This is not the right group.".into() };
            return self.api.answer_tap(&tap.id, &text).await;
        }
        let message = tap.message.as_ref().map(|message| message.message_id);
        let text = match self.answer(user, message, tap.data.clone().unwrap_or_default()).await {
            Ok(text) => text,
            Err(error) => format!("That did not work: {error}"),
        };
        self.api.answer_tap(&tap.id, &text).await;
    }

    /// Gives the answer that a button stands for, once.
    async fn answer(&self, user: i64, message: Option<i64>, token: String) -> Result<String, SendError> {
        let looked_up = token.clone();
        let Some((mut ask, choice)) = self.db(move |store| store.chat_button(NAME, &looked_up)).await? else {
            self.refused(user, "a button that is not ours").await;
            return Ok("This button is not known any more.".into());
        };
        // The message was cut short after it was sent: where somebody taps, it stands.
        if let (None, Some(message)) = (ask.message, message) {
            let id = ask.ask;
            self.db(move |store| store.set_ask_message(NAME, id, message)).await?;
            ask.message = Some(message);
        }
        if let Some(settled) = ask.settled {
            return Ok(format!("Already {settled}."));
        }
        let Some(sessions) = self.sessions.get() else {
            return Err(SendError::passing("nobody listens yet"));
        };
        let choice = match choice {
            Answer::Choices { answers } => match self.choose(&ask, &token, &answers).await? {
                Chosen::Said(text) => return Ok(text),
                Chosen::All(answers) => Answer::Choices { answers },
            },
            Answer::Approve { .. } | Answer::Reject { .. } | Answer::Text { .. } => {
                let taken = token.clone();
                self.db(move |store| store.use_button(&taken)).await?;
                choice
            }
        };
        // A tap that was cut short here comes again. It is answered again then: an ask takes one answer only.
        fault::point("telegram.tapped");
        let answered = sessions.answer(format!("telegram:{user}"), ask.session, ask.ask, choice).await;
        let (words, done) = match answered {
            Ok(done) => {
                let of = done.resolution.map(|resolution| settled(&resolution.by, how(resolution.how)));
                (of.unwrap_or_else(|| "settled".into()), true)
            }
            Err(error) if error.code == ErrorCode::AlreadyResolved => match by_whom(&error) {
                Some(words) => (words, false),
                None => return Ok(error.message),
            },
            Err(error) => {
                self.db(move |store| store.free_button(&token)).await?;
                return Ok(format!("{} {}", error.message, error.hint));
            }
        };
        let (id, kept) = (ask.ask, words.clone());
        self.db(move |store| store.set_ask_settled(NAME, id, &kept)).await?;
        Ok(if done { format!("Done: {words}.") } else { format!("Already {words}.") })
    }
}
