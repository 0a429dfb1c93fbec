//! Whatever comes from outside: no panic, no growth, and the promises of each reader.
//!
//! A `check` function takes any bytes at all, and panics if a promise is broken. Here every one meets some thousand
//! inputs, made from real samples and the same in every run; `FUZZ_CASES=1000000 cargo test fuzz` makes more of
//! them, `FUZZ_SEED=7` others. The targets in `cargo-fuzz` call the same functions, see its README.

mod arguments;
mod config;
mod hook;
mod journal;
mod mutate;
mod prompt;
mod samples;
mod screen;
mod transcript;
mod wire;

use std::panic::{AssertUnwindSafe, catch_unwind};

use aegis::term::Grid;
use rstest::rstest;

/// What a check may hold at once beside what its input causes: whole grids of the largest size, a few times over.
const HELD: u64 = 48 << 20;

/// What one byte of input may cause to be held at once. A `Value` takes 72 bytes for the two characters of `0,`, and
/// a check holds several.
const HELD_PER_BYTE: u64 = 2048;

#[rstest]
#[case::wire(wire::check, samples::wire(), 4096, 4000)]
#[case::hook(hook::check, samples::hooks(), 4096, 6000)]
#[case::transcript(transcript::check, samples::transcript(), 4096, 6000)]
#[case::prompt(prompt::check, samples::prompts(), 3000, 8000)]
#[case::screen(screen::check, samples::screens(), 3000, 150)]
#[case::config(config::check, samples::configs(), 8192, 3000)]
#[case::arguments(arguments::check, samples::arguments(), 8192, 6000)]
#[case::journal(journal::check, samples::records(), 4096, 2000)]
fn no_input_breaks_a_promise(
    #[case] check: fn(&[u8]),
    #[case] samples: Vec<Vec<u8>>,
    #[case] longest: usize,
    #[case] cases: usize,
) {
    samples.iter().enumerate().for_each(|(at, sample)| hold(check, sample, &format!("sample {at}")));
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (seed, cases) = (number("FUZZ_SEED").unwrap_or(1), number("FUZZ_CASES").map_or(cases as u64, |n| n));
    let mut dice = mutate::Dice::new(seed);
    for case in 1..=cases {
        let input = mutate::input(&mut dice, &samples, longest);
        hold(check, &input, &format!("case {case} of seed {seed}"));
    }
}

/// Runs a check on one input; tells which it was if it fails or takes too much memory.
fn hold(check: fn(&[u8]), input: &[u8], name: &str) {
    let mut outcome = Ok(());
    let memory = allocation_counter::measure(|| outcome = catch_unwind(AssertUnwindSafe(|| check(input))));
    assert!(outcome.is_ok(), "{name} fails, see above: b\"{}\"", input.escape_ascii());
    let most = HELD + HELD_PER_BYTE * input.len() as u64;
    assert!(
        memory.bytes_max <= most,
        "{name} holds {} bytes: b\"{}\"",
        memory.bytes_max,
        input.escape_ascii()
    );
}

#[test]
fn an_endless_title_takes_no_memory() {
    let mut grid = Grid::new(80, 24, 0);
    let part = vec![b'x'; 64 << 10];
    let memory = allocation_counter::measure(|| {
        let _ = grid.feed(b"\x1b]0;");
        (0..128).for_each(|_| drop(grid.feed(&part)));
    });
    assert!(memory.bytes_max < 1 << 20, "{} bytes held", memory.bytes_max);
}

#[test]
fn a_terminal_holds_no_more_after_an_hour_than_after_a_minute() {
    let mut grid = Grid::new(120, 40, 100);
    let screens = samples::screens();
    let mut round = || screens.iter().for_each(|screen| drop(grid.feed(screen)));
    (0..3).for_each(|_| round());
    let memory = allocation_counter::measure(|| (0..10).for_each(|_| round()));
    assert!(memory.bytes_current < 1 << 20, "{} bytes more", memory.bytes_current);
}
