#![no_main]

#[path = "../../transcript.rs"]
mod transcript;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| transcript::check(bytes));
