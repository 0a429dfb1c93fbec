//! The input box, and what a person has typed into it.

use aegis::claude::keys;
use aegis::rehearsal::Reply;

use crate::scenario::{CTRL_C, Scenario, Set, case};

/// The prompt of an empty box.
const EMPTY: &str = "^❯\u{a0} *$";

/// The cases.
pub(super) fn cases() -> Vec<Scenario> {
    let three = "first line\nsecond line\nthird line";
    let many: Vec<String> = (1..=12).map(|line| format!("pasted line {line}")).collect();
    let typed = |name| case(name).ready().press("hello draft").until("hello draft");
    let multiline = |name| case(name).ready().paste(three).until("third line");
    let chip = |name| case(name).ready().paste(many.join("\n")).until("Pasted text #1");
    let palette = |name| case(name).ready().press("/").until("^ *❯?[ /]*/?add-dir");
    vec![
        case("idle-fresh").ready(),
        typed("draft"),
        multiline("draft-multiline"),
        case("draft-wrapped").ready().press("wordy ".repeat(40)).until("(wordy +){4}"),
        chip("draft-chip"),
        chip("draft-chip-and-text").press("tail").until(r"\]tail"),
        tall("draft-tall", 29),
        multiline("esc-armed").press(keys::ESCAPE).sees("sc again to clear"),
        multiline("cleared-by-esc-esc")
            .press(keys::ESCAPE)
            .sees("sc again to clear")
            .press(keys::ESCAPE)
            .until(EMPTY),
        case("exit-armed").ready().press(CTRL_C).sees("again to exit"),
        typed("exit-armed-after-clear").press(CTRL_C).sees("again to exit"),
        case("stashed").ready().paste("stash me").sees("stash me").press(keys::STASH).until(EMPTY),
        case("stash-restored")
            .answers("hello", [Reply::text("Hello from the model.")])
            .ready()
            .paste("stash me")
            .sees("stash me")
            .press(keys::STASH)
            .sees(EMPTY)
            .enter("hello")
            .sees("Hello from the model")
            .until("^❯\u{a0}stash me"),
        case("bash-mode")
            .ready()
            .press("!")
            .until("^!|shell mode|bash mode")
            .press("ls")
            .until("^[!❯]\u{a0}ls"),
        palette("palette"),
        palette("palette-moved").press(keys::DOWN).press(keys::DOWN).until("add-dir"),
        case("palette-files").project("a.txt", "alpha\n").ready().press("@").until(r"a\.txt"),
        case("help").ready().press("?").until("for commands"),
        // Suggestions come only with the traffic that is off elsewhere.
        case("suggestion")
            .set(Set::Without("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"))
            .var("CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION", "1")
            .suggests("run the tests")
            .asks("hello", [Reply::text("Hello from the model.")])
            .answers("again", [Reply::text("Hello again.")])
            .sees("Hello from the model")
            .until(EMPTY)
            .enter("again")
            .sees("Hello again")
            .until("❯\u{a0}run the tests"),
    ]
}

/// A draft of so many lines, each seen before the next: what comes at once would become a pasted block.
fn tall(name: &'static str, lines: usize) -> Scenario {
    (1..=lines).fold(case(name).ready(), |case, line| {
        let text = format!("tall draft line {line}");
        let case = if line > 1 { case.press("\n") } else { case };
        case.press(&text).until(format!("{text} *$"))
    })
}
