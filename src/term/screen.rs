//! A screen at one moment, as a value.

/// Adjacent cells of one row that look alike in the two ways that carry meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The characters.
    pub text: String,
    /// Faint: hints, suggestions, placeholders.
    pub dim: bool,
    /// Reverse video: the cursor that Claude Code draws itself.
    pub inverse: bool,
}

/// One row: its text, and the same text in spans. Blanks at the end are left out of both, unless reversed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The characters of the row. A wide character counts once.
    pub text: String,
    /// The same characters, cut where the attributes change.
    pub spans: Vec<Span>,
    /// Whether the terminal itself wrapped this row into the next.
    pub wrapped: bool,
}

/// What stood on a terminal at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub cols: u16,
    /// All rows, from the top.
    pub rows: Vec<Row>,
    /// Row and column of the cursor, from 0.
    pub cursor: (u16, u16),
    /// Whether this is the alternate screen.
    pub alternate: bool,
}

impl Screen {
    /// A screen with this text and no attributes, for tests and tools.
    #[must_use]
    pub fn plain(cols: u16, text: &str) -> Self {
        let row = |line: &str| Row {
            text: line.to_owned(),
            spans: vec![Span { text: line.to_owned(), dim: false, inverse: false }],
            wrapped: false,
        };
        Self { cols, rows: text.lines().map(row).collect(), ..Self::default() }
    }

    /// The text of row `i`, from 0; empty beyond the last.
    #[must_use]
    pub fn row_text(&self, i: usize) -> &str {
        self.rows.get(i).map_or("", |row| row.text.as_str())
    }

    /// All rows as one text, blank lines at the end left out.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<&str> = self.rows.iter().map(|row| row.text.as_str()).collect();
        lines.join("\n").trim_end_matches('\n').to_owned()
    }

    pub(super) fn of(screen: &vt100::Screen) -> Self {
        let (rows, cols) = screen.size();
        Self {
            cols: cols.get(),
            rows: (0..rows.get()).map(|i| row(screen, i, cols.get())).collect(),
            cursor: screen.cursor_position(),
            alternate: screen.alternate_screen(),
        }
    }
}

fn row(screen: &vt100::Screen, i: u16, cols: u16) -> Row {
    let mut spans: Vec<Span> = Vec::new();
    for cell in (0..cols).filter_map(|col| screen.cell(i, col)).filter(|cell| !cell.is_wide_continuation()) {
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match spans.last_mut() {
            Some(last) if last.dim == cell.dim() && last.inverse == cell.inverse() => {
                last.text.push_str(text)
            }
            _ => spans.push(Span { text: text.to_owned(), dim: cell.dim(), inverse: cell.inverse() }),
        }
    }
    while let Some(last) = spans.last_mut().filter(|last| !last.inverse) {
        last.text.truncate(last.text.trim_end_matches(' ').len());
        if !last.text.is_empty() {
            break;
        }
        spans.pop();
    }
    Row { text: spans.iter().map(|span| span.text.as_str()).collect(), spans, wrapped: screen.row_wrapped(i) }
}
