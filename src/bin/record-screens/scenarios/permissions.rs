//! May a tool run?

use aegis::claude::keys;
use aegis::rehearsal::Reply;
use aegis::rehearsal::api::{HoldAt, ToolCall};
use serde_json::json;

use crate::scenario::{Scenario, Set, TAB, bash, case};

/// The question of most of these dialogs.
const ASKED: &str = "Do you want to ";

/// The cases.
pub(super) fn cases() -> Vec<Scenario> {
    let make = || bash("touch made-it && echo hi").saying("I will run a command.");
    let file = |name: &'static str| case(name).project("a.txt", "alpha\nhello world\nomega\n");
    let long = "python3 /opt/some/very/long/directory/name/with/many/parts/to/make/the/option/label/wrap/script.py \
                --flag";
    let described = Reply::tool(
        "Bash",
        json!({
            "command": long,
            "description": "Run a long script with a description that is also rather long and wraps on a narrow screen",
        }),
    );
    let edit = [
        Reply::tool("Read", json!({ "file_path": "a.txt" })),
        Reply::tool(
            "Edit",
            json!({ "file_path": "a.txt", "old_string": "hello world", "new_string": "goodbye world" }),
        ),
    ];
    let write = Reply::tool("Write", json!({ "file_path": "new.txt", "content": "line one\nline two\n" }));
    let fetch = Reply::tool("WebFetch", json!({ "url": "https://example.com/page", "prompt": "Summarise" }));
    vec![
        case("permission-bash").asks("make it", [make()]).until(ASKED),
        case("permission-bash-moved")
            .asks("make it", [make()])
            .until(ASKED)
            .press(keys::DOWN)
            .until(r"❯ 2\."),
        case("permission-bash-amend")
            .asks("make it", [make()])
            .until(ASKED)
            .press(TAB)
            .until("what to do next"),
        case("permission-bash-long").asks("run it", [described]).until(ASKED),
        case("permission-bash-two")
            .asks("clean up", [bash(r#"echo $(date) > x.txt; for i in 1 2; do rm -rf "$i"; done"#)])
            .until(ASKED),
        case("permission-inline").set(Set::Inline).asks("make it", [make()]).until(ASKED),
        case("permission-inline-moved")
            .set(Set::Inline)
            .asks("make it", [make()])
            .until(ASKED)
            .press(keys::DOWN)
            .until(r"❯ 2\."),
        // A dialog that is due within 1.5 s of a key is held back; 2.1.150 shows no note of it.
        case("permission-held-back")
            .since("2.1.197")
            .asks("make it", [make().held("go", HoldAt::Start)])
            .asked("make it")
            .sees("^❯\u{a0}")
            .press("abc")
            .sees("❯\u{a0}abc")
            .release("go")
            .sees("Waiting for permission…"),
        file("permission-edit").asks("edit it", edit).until(ASKED),
        case("permission-write").asks("write it", [write]).until(ASKED),
        case("permission-read")
            .asks("read it", [Reply::tool("Read", json!({ "file_path": "/etc/hostname" }))])
            .until(ASKED),
        case("permission-fetch").asks("fetch it", [fetch]).until(ASKED),
        case("permission-subagent")
            .asks(
                "send somebody",
                [Reply::agents([("Sub with bash", "make it there")]), Reply::text("All done.")],
            )
            .answers("make it there", [make()])
            .until(ASKED),
        case("permission-several")
            .asks(
                "make both",
                [Reply::tools(["one", "two"].map(|name| {
                    ToolCall::new(
                        "Bash",
                        json!({ "command": format!("touch {name}"), "description": "Do it" }),
                    )
                }))],
            )
            .until(ASKED),
    ]
}
