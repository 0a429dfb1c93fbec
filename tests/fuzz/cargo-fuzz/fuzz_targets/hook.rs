#![no_main]

#[path = "../../hook.rs"]
mod hook;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hook::check(bytes));
