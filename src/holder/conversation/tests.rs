use std::fs::File;
use std::io::Write;

use serde_json::{Value, json};

use super::*;

struct Lab {
    dir: tempfile::TempDir,
    conversation: Conversation,
    at: i64,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut conversation =
            Conversation::new(&dir.path().join("messages.jsonl"), Timestamp::from_millis(1000).unwrap())
                .unwrap();
        conversation.bind(ConversationId::mint(), Some(dir.path().join("a.jsonl")));
        Self { dir, conversation, at: 10_000 }
    }

    fn now(&mut self) -> Timestamp {
        self.at += 10;
        Timestamp::from_millis(self.at).unwrap()
    }

    fn write(&mut self, lines: &[Value]) -> News {
        let path = self.dir.path().join("a.jsonl");
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        for line in lines {
            writeln!(file, "{line}").unwrap();
        }
        let now = self.now();
        self.conversation.catch_up(now)
    }

    fn texts(&self) -> Vec<String> {
        let query = MessageQuery { limit: 100, max_chars: 10_000, ..MessageQuery::default() };
        self.conversation.page(&query).unwrap().messages.into_iter().map(|m| m.text).collect()
    }
}

fn user(uuid: &str, parent: Value, text: &str, prompt_id: &str) -> Value {
    json!({"type":"user","uuid":uuid,"parentUuid":parent,"promptId":prompt_id,"message":{"role":"user","content":text}})
}

fn reply(uuid: &str, parent: &str, text: &str) -> Value {
    json!({"type":"assistant","uuid":uuid,"parentUuid":parent,"message":{"content":[{"type":"text","text":text}]}})
}

#[test]
fn what_hooks_told_first_keeps_its_id_when_the_lines_land() {
    let mut lab = Lab::new();
    let now = lab.now();
    assert_eq!(lab.conversation.prompt_told("hi", Some("p1".into()), now), Some(1));
    assert_eq!(lab.conversation.reply_told("hello", false, now), Some(2));
    assert_eq!(lab.texts(), ["hi", "hello"]);
    let news = lab.write(&[reply("r", "u", "hello"), user("u", Value::Null, "hi", "p1")]);
    assert!(news.messages.is_empty());
    assert_eq!(lab.texts(), ["hi", "hello"]);
    assert_eq!(lab.conversation.reply_told("hello", false, now), None);
}

#[test]
fn a_reply_written_before_its_prompt_is_read_after_it() {
    let mut lab = Lab::new();
    lab.write(&[json!({"type":"system","uuid":"s","parentUuid":null})]);
    lab.write(&[reply("r", "u", "hello"), user("u", json!("s"), "hi", "p1")]);
    assert_eq!(lab.texts(), ["hi", "hello"]);
}

#[test]
fn a_line_whose_parent_never_comes_is_taken_in_the_end() {
    let mut lab = Lab::new();
    lab.write(&[user("u", Value::Null, "hi", "p1"), reply("r", "nowhere", "hello")]);
    assert_eq!(lab.texts(), ["hi"]);
    assert!(lab.conversation.holds());
    lab.at += 1000;
    let now = lab.now();
    lab.conversation.catch_up(now);
    assert_eq!(lab.texts(), ["hi", "hello"]);
}

#[test]
fn history_has_messages_but_proves_nothing() {
    let mut lab = Lab::new();
    let mut old = user("u", Value::Null, "hi", "p1");
    old["timestamp"] = json!("1970-01-01T00:00:00.500Z");
    let news = lab.write(&[old]);
    assert!(news.facts.is_empty() && news.messages.is_empty());
    assert_eq!(lab.texts(), ["hi"]);
}

#[test]
fn pages_go_both_ways_and_survive_the_session() {
    let mut lab = Lab::new();
    let lines: Vec<_> =
        (0..10).map(|n| user(&format!("u{n}"), Value::Null, &format!("m{n}"), &format!("p{n}"))).collect();
    lab.write(&lines);
    let archive = SessionDirOf(&lab);
    let query = |before, after, limit| MessageQuery {
        before_id: before,
        after_id: after,
        limit,
        max_chars: 1000,
        ..MessageQuery::default()
    };
    let ids = |page: MessagePage| (page.messages.iter().map(|m| m.id).collect::<Vec<_>>(), page.has_more);
    for read in [
        &(|q: &MessageQuery| lab.conversation.page(q).unwrap()) as &dyn Fn(&MessageQuery) -> MessagePage,
        &|q: &MessageQuery| Archive::open(&archive.dir()).unwrap().page(q).unwrap(),
    ] {
        assert_eq!(ids(read(&query(None, None, 3))), (vec![8, 9, 10], true));
        assert_eq!(ids(read(&query(Some(8), None, 3))), (vec![5, 6, 7], true));
        assert_eq!(ids(read(&query(Some(2), None, 3))), (vec![1], false));
        assert_eq!(ids(read(&query(None, Some(8), 3))), (vec![9, 10], false));
        assert_eq!(ids(read(&query(None, Some(0), 3))), (vec![1, 2, 3], true));
        assert_eq!(ids(read(&query(None, Some(99), 3))), (vec![], false));
    }
}

struct SessionDirOf<'a>(&'a Lab);

impl SessionDirOf<'_> {
    fn dir(&self) -> crate::holder::SessionDir {
        crate::holder::SessionDir::new(self.0.dir.path())
    }
}

fn called(uuid: &str, parent: &str, id: &str) -> Value {
    json!({"type":"assistant","uuid":uuid,"parentUuid":parent,"message":{"content":[
        {"type":"tool_use","id":id,"name":"Bash","input":{"command":"ls"}}]}})
}

fn done(uuid: &str, parent: &str, id: &str) -> Value {
    json!({"type":"user","uuid":uuid,"parentUuid":parent,"message":{"role":"user","content":[
        {"type":"tool_result","tool_use_id":id,"content":"ok"}]}})
}

#[test]
fn a_result_that_is_told_before_its_call_is_in_the_file_is_waited_for() {
    let mut lab = Lab::new();
    lab.write(&[user("u", Value::Null, "hi", "p1")]);
    lab.conversation.result_told("t1");
    assert!(lab.conversation.lags());
    lab.write(&[called("c", "u", "t1")]);
    assert!(lab.conversation.lags());
    lab.write(&[done("d", "c", "t1")]);
    assert!(!lab.conversation.lags());
}

#[test]
fn a_result_that_is_in_the_file_before_it_is_told_is_not_waited_for() {
    let mut lab = Lab::new();
    lab.write(&[user("u", Value::Null, "hi", "p1"), called("c", "u", "t1"), done("d", "c", "t1")]);
    lab.conversation.result_told("t1");
    assert!(!lab.conversation.lags());
}

fn at(mut line: Value, millis: i64) -> Value {
    line["timestamp"] = Timestamp::from_millis(millis).unwrap().to_string().into();
    line
}

#[test]
fn a_reply_that_lands_after_the_next_prompt_was_told_is_no_new_message() {
    let mut lab = Lab::new();
    let now = lab.now();
    lab.conversation.prompt_told("one", Some("p1".into()), now);
    let now = lab.now();
    assert_eq!(lab.conversation.reply_told("first", false, now), Some(2));
    let written = lab.at;
    let now = lab.now();
    assert_eq!(lab.conversation.prompt_told("two", Some("p2".into()), now), Some(3));
    let news = lab.write(&[user("u", Value::Null, "one", "p1"), at(reply("r", "u", "first"), written)]);
    assert!(news.messages.is_empty());
    assert_eq!(lab.texts(), ["one", "first", "two"]);
    // The same words said again in the new turn are new.
    let later = lab.at + 1000;
    lab.write(&[user("v", json!("r"), "two", "p2"), at(reply("s", "v", "first"), later)]);
    assert_eq!(lab.texts(), ["one", "first", "two", "first"]);
}

#[test]
fn a_reply_that_lands_after_the_next_one_was_told_is_no_new_message() {
    let mut lab = Lab::new();
    for (prompt, id) in [("one", "p1"), ("two", "p2")] {
        let now = lab.now();
        lab.conversation.prompt_told(prompt, Some(id.into()), now);
    }
    let now = lab.now();
    lab.conversation.reply_told("first", false, now);
    let written = lab.at;
    let now = lab.now();
    lab.conversation.reply_told("second", false, now);
    lab.write(&[user("u", Value::Null, "one", "p1"), at(reply("r", "u", "first"), written)]);
    lab.write(&[user("v", json!("r"), "two", "p2"), reply("s", "v", "second")]);
    assert_eq!(lab.texts(), ["one", "two", "first", "second"]);
}

#[test]
fn a_refused_call_is_waited_for_with_its_result() {
    let mut lab = Lab::new();
    lab.write(&[user("u", Value::Null, "hi", "p1")]);
    lab.conversation.call_told("Bash", &json!({"command": "ls"}));
    assert!(lab.conversation.lags(), "the call is not in the file");
    lab.write(&[called("c", "u", "t1")]);
    assert!(lab.conversation.lags(), "its result is not in the file");
    lab.write(&[done("d", "c", "t1")]);
    assert!(!lab.conversation.lags());
}

#[test]
fn a_long_chain_in_the_wrong_order_does_not_need_a_deep_stack() {
    let mut lab = Lab::new();
    lab.write(&[user("0", Value::Null, "hi", "p1")]);
    let count = 5000;
    let chain: Vec<Value> = (1..=count)
        .rev()
        .map(|at| reply(&(at + 1).to_string(), &at.to_string(), &format!("line {at}")))
        .collect();
    assert!(lab.write(&chain).messages.is_empty());
    let news = lab.write(&[reply("1", "0", "line 0")]);
    assert_eq!(news.messages.len(), count + 1);
}

#[test]
fn a_command_that_becomes_a_prompt_is_waited_for_with_what_it_stands_for() {
    let mut lab = Lab::new();
    let now = lab.now();
    assert_eq!(lab.conversation.prompt_told("/my a", Some("p1".into()), now), Some(1));
    assert!(lab.conversation.lags(), "what it stands for is not in the file");
    let text = "<command-message>my</command-message>\n<command-name>/my</command-name>\n<command-args>a</command-args>";
    let mut companion = user("v", json!("u"), "Do it: a", "p1");
    companion["isMeta"] = json!(true);
    lab.write(&[user("u", Value::Null, text, "p1"), companion]);
    assert!(!lab.conversation.lags());
    let now = lab.now();
    lab.conversation.reply_told("done", false, now);
    assert_eq!(lab.texts(), ["/my a", "Do it: a", "done"]);

    // One of which no line comes holds up its own turn only.
    let now = lab.now();
    lab.conversation.prompt_told("/my b", Some("p2".into()), now);
    assert!(lab.conversation.lags());
    lab.conversation.turn_over();
    assert!(!lab.conversation.lags());
}
