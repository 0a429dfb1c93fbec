//! Terminals and screens: the input is six bytes of set-up, then what the child prints.

use aegis::claude::screen::{self, Reading};
use aegis::term::{Grid, Screen};

/// Lines kept above the screen.
const SCROLLBACK: usize = 30;

/// The longest cell as a reader sees it: its characters, and all colours and weights before them.
const CELL: usize = 100;

/// However its output is cut and whatever it is, a terminal stays within its size, answers the same, and what
/// stands on it is read the same twice.
pub fn check(bytes: &[u8]) {
    let Some((&[cols, rows, to_cols, to_rows, cut, step], output)) = bytes.split_first_chunk::<6>() else {
        return;
    };
    let (cols, rows) = (u16::from(cols), u16::from(rows));
    let mut grid = Grid::new(cols, rows, SCROLLBACK);
    let answers = grid.feed(output);
    assert!(answers.len() <= 16 * output.len(), "{} bytes answered", answers.len());

    let mut slow = Grid::new(cols, rows, SCROLLBACK);
    let pieces = output.chunks(usize::from(step % 13) + 1);
    let slowly: Vec<u8> = pieces.flat_map(|piece| slow.feed(piece)).collect();
    assert_eq!(answers, slowly, "other answers in pieces");
    same_screens(&grid.screen(), &slow.screen());
    bounded(&mut grid);
    reading(&grid.screen());

    let mut changed = Grid::new(cols, rows, SCROLLBACK);
    let (before, after) = output.split_at(output.len() * usize::from(cut) / 256);
    let _ = changed.feed(before);
    changed.resize(u16::from(to_cols) * 2, u16::from(to_rows));
    let _ = changed.feed(after);
    bounded(&mut changed);
    reading(&changed.screen());

    let mut viewer = Grid::new(cols, rows, SCROLLBACK);
    let _ = viewer.feed(&grid.redraw());
    assert_eq!(viewer.title(), grid.title(), "another title for a viewer");
    assert_eq!(viewer.bracketed_paste(), grid.bracketed_paste(), "another mode for a viewer");

    // The same bytes as text: the shapes of dialogs without the detour through cursor moves.
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().take(usize::from(rows)).collect();
    reading(&Screen::plain(cols, &lines.join("\n")));
}

fn same_screens(whole: &Screen, pieces: &Screen) {
    let differs = whole.rows.iter().zip(&pieces.rows).find(|(whole, pieces)| whole != pieces);
    assert_eq!(differs, None, "another row in pieces");
    assert_eq!(whole, pieces, "another screen in pieces");
}

fn bounded(grid: &mut Grid) {
    let (cols, rows) = grid.size();
    let (width, height) = (usize::from(cols), usize::from(rows));
    let screen = grid.screen();
    assert_eq!((screen.cols, screen.rows.len()), (cols, height), "another size than the terminal's");
    assert!(screen.cursor.0 < rows && screen.cursor.1 <= cols, "the cursor is off the screen");
    for row in &screen.rows {
        assert!(row.text.len() <= width * CELL, "a row of {} bytes", row.text.len());
        let spans: String = row.spans.iter().map(|span| span.text.as_str()).collect();
        assert_eq!(spans, row.text, "spans of another text");
    }
    assert!(grid.title().len() <= 2048 && !grid.title().contains(char::is_control), "{:?}", grid.title());
    for ansi in [false, true] {
        let pane = grid.pane(ansi, usize::MAX);
        assert!(pane.lines().count() <= height + SCROLLBACK, "more lines than are kept");
        assert!(pane.len() <= (height + SCROLLBACK) * width * CELL, "a pane of {} bytes", pane.len());
        let kept = |c: char| c == '\n' || ansi && c == '\x1b';
        assert_eq!(pane.chars().find(|c| c.is_control() && !kept(*c)), None, "a key in the pane");
    }
    assert!(grid.redraw().len() <= height * width * CELL + 4096, "a long redraw");
    assert_eq!(grid.screen(), screen, "looking changed the screen");
}

fn reading(screen: &Screen) {
    let seen = screen::read(screen);
    assert_eq!(seen, screen::read(screen), "read twice, not the same");
    let json = serde_json::to_string(&seen).expect("writable");
    assert_eq!(serde_json::from_str::<Reading>(&json).expect("readable"), seen);
    let text: usize = screen.rows.iter().map(|row| row.text.len() + 1).sum();
    assert!(json.len() <= 8 * text + 4096, "a reading of {} bytes off a screen of {text}", json.len());
    assert!(seen.input.is_none() || seen.dialog.is_none(), "a box and a dialog at once");
    let Some(dialog) = &seen.dialog else { return };
    assert!(dialog.same_as(dialog), "not the same as itself");
    for (at, option) in dialog.options.iter().enumerate() {
        assert!(dialog.find(&option.label).is_none_or(|found| dialog.options[found].label == option.label));
        let to =
            dialog.key_path(at).map(|way| way + i32::try_from(dialog.marked().unwrap_or(0)).expect("few"));
        assert!(to.is_none_or(|to| usize::try_from(to) == Ok(at)), "the keys lead to another option");
    }
    for chosen in [dialog.harmless(), dialog.consent()].into_iter().flatten() {
        assert!(chosen < dialog.options.len(), "an option that is not there");
    }
}
