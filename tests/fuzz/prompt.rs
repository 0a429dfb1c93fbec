//! Prompts: the input is the text that somebody wants to send.

use aegis::claude::keys::{PASTE_END, PASTE_START, paste};
use aegis::claude::prompt::{Unsendable, fits_argument, same, typed, unwrapped};
use unicode_normalization::UnicodeNormalization as _;

/// In bytes; below the longest input, so that both sides are met.
const LIMIT: usize = 2048;

/// What may be typed is taken as text: no key, no command, no shell line, no way out of the program; and when
/// Claude Code tells it back, it is known again.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(same(&text, &text), "not the same as itself");
    assert!(unwrapped(&text).len() <= text.len(), "grew without its tags");
    let typed = match typed(&text, LIMIT) {
        Ok(typed) => typed,
        Err(error) => return refused(&text, &error),
    };
    assert!(text.len() <= LIMIT && typed.len() <= text.len() + 8, "too long: {typed:?}");
    let key = typed.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
    assert_eq!(key, None, "a key in {typed:?}");
    assert!(!typed.contains(PASTE_START) && !typed.contains(PASTE_END), "a paste marker in {typed:?}");
    let pasted = String::from_utf8(paste(&typed)).expect("text");
    assert_eq!(pasted.find(PASTE_END), Some(pasted.len() - PASTE_END.len()), "a paste that ends early");

    assert!(!typed.starts_with(['/', '!']), "a command: {typed:?}");
    assert!(!typed.ends_with('\\'), "Enter is swallowed: {typed:?}");
    let told = told(&typed);
    let word = told.to_lowercase();
    assert!(
        !matches!(word.as_str(), "" | "exit" | "quit" | ":q" | ":q!" | ":wq" | ":wq!"),
        "the end: {typed:?}"
    );
    assert!(same(&typed, &told), "{typed:?} is not known again in {told:?}");
    let block = format!("\n<pasted_content id=\"1a2b\">\n{typed}\n</pasted_content id=\"1a2b\">\n");
    assert!(same(&typed, &block), "{typed:?} is not known again as a block");
    let only_dotted = told.strip_suffix('.').is_some_and(|bare| same(bare, &text));
    assert!(same(&typed, &text) || only_dotted, "{typed:?} is another text than {text:?}");
    assert!(!fits_argument(&text, LIMIT) || typed == text, "an argument that is not taken as it is");
}

fn refused(text: &str, error: &Unsendable) {
    assert!(error.to_string().len() < 200, "a long complaint: {error}");
    assert!(!fits_argument(text, LIMIT), "refused, yet fit for the command line");
    match error {
        Unsendable::Blank => assert!(told(text).is_empty(), "not blank: {text:?}"),
        Unsendable::Control { code, at } => assert_eq!(text.chars().nth(*at).map(u32::from), Some(*code)),
        Unsendable::TooLong { bytes, limit } => assert!(bytes > limit && *bytes == text.len()),
    }
}

/// What Claude Code makes of a text that was typed: NFC, tabs as blanks, line ends as `\n`, trimmed as JavaScript
/// trims, which counts U+FEFF as a blank.
fn told(typed: &str) -> String {
    let text: String = typed.nfc().collect();
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned()
}
