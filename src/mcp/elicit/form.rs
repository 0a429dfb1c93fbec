//! An ask as a form, and a form's content as an answer.
//!
//! Only plain properties with words to choose from: every host can show those. Nothing is chosen beforehand, so that a
//! stray Enter approves nothing, and whatever hides in a text is shown by its number.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::domain::{Answer, Ask, AskKind, Question, Remember, Session, questions, visible};

/// The most of an input that is shown, in characters: the whole of nearly every command, a good part of an edit.
const INPUT: usize = 4_000;

/// The longest free text that is taken, in characters; as long as a reason may be.
const LONGEST: usize = 10_000;

/// A form for one ask.
pub(super) struct Form {
    /// What the person reads.
    pub(super) message: String,
    /// What the person fills in.
    pub(super) schema: Value,
    wanted: Wanted,
}

/// What an answer is made of.
enum Wanted {
    /// Approve or reject exactly this.
    Decision { input_hash: String },
    /// An answer to each question.
    Answers(Vec<Question>),
    /// One of the options, or words where there are none.
    Choice(Vec<String>),
}

impl Form {
    /// Makes the form.
    pub(super) fn of(session: &Session, ask: &Ask) -> Self {
        let who = format!("Session {} in {}", visible(&session.name), visible(&session.work_dir));
        let agent =
            ask.agent.as_ref().map(|agent| format!(" (subagent {})", visible(agent))).unwrap_or_default();
        let title = visible(&ask.title);
        match ask.kind {
            AskKind::Permission => {
                let tool = visible(ask.tool.as_deref().unwrap_or("a tool"));
                let message = format!("{who}{agent} wants to use {tool}: {title}\n{}", input(ask));
                Self {
                    message,
                    schema: decision(),
                    wanted: Wanted::Decision { input_hash: ask.input_hash.clone() },
                }
            }
            AskKind::Plan => {
                let message = format!("{who}{agent} has a plan: {title}\n{}", input(ask));
                Self {
                    message,
                    schema: decision(),
                    wanted: Wanted::Decision { input_hash: ask.input_hash.clone() },
                }
            }
            AskKind::Question => {
                let asked = questions(ask);
                if asked.is_empty() {
                    return Self::choice(format!("{who}{agent} asks: {title}"), ask);
                }
                let told: Vec<_> = asked.iter().map(told).collect();
                let message = format!("{who}{agent} asks:\n{}", told.join("\n\n"));
                Self { message, schema: answers(&asked), wanted: Wanted::Answers(asked) }
            }
            AskKind::Trust | AskKind::Dialog => {
                Self::choice(format!("{who}{agent} shows a dialog: {title}"), ask)
            }
        }
    }

    fn choice(message: String, ask: &Ask) -> Self {
        let mut option = json!({"type": "string", "title": "Answer"});
        if ask.options.is_empty() {
            option["maxLength"] = LONGEST.into();
        } else {
            option["enum"] = ask.options.iter().map(|option| visible(option)).collect();
        }
        let schema = object(Map::from_iter([("option".into(), option)]), &["option"]);
        Self { message, schema, wanted: Wanted::Choice(ask.options.clone()) }
    }

    /// Reads what was filled in; `None` where something is missing.
    pub(super) fn answer(&self, content: &Value) -> Option<Answer> {
        let word = |name: &str| {
            content.get(name).and_then(Value::as_str).map(str::trim).filter(|word| !word.is_empty())
        };
        match &self.wanted {
            Wanted::Decision { input_hash } => match word("decision")? {
                "approve" => {
                    Some(Answer::Approve { input_hash: Some(input_hash.clone()), remember: Remember::Once })
                }
                "reject" => Some(Answer::Reject { reason: word("reason").map(str::to_owned) }),
                _ => None,
            },
            Wanted::Answers(asked) => {
                let mut answers = BTreeMap::new();
                for (n, question) in (1..).zip(asked) {
                    let chosen = || {
                        let shown = word(&format!("answer{n}"))?;
                        let label = question.options.iter().find(|(label, _)| visible(label) == shown);
                        label.map(|(label, _)| label.clone())
                    };
                    let own = word(&format!("other{n}")).map(str::to_owned);
                    answers.insert(question.text.clone(), own.or_else(chosen)?);
                }
                Some(Answer::Choices { answers })
            }
            Wanted::Choice(options) => {
                let shown = word("option")?;
                let option = options.iter().find(|option| visible(option).trim() == shown);
                let text = option.cloned().or_else(|| options.is_empty().then(|| shown.to_owned()))?;
                Some(Answer::Text { text })
            }
        }
    }
}

fn object(properties: Map<String, Value>, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn decision() -> Value {
    let decision = json!({"type": "string", "title": "Decision", "enum": ["approve", "reject"]});
    let about = "Told to Claude when you reject; may be left out.";
    let reason = json!({"type": "string", "title": "Reason", "description": about, "maxLength": LONGEST});
    object(Map::from_iter([("decision".into(), decision), ("reason".into(), reason)]), &["decision"])
}

/// For each question a choice and words of one's own, which count before the choice; several labels are words too.
fn answers(asked: &[Question]) -> Value {
    let mut properties = Map::new();
    for (n, question) in (1..).zip(asked) {
        let title = visible(&question.text);
        if !question.options.is_empty() && !question.several {
            let labels: Vec<_> = question.options.iter().map(|(label, _)| visible(label)).collect();
            properties
                .insert(format!("answer{n}"), json!({"type": "string", "title": title, "enum": labels}));
        }
        let about = match (question.several, question.options.is_empty()) {
            (true, _) => {
                "One or more of the options, separated by a comma and a space, or an answer of your own."
            }
            (false, true) => "Your answer.",
            (false, false) => "Or an answer in your own words, in place of an option.",
        };
        let title = if question.several || question.options.is_empty() { title } else { "Other".into() };
        let other = json!({"type": "string", "title": title, "description": about, "maxLength": LONGEST});
        properties.insert(format!("other{n}"), other);
    }
    object(properties, &[])
}

fn told(question: &Question) -> String {
    let mut text = visible(&question.text);
    for (label, meaning) in &question.options {
        text.push_str(&format!("\n- {}", visible(label)));
        if !meaning.is_empty() {
            text.push_str(&format!(": {}", visible(meaning)));
        }
    }
    text
}

/// What is to run, cut where it is long.
fn input(ask: &Ask) -> String {
    let Some(input) = &ask.input else { return String::new() };
    // A plan is text for people; anything else is shown as it is.
    let whole = match (ask.kind, input.get("plan").and_then(Value::as_str)) {
        (AskKind::Plan, Some(plan)) => plan.to_owned(),
        _ => format!("{input:#}"),
    };
    let whole = visible(&whole);
    match whole.char_indices().nth(INPUT) {
        Some((end, _)) => {
            let shown = whole.get(..end).unwrap_or_default();
            format!(
                "{shown}\n[…] cut here; `aegis show` has all of it: do not approve what you have not seen"
            )
        }
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        AskId, AskVia, Confidence, PermissionMode, SessionId, Source, StatusWord, Timestamp,
    };

    fn session() -> Session {
        let at = Timestamp::from_millis(0).unwrap();
        Session {
            id: SessionId::mint(),
            name: "worker".into(),
            status: StatusWord::PermissionPrompt,
            since: at,
            source: Source::Hook,
            confidence: Confidence::High,
            work_dir: "/work".into(),
            model: None,
            permission_mode: PermissionMode::Default,
            created_at: at,
            last_activity: at,
            open_asks: Vec::new(),
            last_message: None,
            conversation_id: None,
            parent_id: None,
            owner_key: None,
            worktree: None,
            error: None,
            limit: None,
            ending: None,
            stall_threshold_ms: None,
        }
    }

    fn ask(kind: AskKind, input: Value, options: &[&str]) -> Ask {
        Ask {
            id: AskId::mint(),
            kind,
            tool: Some("Bash".into()),
            input: Some(input),
            input_hash: "c0ffee".into(),
            title: "ls".into(),
            options: options.iter().map(ToString::to_string).collect(),
            opened_at: Timestamp::from_millis(0).unwrap(),
            via: AskVia::Hook,
            agent: None,
            tool_use_id: None,
            resolution: None,
        }
    }

    #[test]
    fn a_permission_is_decided_by_a_word_and_nothing_else() {
        let form = Form::of(&session(), &ask(AskKind::Permission, json!({"command": "ls \u{202e}x"}), &[]));
        assert!(form.message.contains("\\u{202e}") && !form.message.contains('\u{202e}'), "{}", form.message);
        let approved = Answer::Approve { input_hash: Some("c0ffee".into()), remember: Remember::Once };
        assert_eq!(form.answer(&json!({"decision": "approve", "reason": "x"})), Some(approved));
        let rejected = Answer::Reject { reason: Some("not now".into()) };
        assert_eq!(form.answer(&json!({"decision": "reject", "reason": " not now "})), Some(rejected));
        for nothing in
            [json!({}), Value::Null, json!({"decision": ""}), json!({"decision": true}), json!("approve")]
        {
            assert_eq!(form.answer(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_cut_says_so() {
        let long = json!({"command": "x".repeat(INPUT * 2)});
        let form = Form::of(&session(), &ask(AskKind::Permission, long, &[]));
        assert!(form.message.contains("do not approve") && form.message.len() < INPUT + 500);
    }

    #[test]
    fn every_question_gets_an_answer_or_none_does() {
        let options = json!([{"label": "Red", "description": "warm"}, {"label": "Blue\u{200b}"}]);
        let one = json!({"question": "Colour?", "options": options, "multiSelect": false});
        let two = json!({"question": "Features?", "options": options, "multiSelect": true});
        let form = Form::of(&session(), &ask(AskKind::Question, json!({"questions": [one, two]}), &[]));
        assert_eq!(form.schema["properties"]["answer1"]["enum"], json!(["Red", "Blue\\u{200b}"]));
        assert!(form.schema["properties"].get("answer2").is_none(), "several labels are words");
        let answer = form.answer(&json!({"answer1": "Blue\\u{200b}", "other2": "Red, Blue"})).unwrap();
        let wanted = [("Colour?", "Blue\u{200b}"), ("Features?", "Red, Blue")];
        let answers = wanted.map(|(question, answer)| (question.to_owned(), answer.to_owned())).into();
        assert_eq!(answer, Answer::Choices { answers });
        assert_eq!(form.answer(&json!({"answer1": "Red"})), None);
        let own = form.answer(&json!({"answer1": "Red", "other1": "Mauve", "other2": "none"})).unwrap();
        assert!(format!("{own:?}").contains("Mauve"), "one's own words count: {own:?}");
    }

    #[test]
    fn a_dialog_takes_one_of_its_options() {
        let form = Form::of(&session(), &ask(AskKind::Dialog, Value::Null, &["Yes, go on", "No"]));
        assert_eq!(form.answer(&json!({"option": "No"})), Some(Answer::Text { text: "No".into() }));
        assert_eq!(form.answer(&json!({"option": "Maybe"})), None);
        assert_eq!(form.schema["required"], json!(["option"]));
    }
}
