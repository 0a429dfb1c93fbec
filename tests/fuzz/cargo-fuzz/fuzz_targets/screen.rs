#![no_main]

#[path = "../../screen.rs"]
mod screen;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| screen::check(bytes));
