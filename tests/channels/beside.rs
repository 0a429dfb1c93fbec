//! Receivers that are refused, or answer what nobody wants, beside one that is good.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aegis::domain::OutboxState;
use aegis::names::Lookup;
use aegis::store::OutboxStore as _;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::events::every_topic_apart;
use crate::support::processes::come;
use crate::support::receiver::{Got, Receiver, Say};
use crate::support::running::Running;

/// Answers the look-ups of each name one after the other, the last one for ever.
struct Names(Mutex<HashMap<&'static str, Vec<&'static str>>>);

impl Lookup for Names {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut names = self.0.lock().unwrap();
        let answers = names.get_mut(host.as_str()).unwrap_or_else(|| panic!("{host} is looked up"));
        let one = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
        Box::pin(async move { Ok(vec![one.parse().unwrap()]) })
    }
}

/// How long a notice may be on its way to the good receiver. Without the others it is some milliseconds; a machine that
/// runs other tests is slow, and one bad receiver that held it up would do so for 5 s at least.
const IN_TIME: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_are_refused_or_say_too_much_hold_up_nobody() {
    let (good, inside, redirects, long) =
        (Receiver::plain().await, Receiver::plain().await, Receiver::plain().await, Receiver::plain().await);
    // One that is reached once, and whose name then leads elsewhere.
    let flips = Receiver::plain().await;
    flips.always(Say { headers: vec![("connection", "close".into())], ..Say::status(503) });
    redirects.always(Say {
        headers: vec![("location", "http://169.254.169.254/latest/meta-data/".into())],
        ..Say::status(307)
    });
    long.always(Say { body: "x".repeat(10 << 20), ..Say::status(500) });
    let names = HashMap::from([
        ("good.localhost", vec!["127.0.0.1"]),
        ("turns.example", vec!["192.0.2.1", "127.0.0.1"]),
        ("flips.localhost", vec!["127.0.0.1", "169.254.169.254"]),
        ("mapped.example", vec!["::ffff:127.0.0.1"]),
        ("metadata.example", vec!["::ffff:169.254.169.254"]),
        ("redirects.localhost", vec!["127.0.0.1"]),
        ("long.localhost", vec!["127.0.0.1"]),
    ]);
    let here = |name: &str, of: &Receiver| json!({"url": format!("http://{name}.localhost:{}/", of.port), "allowLoopback": true});
    let away = |name: &str| json!({"url": format!("https://{name}.example:{}/", inside.port)});
    // What is refused, and in which words.
    let bad = [
        (away("turns"), "turns.example is 127.0.0.1, which is not called"),
        (here("flips", &flips), "flips.localhost is 169.254.169.254, which is not called"),
        (away("mapped"), "mapped.example is ::ffff:127.0.0.1, which is not called"),
        (away("metadata"), "metadata.example is ::ffff:169.254.169.254, which is not called"),
        (here("redirects", &redirects), "the receiver answered 307; redirects are not followed"),
        (here("long", &long), "the receiver answered 500"),
    ];
    let mut webhooks = vec![here("good", &good)];
    webhooks.extend(bad.iter().map(|(webhook, _)| webhook.clone()));
    let names = Arc::new(Names(Mutex::new(names)));
    let mut running = Running::looking_up(json!({"webhooks": webhooks}), Some(names)).await;
    let channels: Vec<_> = running.listed().into_iter().map(|channel| channel.name).collect();
    assert_eq!(channels.len(), 7);

    let sessions = [running.session("s1"), running.session("s2")];
    let (mut topics, mut slowest) = (Vec::new(), Duration::ZERO);
    for (event, told) in every_topic_apart() {
        for session in &sessions {
            running.happens(session, vec![event.clone()]);
        }
        topics.extend_from_slice(told);
        let since = Instant::now();
        good.come(2 * topics.len()).await;
        slowest = slowest.max(since.elapsed());
    }
    assert!(slowest < IN_TIME, "{slowest:?}");
    for session in &sessions {
        let got = good.got();
        let name = session.spec.name.as_str();
        let ours = got.iter().map(Got::json).filter(|body| body["session"]["name"] == name);
        let told: Vec<_> = ours.map(|body| body["event"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, topics);
    }
    // Each of the others failed in its way, and that is written down.
    for (name, (_, error)) in channels[1..].iter().zip(&bad) {
        come(error, async || {
            let row = running.store.channel(name).unwrap()?;
            row.last_error.as_deref().is_some_and(|last| last.contains(error)).then_some(())
        })
        .await;
    }
    // A redirect lasts, so that what was redirected is given up; what may pass waits.
    let dead = running.store.outbox(Some(&channels[5]), Some(OutboxState::Dead), 99).unwrap();
    assert!(!dead.is_empty() && dead.iter().all(|entry| entry.status == Some(307)), "{dead:#?}");
    for name in [&channels[1], &channels[6]] {
        assert_eq!(running.store.outbox(Some(name), Some(OutboxState::Dead), 9).unwrap(), []);
        assert!(running.store.channel(name).unwrap().unwrap().pending > 0);
    }
    let good = running.store.channel(&channels[0]).unwrap().unwrap();
    assert_eq!((good.failures, good.pending, good.dead), (0, 0, 0));
    // Nobody was led to this machine, and whose name flipped was reached while it was good.
    assert_eq!((inside.count(), flips.count()), (0, 1));
}
