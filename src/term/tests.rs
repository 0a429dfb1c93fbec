use super::{COLS, Grid, ROWS};

fn grid() -> Grid {
    Grid::new(80, 24, 100)
}

fn fed(bytes: &[u8]) -> Grid {
    let mut grid = grid();
    let _ = grid.feed(bytes);
    grid
}

#[test]
fn queries_are_answered_however_the_bytes_are_cut() {
    let table: &[(&[u8], &[u8])] = &[
        (b"\x1b[c", b"\x1b[?62;22c"),
        (b"\x1b[0c", b"\x1b[?62;22c"),
        (b"\x1b[>0q", b"\x1bP>|aegis\x1b\\"),
        (b"\x1b[>q", b"\x1bP>|aegis\x1b\\"),
        (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
        (b"\x1b[?1016$p", b"\x1b[?1016;0$y"),
        (b"ab\r\n\x1b[6n", b"\x1b[2;1R"),
        (b"\x1b[?6n", b"\x1b[?1;1R"),
        (b"\x1b[5n", b"\x1b[0n"),
        (b"\x1b[?u", b"\x1b[?0u"),
        (b"\x1b[>5u\x1b[16t\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b]7501;?\x07", b""),
    ];
    for (query, answer) in table {
        assert_eq!(grid().feed(query), *answer, "{}", String::from_utf8_lossy(query));
        let mut piecewise = grid();
        let got: Vec<u8> = query.iter().flat_map(|byte| piecewise.feed(&[*byte])).collect();
        assert_eq!(got, *answer, "{} byte by byte", String::from_utf8_lossy(query));
    }
}

#[test]
fn a_screen_is_the_same_however_its_bytes_are_cut() {
    let bytes = "to select · ↑/↓ to 日本 👩\u{200d}👧 é\u{9b}x".as_bytes();
    let whole = fed(bytes).screen();
    for cut in 1..bytes.len() {
        let mut grid = grid();
        let _ = grid.feed(&bytes[..cut]);
        let _ = grid.feed(&bytes[cut..]);
        assert_eq!(grid.screen(), whole, "cut at {cut}");
    }
}

#[test]
fn a_frame_is_whole_only_after_its_end() {
    let mut grid = grid();
    assert!(grid.whole());
    let _ = grid.feed(b"\x1b[?2026hhalf");
    assert!(!grid.whole());
    assert_eq!(grid.feed(b"\x1b[?2026$p"), b"\x1b[?2026;1$y");
    assert_eq!(grid.frames(), 0);
    let _ = grid.feed(b" and half\x1b[?2026l\x1b[?2026l");
    assert!(grid.whole());
    assert_eq!((grid.frames(), grid.screen().row_text(0)), (1, "half and half"));
}

#[test]
fn sizes_are_clamped() {
    assert_eq!(Grid::new(0, 0, 0).size(), (*COLS.start(), *ROWS.start()));
    assert_eq!(Grid::new(u16::MAX, u16::MAX, 0).size(), (*COLS.end(), *ROWS.end()));
    let mut grid = grid();
    grid.resize(1, 1);
    assert_eq!(grid.size(), (20, 5));
    grid.resize(100, 30);
    assert_eq!(grid.size(), (100, 30));
}

#[test]
fn rows_keep_what_is_faint_and_what_is_reversed() {
    let screen =
        fed("❯\u{a0}\x1b[7mr\x1b[27m\x1b[2mun it\x1b[22m 日本\x1b[7m \x1b[0m   ".as_bytes()).screen();
    let row = &screen.rows[0];
    assert_eq!(row.text, "❯\u{a0}run it 日本 ");
    let spans: Vec<_> = row.spans.iter().map(|s| (s.text.as_str(), s.dim, s.inverse)).collect();
    let expected = [
        ("❯\u{a0}", false, false),
        ("r", false, true),
        ("un it", true, false),
        (" 日本", false, false),
        (" ", false, true),
    ];
    assert_eq!(spans, expected);
}

#[test]
fn titles_lose_their_control_characters() {
    assert_eq!(fed("\x1b]0;✳ Fix it\x07".as_bytes()).title(), "✳ Fix it");
    assert_eq!(fed(b"\x1b]2;a\x07\x1b]0;\x07").title(), "");
}

#[test]
fn a_pane_reaches_back_and_ends_with_its_last_line() {
    let text: String = (0..60).map(|i| format!("\x1b[1mline\x1b[0m {i}\r\n")).collect();
    let mut grid = fed(text.as_bytes());
    let plain = grid.pane(false, 0);
    assert_eq!(plain.lines().next(), Some("line 37"));
    assert_eq!(plain.lines().last(), Some("line 59"));
    let all = grid.pane(false, 1000);
    let expected: Vec<String> = (0..60).map(|i| format!("line {i}")).collect();
    assert_eq!(all.lines().collect::<Vec<_>>(), expected);
    assert_eq!(grid.pane(false, 3).lines().next(), Some("line 34"));
    assert_eq!(grid.pane(true, 0).lines().next(), Some("\x1b[0;1mline\x1b[0m 37"));
    assert_eq!(grid.screen().row_text(0), "line 37", "looking back changes nothing");
}

#[test]
fn a_redraw_brings_another_terminal_to_the_same_state() {
    for start in ["", "\x1b[?1049h"] {
        let bytes = format!(
            "{start}\x1b[?2004h\x1b[?1004h\x1b]0;t\x07\x1b[31mred\x1b[0m\r\n\x1b[2mdim\x1b[0m\x1b[10;5H❯"
        );
        let (one, mut two) = (fed(bytes.as_bytes()), grid());
        let _ = two.feed(&one.redraw());
        assert_eq!(two.screen(), one.screen());
        assert_eq!((two.title(), two.alternate(), two.bracketed_paste()), ("t", one.alternate(), true));
        assert_eq!(two.redraw(), one.redraw());
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap_or(0)
    };
    let pieces: Vec<&[u8]> = vec![
        b"\x1b[",
        b"\x1b]0;",
        b"\x07",
        b"\x1bP",
        b"\x1b_",
        b"\x1b\\",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b[?47h",
        b"\x1b[?6h",
        b"\x1b[99999;99999H",
        b"\x1b[65535S",
        b"\x1b[65535T",
        b"\x1b[65535L",
        b"\x1b[65535M",
        b"\x1b[65535@",
        b"\x1b[65535P",
        b"\x1b[65535X",
        b"\x1b[65535b",
        b"\x1b[3;2r",
        b"\x1b[2;4r",
        b"\x1b[r",
        b"\x1b7",
        b"\x1b8",
        b"\x1bc",
        b"\x1bM",
        b"\x1b[38;2;1m",
        b"\x1b[38:5:300m",
        b"\x1b[8;1;1t",
        b"\x1b[2J",
        b"\x1b[3J",
        b"\x1b[J",
        b"\x1b[1J",
        b"\x1b[K",
        b"\x1b[0;0H",
        b"\r\n",
        b"\t",
        b"\x08",
        "日本語".as_bytes(),
        "👩\u{200d}💻".as_bytes(),
        b"\xe6\x97",
        b"\xff\xfe",
        "e\u{301}".as_bytes(),
        b"\x1b[?2026h",
        b"\x1b[?2026l",
        b"\x1b[6n",
        b"0123456789 the quick brown fox jumps over the lazy dog and on and on it goes",
    ];
    let mut grid = Grid::new(20, 5, 10);
    for round in 0..30_000 {
        let cut;
        let bytes = if next(4) == 0 {
            cut = (0..next(40)).map(|_| u8::try_from(next(256)).unwrap_or(0)).collect::<Vec<u8>>();
            cut.as_slice()
        } else {
            let piece = pieces[next(pieces.len())];
            if next(5) == 0 { &piece[..next(piece.len() + 1)] } else { piece }
        };
        let _ = grid.feed(bytes);
        if next(50) == 0 {
            grid.resize(u16::try_from(next(130)).unwrap_or(0), u16::try_from(next(50)).unwrap_or(0));
        }
        if round % 20 == 0 {
            let _ = (grid.screen(), grid.pane(true, next(40)), grid.redraw());
        }
    }
}
