//! Lists in pages, as the protocol has them: a cursor that the server did not give is refused.

use rmcp::ErrorData;
use rmcp::model::PaginatedRequestParams;

use crate::domain::{ErrorCode, OpError};

/// How many items stand on a page. All our lists fit on one today; a client that follows cursors need not know.
const PAGE: usize = 100;

/// Gives the page that is asked for, and the cursor of the next one.
///
/// # Errors
///
/// Invalid params for a cursor that no page of this list had.
pub(super) fn page<T>(
    list: &str,
    items: Vec<T>,
    request: Option<&PaginatedRequestParams>,
) -> Result<(Vec<T>, Option<String>), ErrorData> {
    let cursor = request.and_then(|request| request.cursor.as_deref());
    part(list, items, cursor, PAGE).map_err(|error| {
        let data = error.to_json();
        ErrorData::invalid_params(error.message, Some(data))
    })
}

fn part<T>(
    list: &str,
    items: Vec<T>,
    cursor: Option<&str>,
    size: usize,
) -> Result<(Vec<T>, Option<String>), OpError> {
    let start = match cursor {
        None => 0,
        Some(cursor) => cursor
            .strip_prefix(list)
            .and_then(|rest| rest.strip_prefix(':')?.parse::<usize>().ok())
            .filter(|start| *start > 0 && *start < items.len() && start % size == 0)
            .ok_or_else(|| {
                OpError::new(ErrorCode::InvalidArgument, format!("`cursor` is none of this list ({list})"))
                    .hint("pass the nextCursor of the page before, unchanged, or none for the first page")
            })?,
    };
    let end = start + size;
    let next = (end < items.len()).then(|| format!("{list}:{end}"));
    Ok((items.into_iter().skip(start).take(size).collect(), next))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn pages_give_each_item_once() {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let (page, next) = part("tools", (0..25).collect(), cursor.as_deref(), 10).unwrap();
            seen.extend(page);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
    }

    #[rstest]
    #[case("")]
    #[case("tools")]
    #[case("tools:0")]
    #[case("tools:5")]
    #[case("tools:30")]
    #[case("tools:-10")]
    #[case("prompts:10")]
    #[case("tools:99999999999999999999999")]
    fn a_cursor_that_no_page_had_is_refused(#[case] cursor: &str) {
        assert!(part("tools", vec![0; 25], Some(cursor), 10).is_err());
    }
}
