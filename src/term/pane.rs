//! A screen as text for a reader: a person, a model, a web page.

use std::fmt::Write as _;
use vt100::{Cell, Color};

/// The last `scrollback` lines above the screen, then the screen; see [`super::Grid::pane`].
pub(super) fn pane(screen: &mut vt100::Screen, ansi: bool, scrollback: usize) -> String {
    let height = usize::from(screen.size().0.get());
    let mut lines = Vec::new();
    // vt100 shows the past only through a window of the screen's height.
    screen.set_scrollback(scrollback);
    let mut above = screen.scrollback();
    while above > 0 {
        screen.set_scrollback(above);
        lines.extend((0..height.min(above)).map(|row| line(screen, row, ansi)));
        above = above.saturating_sub(height);
    }
    screen.set_scrollback(0);
    lines.extend((0..height).map(|row| line(screen, row, ansi)));
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n")
}

fn line(screen: &vt100::Screen, row: usize, ansi: bool) -> String {
    let row = u16::try_from(row).unwrap_or(u16::MAX);
    let cells = || (0..screen.size().1.get()).filter_map(|col| screen.cell(row, col));
    let end = cells()
        .enumerate()
        .filter(|(_, cell)| {
            cell.has_contents() && cell.contents() != " " || cell.inverse() || ansi && coloured(cell)
        })
        .last()
        .map_or(0, |(i, _)| i + 1);
    let mut out = String::new();
    let mut style = String::new();
    for cell in cells().take(end).filter(|cell| !cell.is_wide_continuation()) {
        if ansi {
            let next = sgr(cell);
            if next != style {
                let _ = write!(out, "\x1b[0{next}m");
                style = next;
            }
        }
        out.push_str(if cell.has_contents() { cell.contents() } else { " " });
    }
    if ansi && !style.is_empty() {
        out.push_str("\x1b[0m");
    }
    out.truncate(if ansi { out.len() } else { out.trim_end_matches(' ').len() });
    out
}

fn coloured(cell: &Cell) -> bool {
    cell.bgcolor() != Color::Default
}

/// The parameters that select a cell's look after a reset, each with its leading `;`.
fn sgr(cell: &Cell) -> String {
    let mut out = String::new();
    let flags = [
        (cell.bold(), ";1"),
        (cell.dim(), ";2"),
        (cell.italic(), ";3"),
        (cell.underline(), ";4"),
        (cell.inverse(), ";7"),
    ];
    flags.iter().filter(|(on, _)| *on).for_each(|(_, code)| out.push_str(code));
    for (color, base) in [(cell.fgcolor(), 38), (cell.bgcolor(), 48)] {
        let _ = match color {
            Color::Default => Ok(()),
            Color::Idx(i) => write!(out, ";{base};5;{i}"),
            Color::Rgb(r, g, b) => write!(out, ";{base};2;{r};{g};{b}"),
        };
    }
    out
}
