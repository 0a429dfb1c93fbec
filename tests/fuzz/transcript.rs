//! Lines of the transcript, and the files beside it: the input is one line, or one whole live file.

use aegis::claude::limit::resets_at;
use aegis::claude::live::Live;
use aegis::claude::registry::{Registered, Team, agent_kind, job};
use aegis::claude::transcript::{Fact, Line};
use aegis::domain::Timestamp;

/// What one byte of a line can become: each text may stand in a piece and in a fact, and a number in a tool's input
/// is written out (`1e9` becomes `1000000000.0`).
const MOST_PER_BYTE: usize = 16;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// A line says the same twice, never more than stands in it, and a fact about a prompt comes with the prompt.
pub fn check(bytes: &[u8]) {
    let line = Line::parse(bytes);
    assert_eq!(line, Line::parse(bytes), "read twice, not the same");
    if let Some(line) = line {
        let said: usize = line.pieces.iter().map(|piece| piece.text.len()).sum();
        assert!(said <= bytes.len() * MOST_PER_BYTE, "{said} bytes out of a line of {}", bytes.len());
        for fact in &line.facts {
            if matches!(fact, Fact::Prompt { .. } | Fact::Joined { .. }) {
                assert!(line.pieces.iter().any(|piece| piece.is_prompt), "a prompt that nobody reads");
            }
        }
        line.pieces.iter().for_each(|piece| limit_lifts_within_a_day(&piece.text));
    }
    limit_lifts_within_a_day(&String::from_utf8_lossy(bytes));

    let registered = Registered::parse(bytes);
    assert!(
        registered.is_none_or(|told| Some(told.live) == Live::parse(bytes)),
        "not what the live file says"
    );
    if let Some(team) = Team::parse(bytes) {
        assert!(team.members.len() <= bytes.len(), "more members than there is room for");
    }
    let (_, _) = (job(bytes), agent_kind(bytes));

    let live = Live::parse(bytes);
    assert_eq!(live, Live::parse(bytes), "read twice, not the same");
    if let Some(activity) = live.and_then(|live| live.activity) {
        assert!(activity.describe().len() <= bytes.len() * 3 + 16, "more words than the file has");
    }
}

fn limit_lifts_within_a_day(text: &str) {
    let earliest = "-009999-01-02T01:59:59Z".parse::<Timestamp>().expect("a time");
    let now = Timestamp::from_millis(1_795_337_042_671).expect("a time");
    let latest = "9999-12-30T22:00:00Z".parse::<Timestamp>().expect("a time");
    for now in [earliest, now, latest] {
        let Some(at) = resets_at(text, now) else { continue };
        assert!(at > now && at.millis_since(now) <= DAY_MS, "{at} is not the next such time after {now}");
    }
}
