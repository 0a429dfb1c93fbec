//! Inputs made from samples, the same ones in every run.

/// What parsers stumble over: the ends of numbers, of texts, of frames, of escape sequences.
const BAD: &[&[u8]] = &[
    b"0",
    b"-1",
    b"1e999",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-9223372036854775808",
    b"0.1e-7",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\"\"",
    b"[[[[[[[[",
    b"{\"a\":{\"a\":",
    b"\"\\ud800\"",
    b"\\u0000",
    b"\"",
    b"\\",
    b"\n",
    b"\r\n",
    b"\t",
    b"\0",
    b"\x00\x00\x00\x04",
    b"\xff\xff\xff\xff",
    b"\xff",
    b"\xc3\x28",
    b"\xf0\x9f\x98",
    b"\x1b[",
    b"\x1b]0;",
    b"\x1b[?2026h",
    b"\x1b[?2026l",
    b"\x1b[200~",
    b"\x1b[201~",
    b"\x1b[65535;65535H",
    b"\x1b[2J",
    b"\x1b[6n",
    b"\x1b[999L",
    b"\x1b[999P",
    b"\x1b[5;2r",
    b"\x1b[?1049h",
    b"\x1b[?1049l",
    b"\x1bP",
    b"\x1b\\",
    b"\x07",
    "é".as_bytes(),
    "e\u{301}".as_bytes(),
    "日本".as_bytes(),
    "👩‍👩‍👧".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{200b}".as_bytes(),
    "❯ ".as_bytes(),
    "❯\u{a0}".as_bytes(),
    "───".as_bytes(),
    "● ".as_bytes(),
    "☐ ".as_bytes(),
    b"1. ",
    b"99. ",
    b"/",
    b"!",
    b"@",
    b"exit",
    b"Enter to confirm",
    b"resets 12:59pm (UTC)",
    b"<pasted_content id=\"",
];

/// A source of numbers (xorshift64*): not random, but well mixed and the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).expect("31 bits") % end
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("a byte")
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        start..start + self.below((len - start).min(64) + 1)
    }
}

/// An input of at most `longest` bytes: one in eight is noise, the others are samples that went through a few
/// accidents.
pub fn input(dice: &mut Dice, samples: &[Vec<u8>], longest: usize) -> Vec<u8> {
    if dice.below(8) == 0 {
        return (0..dice.below(longest.min(512))).map(|_| dice.byte()).collect();
    }
    let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    let mut bytes = dice.one(&samples).to_vec();
    for _ in 0..=dice.below(6) {
        accident(dice, &mut bytes, &samples);
    }
    bytes.truncate(longest);
    bytes
}

fn accident(dice: &mut Dice, bytes: &mut Vec<u8>, samples: &[&[u8]]) {
    let range = dice.range(bytes.len());
    match dice.below(9) {
        0 => drop(bytes.drain(range)),
        1 => bytes.truncate(range.start),
        2 => bytes.extend_from_within(range),
        3 => {
            let part = bytes[range.clone()].repeat(dice.below(40));
            bytes.splice(range.end..range.end, part);
        }
        4 => {
            let other = dice.one(samples);
            let part = other[dice.range(other.len())].to_vec();
            bytes.splice(range, part);
        }
        5 => value(dice, bytes, range.start),
        6 if !range.is_empty() => bytes[range.start] ^= 1 << dice.below(8),
        7 if !range.is_empty() => bytes[range.start] = dice.byte(),
        _ => drop(bytes.splice(range.start..range.start, dice.one(BAD).iter().copied())),
    }
}

/// Puts something else in place of the JSON value behind the next colon.
fn value(dice: &mut Dice, bytes: &mut Vec<u8>, from: usize) {
    let Some(colon) = bytes[from..].iter().position(|byte| *byte == b':').map(|at| from + at + 1) else {
        return;
    };
    let end = bytes[colon..].iter().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(0);
    bytes.splice(colon..colon + end, dice.one(BAD).iter().copied());
}
