#![no_main]

#[path = "../../prompt.rs"]
mod prompt;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| prompt::check(bytes));
