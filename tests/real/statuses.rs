//! Each status word is reached by a real event, and left again.

use aegis::domain::{EndCause, ErrorKind, StatusWord};
use aegis::engine::AttachInput;
use aegis::ops::SessionRef;
use aegis::rehearsal::api::{HoldAt, ToolCall};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::Lab;
use crate::support::tasks::Driver;

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn failures_and_limits_are_told_and_left(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new()
        .on("OK", [Reply::text("Fine.")])
        .on("F401", [Reply::error(401)])
        .on("F429", [Reply::error(429)])
        .on("F500", [Reply::error(500)])
        .on("F529", [Reply::error(529)]);
    let lab = Lab::builder(version, script).home_var("CLAUDE_CODE_MAX_RETRIES", "1").build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let cases = [
        ("F401", StatusWord::Error),
        ("F429", StatusWord::RateLimited),
        ("F500", StatusWord::Error),
        ("F529", StatusWord::Error),
    ];
    for (prompt, wanted) in cases {
        driver.send(&id, prompt).await.unwrap();
        let session = driver.until_any(&id, &[wanted, StatusWord::Idle]).await;
        assert_eq!(session.status, wanted, "{prompt}");
        match wanted {
            StatusWord::RateLimited => assert!(session.limit.is_some()),
            _ => assert_ne!(session.error.unwrap().kind, ErrorKind::Unknown, "{prompt}"),
        }
        driver.send(&id, "OK").await.unwrap();
        driver.until(&id, StatusWord::Idle).await;
    }
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn silence_is_a_stall_until_life_comes_back(#[values("2.1.197", "2.1.330")] version: &str) {
    let script = Script::new().on("HOLD", [Reply::text("At last.").held("go", HoldAt::Start)]);
    let lab = Lab::builder(version, script).var("AEGIS_STALL_THRESHOLD_MS", "1500").build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "HOLD").await.unwrap();
    driver.until(&id, StatusWord::Stalled).await;
    lab.api.release("go");
    driver.until(&id, StatusWord::Idle).await;
    driver.kill(&id).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_stopped_wherever_it_is(#[values("2.1.197", "2.1.330")] version: &str) {
    let sleep = ToolCall::new("Bash", json!({"command": "touch slow && sleep 300", "description": "Wait"}));
    let script = Script::new()
        .on("OK", [Reply::text("Fine.")])
        .on("EARLY", [Reply::text("x").held("never", HoldAt::Start)])
        .on("TALKING", [Reply::text("a\n\nb\n\nc").held("never", HoldAt::End)])
        .on("ASKING", [Reply::tools([sleep]), Reply::text("x")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let interrupt = || async {
        let req = SessionRef { session_id: id.clone() };
        driver.aegis.interrupt_session(&driver.caller, req).await.unwrap()
    };
    let fine = |count: usize| {
        let got =
            lab.api.requests().iter().filter(|r| r.is_main() && r.prompt().as_deref() == Some("OK")).count();
        assert_eq!(got, count);
    };
    for (turn, prompt) in ["EARLY", "TALKING", "ASKING", "TOOL", "ESC"].into_iter().enumerate() {
        let sent = match prompt {
            "TOOL" => "ASKING",
            "ESC" => "TALKING",
            other => other,
        };
        let before = lab.api.requests().len();
        driver.send(&id, sent).await.unwrap();
        lab.api
            .wait_for("the turn", |r| r.number >= before && r.is_main() && r.mentions(sent))
            .await
            .unwrap();
        match prompt {
            "ASKING" => drop(driver.ask(&id).await),
            "TOOL" => {
                driver.ask(&id).await;
                driver.approve(&id, None).await.unwrap();
                driver.screen(&id, "Running").await;
            }
            _ => {}
        }
        if prompt == "ESC" {
            let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
            terminal.input.send(AttachInput::Keys(b"\x1b".to_vec())).await.unwrap();
            driver.until(&id, StatusWord::Idle).await;
        } else {
            assert_eq!(interrupt().await.status, StatusWord::Idle, "{prompt}");
        }
        assert!(driver.show(&id).await.session.open_asks.is_empty(), "{prompt}");
        driver.send(&id, "OK").await.unwrap();
        driver.until(&id, StatusWord::Idle).await;
        fine(turn + 1);
    }
    driver.kill(&id).await;
}

#[rstest]
#[case::exit("exit")]
#[case::killed("kill")]
#[case::terminated("term")]
#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_told_with_its_cause(#[values("2.1.197", "2.1.330")] version: &str, #[case] how: &str) {
    let lab = Lab::new(version, Script::new()).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let pid = driver.show(&id).await.health.pid.unwrap();
    match how {
        "exit" => {
            let terminal = driver.aegis.attach(&driver.caller, &id, (120, 40), false).await.unwrap();
            terminal.input.send(AttachInput::Keys(b"/exit".to_vec())).await.unwrap();
            driver.screen(&id, "/exit").await;
            terminal.input.send(AttachInput::Keys(b"\r".to_vec())).await.unwrap();
        }
        "kill" => signal(pid, Signal::KILL),
        _ => signal(pid, Signal::TERM),
    }
    let ending = driver.until(&id, StatusWord::Ended).await.ending.unwrap();
    match how {
        "exit" => assert_eq!((ending.cause, ending.exit_code), (EndCause::Exited, Some(0))),
        "kill" => assert_eq!(ending.cause, EndCause::Signaled),
        _ => assert_eq!((ending.cause, ending.exit_code), (EndCause::Exited, Some(143))),
    }
    assert_eq!(lab.processes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_holder_is_unknown_until_it_goes_on() {
    let lab = Lab::new("2.1.330", Script::new().on("OK", [Reply::text("Fine.")])).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let holder = driver.show(&id).await.health.holder.pid.unwrap();
    signal(holder, Signal::STOP);
    let asked = std::time::Instant::now();
    let status = driver.show(&id).await.session.status;
    assert!(asked.elapsed() < std::time::Duration::from_secs(6));
    assert_eq!(status, StatusWord::Unknown);
    let error = driver.send(&id, "OK").await.unwrap_err();
    assert_eq!(error.code.as_str(), "holder_unreachable");
    signal(holder, Signal::CONT);
    driver.until(&id, StatusWord::Idle).await;
    driver.kill(&id).await;
}
