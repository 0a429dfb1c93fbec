//! Streams of events.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::frames::{Events, Shown, crowd};
use crate::support::http::HttpServer;
use crate::support::processes::{holders, sigkill};
use crate::support::tasks::PATIENCE;

fn rules() -> Value {
    let ask = json!({"tool": {"name": "Bash", "input": {"command": "touch made"}}});
    json!({"rules": [
        {"on": "MAKE", "steps": [ask, {"say": "Made."}]},
        {"on": "greet", "steps": [{"say": "Hello."}]},
    ]})
}

async fn create(lab: &Lab, server: &HttpServer, name: &str) -> String {
    let body = json!({"workDir": lab.work_dir(), "name": name, "reuse": false});
    let created = server.post("/v1/sessions", body).await.is(201);
    let id = created["id"].as_str().unwrap().to_owned();
    server.until(&id, "idle").await;
    id
}

async fn send(server: &HttpServer, id: &str, text: &str) {
    server.post(&format!("/v1/sessions/{id}/send"), json!({"text": text})).await.is(200);
}

fn is_status<'a>(id: &'a str, status: &'a str) -> impl Fn(&Shown) -> bool + 'a {
    move |shown| {
        ["status", "session_status_change"].contains(&shown.name())
            && shown.told["sessionId"] == id
            && shown.told["data"]["status"] == status
    }
}

/// The events of some frames, each once; ends the test if one comes twice or a session's are not in their order.
fn events(shown: &[Shown]) -> Vec<(String, u64)> {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut told = Vec::new();
    // Several frames may tell of one event; its id is on the last.
    for (session, _, seq) in shown.iter().filter(|shown| shown.id.is_some()).filter_map(Shown::event) {
        let before = last.insert(session.clone(), seq);
        assert!(before.is_none_or(|before| before + 1 == seq), "{seq} after {before:?} in {session}");
        told.push((session, seq));
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sessions_stream_tells_every_change_and_closes_after_its_end() {
    let lab = Lab::fake(rules()).build().await;
    let server = HttpServer::start(&lab).await;
    let id = create(&lab, &server, "one").await;
    for path in ["events", "stream"] {
        let mut stream = server.events(&format!("/v1/sessions/{id}/{path}"), None).await;
        let connected = stream.next().await.unwrap();
        assert_eq!((connected.name(), &connected.told["sessionId"]), ("connected", &json!(id)));
    }
    let mut stream = server.events(&format!("/v1/sessions/{id}/events"), None).await;
    send(&server, &id, "MAKE it").await;
    let asked = stream.until("the approval", |shown| shown.name() == "approval").await;
    let approval = &asked.last().unwrap().told;
    assert!(approval["data"]["prompt"].as_str().unwrap().contains("touch made"), "{approval}");
    assert!(approval["data"]["inputHash"].is_string());
    stream.until("the prompt", is_status(&id, "permission_prompt")).await;
    server.call("POST", &format!("/v1/sessions/{id}/approve"), None).await.is(200);
    let made = stream.until("the end of the turn", is_status(&id, "idle")).await;
    assert!(made.iter().any(|shown| shown.name() == "approval_resolved"), "{made:#?}");
    let said = made.iter().find(|shown| shown.told["data"]["text"] == "Made.");
    assert!(said.is_none_or(|said| said.name() == "message" && said.told["data"]["role"] == "assistant"));
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    let rest = stream.rest().await;
    let names: Vec<_> = rest.iter().map(Shown::name).collect();
    assert_eq!(names[names.len() - 2..], ["status", "ended"], "{rest:#?}");
    assert_eq!(rest.last().unwrap().told["data"]["reason"], "killed");
    events(&rest);
    // Of one that has ended, what is asked for and the end.
    let mut again = server.events(&format!("/v1/sessions/{id}/events"), None).await;
    let told = again.rest().await;
    assert_eq!(told.iter().map(Shown::name).collect::<Vec<_>>(), ["connected", "ended"]);
    let since = asked[1].id.clone().unwrap();
    let mut again = server.events(&format!("/v1/sessions/{id}/events?lastEventId={since}"), None).await;
    let told = again.rest().await;
    assert_eq!(told.last().unwrap().name(), "ended");
    let first = events(&told)[0].1;
    assert_eq!(first, asked[1].event().unwrap().2 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_all_tells_of_sessions_that_come() {
    let lab = Lab::fake(rules()).build().await;
    let server = HttpServer::start(&lab).await;
    let mut stream = server.events("/v1/events", None).await;
    let connected = stream.next().await.unwrap();
    assert_eq!((connected.name(), &connected.told["data"]), ("connected", &json!({"activeSessions": 0})));
    let id = create(&lab, &server, "newcomer").await;
    let told = stream.until("the session is idle", is_status(&id, "idle")).await;
    let created = &told[0].told;
    assert_eq!(created["event"], "session_created", "{told:#?}");
    assert_eq!(created["data"], json!({"name": "newcomer", "workDir": lab.work_dir()}));
    assert_eq!(events(&told)[0].1, 1, "from its first event on");
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    let told = stream.until("its end", |shown| shown.name() == "session_ended").await;
    assert_eq!(told.last().unwrap().told["sessionId"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_taken_up_where_it_stopped_in_another_life_of_the_server() {
    let lab = Lab::fake(rules()).build().await;
    let server = HttpServer::start(&lab).await;
    let (one, two) = (create(&lab, &server, "one").await, create(&lab, &server, "two").await);
    let mut all = server.events("/v1/events", None).await;
    let mut own = server.events(&format!("/v1/sessions/{one}/events"), None).await;
    all.next().await.unwrap();
    own.next().await.unwrap();
    send(&server, &one, "greet").await;
    let mut seen = all.until("one is idle", is_status(&one, "idle")).await;
    let mut seen_own = own.until("one is idle", is_status(&one, "idle")).await;
    let shut = server.end();
    let (rest, rest_own, code) = tokio::join!(all.rest(), own.rest(), shut);
    assert_eq!(code, 0);
    assert_eq!((rest.last().unwrap().name(), rest_own.last().unwrap().name()), ("shutdown", "shutdown"));
    seen.extend(rest);
    seen_own.extend(rest_own);

    // While nobody listens: a turn in each, and a session more, which ends.
    let server = HttpServer::start(&lab).await;
    for id in [&one, &two] {
        send(&server, id, "greet").await;
        server.until(id, "idle").await;
    }
    let gone = create(&lab, &server, "gone").await;
    server.call("DELETE", &format!("/v1/sessions/{gone}"), None).await.is(200);

    let last = all.last_id.clone().unwrap();
    let mut all = server.events("/v1/events", Some(&last)).await;
    assert_eq!(all.next().await.unwrap().name(), "connected");
    // Cut off in the middle of what is replayed, and taken up once more.
    for _ in 0..5 {
        seen.push(all.next().await.unwrap());
    }
    let last = all.last_id.clone().unwrap();
    assert!(last.contains('~'), "{last}");
    let mut all = server.events(&format!("/v1/events?lastEventId={}", last.replace('~', "%7E")), None).await;
    assert_eq!(all.next().await.unwrap().name(), "connected");
    send(&server, &two, "greet me again").await;
    let again =
        |shown: &Shown| shown.told["data"]["text"].as_str().is_some_and(|text| text.contains("again"));
    seen.extend(all.until("the prompt", again).await);
    seen.extend(all.until("two is idle", is_status(&two, "idle")).await);

    let mut own = server.events(&format!("/v1/sessions/{one}/events"), own.last_id.as_deref()).await;
    assert_eq!(own.next().await.unwrap().name(), "connected");
    send(&server, &one, "greet once more").await;
    seen_own.extend(own.until("the prompt", |s| s.told["data"]["text"] == "greet once more").await);
    seen_own.extend(own.until("one is idle", is_status(&one, "idle")).await);

    let told = events(&seen);
    let of = |id: &str| told.iter().filter(|(session, _)| session == id).count();
    assert!(of(&one) > 5 && of(&two) > 5, "{told:#?}");
    // Whatever the journals have, from the first that was seen on.
    for id in [&one, &two, &gone] {
        let first = told.iter().find(|(session, _)| session == id).unwrap().1;
        let journal = lab.events().iter().filter(|event| event.session_id.to_string() == *id).count() as u64;
        if id == &gone {
            assert_eq!((first, of(id) as u64), (1, journal));
        } else {
            assert!(of(id) as u64 + first <= journal + 1);
        }
    }
    assert!(seen.iter().all(|shown| shown.name() != "gap"));
    assert!(seen_own.iter().all(|shown| shown.name() != "gap"));
    events(&seen_own);
    server.call("DELETE", &format!("/v1/sessions/{one}"), None).await.is(200);
    server.call("DELETE", &format!("/v1/sessions/{two}"), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_says_nothing_is_answered_with_a_gap() {
    let lab = Lab::fake(rules()).build().await;
    let server = HttpServer::start(&lab).await;
    let id = create(&lab, &server, "one").await;
    let unknown = "00000000000000a1-17";
    for (path, after) in [
        ("/v1/events".to_owned(), unknown),
        ("/v1/events".to_owned(), "17"),
        (format!("/v1/sessions/{id}/events"), "17"),
    ] {
        let mut stream = server.events(&path, Some(after)).await;
        assert_eq!(stream.next().await.unwrap().name(), "connected");
        let gap = stream.next().await.unwrap();
        assert_eq!((gap.name(), &gap.told["data"]["after"]), ("gap", &json!(after)), "{path}");
        send(&server, &id, "greet").await;
        stream.until("what happens next", is_status(&id, "idle")).await;
    }
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_holder_is_killed_ends_its_stream() {
    let lab = Lab::fake(rules()).build().await;
    let server = HttpServer::start(&lab).await;
    let id = create(&lab, &server, "one").await;
    let mut all = server.events("/v1/events", None).await;
    let mut stream = server.events(&format!("/v1/sessions/{id}/events"), None).await;
    stream.next().await.unwrap();
    sigkill(holders(&lab)[0]);
    let rest = stream.rest().await;
    let names: Vec<_> = rest.iter().map(Shown::name).collect();
    assert!(names.ends_with(&["status", "dead", "ended"]), "{rest:#?}");
    assert_eq!(rest.last().unwrap().told["data"]["reason"], "holder_lost");
    all.until("its end", |shown| shown.name() == "session_ended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_shows_that_it_lives() {
    let lab = Lab::fake(rules()).var("AEGIS_STREAM_HEARTBEAT_MS", "100").build().await;
    let server = HttpServer::start(&lab).await;
    let mut stream = server.events("/v1/events", None).await;
    stream.next().await.unwrap();
    for _ in 0..3 {
        let beat = stream.next().await.unwrap();
        assert_eq!((beat.name(), &beat.id, beat.told.get("data")), ("heartbeat", &None, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_needs_the_token_in_the_header_and_a_session() {
    let lab = Lab::fake(rules()).var("AEGIS_AUTH_TOKEN", "hush-hush").build().await;
    let mut server = HttpServer::start(&lab).await;
    server.events("/v1/events", None).await.next().await.unwrap();
    let nobody = "00000000-0000-4000-8000-000000000000";
    server.get(&format!("/v1/sessions/{nobody}/events")).await.is(404);
    server.get("/v1/sessions/one/events").await.is(400);
    server.token = None;
    for path in ["/v1/events?token=hush-hush", "/v1/events", &format!("/v1/sessions/{nobody}/stream")] {
        server.get(path).await.is(401);
    }
}

/// One stream that is never read, and others beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_slows_nobody() {
    const MESSAGES: usize = 1500;
    let lab = Lab::fake(json!({"rules": [crowd(MESSAGES, Duration::ZERO)]})).build().await;
    let server = HttpServer::start(&lab).await;
    let id = create(&lab, &server, "one").await;
    let mut stuck = server.events("/v1/events", None).await;
    let mut stream = server.events("/v1/events", None).await;
    stream.next().await.unwrap();
    send(&server, &id, "CROWD").await;
    for stream in [&mut stream, &mut stuck] {
        let mut texts = HashSet::new();
        let told = async {
            while texts.len() < MESSAGES {
                let shown = stream.next().await.expect("the stream goes on");
                if shown.name() == "gap" {
                    assert!(shown.told["data"]["missed"].is_u64(), "{shown:?}");
                    break;
                }
                let text = shown.told["data"]["text"].as_str().unwrap_or_default();
                if text.starts_with("message ") {
                    texts.insert(text.to_owned());
                }
            }
        };
        tokio::time::timeout(PATIENCE, told).await.expect("every message, or a gap");
        server.get("/v1/health").await.is(200);
    }
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

/// A thousand streams of a session with two hundred events a second, in small: the figures are in the benchmarks.
#[tokio::test(flavor = "multi_thread")]
async fn many_streams_get_every_event() {
    const STREAMS: usize = 200;
    const MESSAGES: usize = 200;
    let lab = Lab::fake(json!({"rules": [crowd(MESSAGES, Duration::from_millis(5))]})).build().await;
    let server = HttpServer::start(&lab).await;
    let id = create(&lab, &server, "one").await;
    let mut streams = Vec::new();
    for at in 0..STREAMS {
        let path = if at % 2 == 0 { "/v1/events".to_owned() } else { format!("/v1/sessions/{id}/events") };
        let mut stream: Events = server.events(&path, None).await;
        stream.next().await.unwrap();
        streams.push(stream);
    }
    let readers: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            tokio::spawn(async move {
                // The last is told before those in front of it: the hook is faster than the transcript.
                let (mut told, mut texts) = (Vec::new(), HashSet::new());
                while texts.len() < MESSAGES {
                    let shown = stream.next().await.expect("the stream goes on");
                    let text = shown.told["data"]["text"].as_str().unwrap_or_default();
                    if text.starts_with("message ") {
                        texts.insert(text.to_owned());
                    }
                    told.push(shown);
                }
                events(&told);
                told.iter().any(|shown| shown.name() == "gap")
            })
        })
        .collect();
    send(&server, &id, "CROWD").await;
    for reader in readers {
        assert!(!reader.await.unwrap(), "nothing was missed");
    }
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_streams_and_terminals_ends_in_time() {
    let lab = Lab::fake(rules()).build().await;
    let server = HttpServer::start(&lab).await;
    let id = create(&lab, &server, "one").await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = server.events("/v1/events", None).await;
        stream.next().await.unwrap();
        streams.push(stream);
    }
    let mut viewer = super::terminal::Viewer::open(&server, &id, "").await;
    viewer.until("the screen", |told| told["type"] == "pane").await;
    let start = Instant::now();
    let ending = tokio::spawn(server.end());
    for mut stream in streams {
        assert_eq!(stream.rest().await.last().unwrap().name(), "shutdown");
    }
    assert_eq!(viewer.close().await.0, 1001);
    assert_eq!(ending.await.unwrap(), 0);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let again = HttpServer::start(&lab).await;
    again.until(&id, "idle").await;
    again.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}
