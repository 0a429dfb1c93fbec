//! Servers, the steward among them, are killed at random moments while prompts are on their way.
//!
//! `SURVIVAL_KILLS` and `SURVIVAL_SESSIONS` make a longer run of it, `SURVIVAL_SEED` repeats one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aegis::domain::{ReceiptState, StatusWord};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::support::Lab;
use crate::support::records::{all_stored, prompts, receipts};
use crate::support::server::{NoAnswer, Server};
use crate::support::tasks::Driver;

/// How many servers run at once.
const SERVERS: usize = 3;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Numbers that are the same for the same seed (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// What the clients and the killer share.
struct Field {
    lab: Lab,
    servers: Vec<RwLock<Arc<Server>>>,
    /// Calls that were begun.
    begun: AtomicUsize,
    over: AtomicBool,
}

impl Field {
    /// Calls a tool on one server after the other until one of them lives to answer.
    async fn insist(&self, random: &mut Random, tool: &str, arguments: &Value) -> Value {
        loop {
            let server = self.servers[random.below(SERVERS)].read().await.clone();
            self.begun.fetch_add(1, Ordering::Relaxed);
            match server.try_call(tool, arguments.clone()).await {
                Ok(answer) => return answer,
                Err(NoAnswer::Died) => {}
                Err(NoAnswer::Failed(error)) => panic!("{tool}: {error}"),
            }
        }
    }

    /// Creates a session and talks to it until all is over. Gives the session and what it was told.
    async fn client(&self, number: usize, seed: u64) -> (String, Vec<String>) {
        let mut random = Random(seed);
        let create = json!({
            "workDir": self.lab.work_dir(), "reuse": false, "idempotencyKey": format!("create {number}"),
            "prompt": format!("first of {number}"),
        });
        let created = self.insist(&mut random, "create_session", &create).await;
        let id = created["id"].as_str().unwrap().to_owned();
        let mut told = vec![format!("first of {number}")];
        while !self.over.load(Ordering::Relaxed) {
            let text = format!("{} of {number}", told.len());
            let send = json!({"sessionId": id, "text": text, "idempotencyKey": text});
            let receipt = self.insist(&mut random, "send_message", &send).await;
            told.push(text);
            if random.below(3) > 0 {
                let wait = json!({"sessionIds": [id], "until": ["idle"], "timeoutMs": 20_000});
                self.insist(&mut random, "wait_for_session", &wait).await;
                let again = self.insist(&mut random, "send_message", &send).await;
                assert_eq!(again["id"], receipt["id"]);
            }
        }
        (id, told)
    }

    /// Kills one server after the other, each a moment after the last call that was begun.
    async fn killer(&self, kills: usize, mut random: Random) -> usize {
        let mut stewards = 0;
        for _ in 0..kills {
            let before = self.begun.load(Ordering::Relaxed);
            while self.begun.load(Ordering::Relaxed) == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Not waiting for anything: the moment of the kill is to be any.
            tokio::time::sleep(Duration::from_micros(random.below(30_000) as u64)).await;
            let at = random.below(SERVERS);
            let old = self.servers[at].read().await.clone();
            if random.below(10) == 0 {
                let health = old.call("server_health", json!({})).await;
                stewards += usize::from(health["steward"] == "here");
            }
            old.kill().await;
            *self.servers[at].write().await = Arc::new(Server::start(&self.lab).await);
        }
        self.over.store(true, Ordering::Relaxed);
        stewards
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t3_t11_t15_random_kills_lose_and_double_nothing() {
    let kills = setting("SURVIVAL_KILLS", 60);
    let sessions = setting("SURVIVAL_SESSIONS", 5);
    let seed = setting("SURVIVAL_SEED", 0x5eed) as u64;
    let lab = Lab::fake(json!({})).build().await;
    let servers = join_all((0..SERVERS).map(|_| Server::start(&lab))).await;
    let servers = servers.into_iter().map(|server| RwLock::new(Arc::new(server))).collect();
    let field = Field { lab, servers, begun: AtomicUsize::new(0), over: AtomicBool::new(false) };
    let clients = join_all((0..sessions).map(|n| field.client(n, seed.wrapping_add(n as u64 + 1))));
    let (told, stewards) = tokio::join!(clients, field.killer(kills, Random(seed)));

    let driver = Driver::new(&field.lab);
    join_all(told.iter().map(async |(id, _)| {
        driver.until(id, StatusWord::Idle).await;
        driver.kill(id).await;
    }))
    .await;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for prompt in prompts(&field.lab) {
        *counts.entry(prompt).or_default() += 1;
    }
    let journals = all_stored(&field.lab).await;
    assert_eq!(journals.len(), sessions, "sessions that nobody asked for");
    let mut sent = 0;
    for (id, texts) in &told {
        let events = journals.iter().find(|events| events[0].session_id.to_string() == *id).unwrap();
        let receipts = receipts(events);
        assert_eq!(receipts.len(), texts.len(), "one receipt a prompt");
        assert!(receipts.iter().all(|receipt| receipt.state == ReceiptState::TurnEnded), "{receipts:#?}");
        for text in texts {
            assert_eq!(counts.remove(text), Some(1), "{text:?}");
        }
        sent += texts.len();
    }
    assert!(counts.is_empty(), "{counts:?}");
    eprintln!("{kills} kills (at least {stewards} of the steward), {sessions} sessions, {sent} prompts");
}
