//! Patterns with `*` for any characters and `?` for one.

/// Whether `text` is whole what `pattern` says.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star stands, and how far it was tried: only that one ever needs another try.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(one) if *one == '?' || one == c => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, tried)) => {
                    star = Some((at, tried + 1));
                    p = at + 1;
                    t = tried + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("git *", "git status", true)]
    #[case("git *", "git", false)]
    #[case("git*", "git", true)]
    #[case("git *", "legit status", false)]
    #[case("*", "", true)]
    #[case("a*b*c", "aXbYbZc", true)]
    #[case("a*b*c", "aXbYbZ", false)]
    #[case("npm run ?est", "npm run test", true)]
    #[case("npm run ?est", "npm run latest", false)]
    #[case("mcp__github__*", "mcp__github__list", true)]
    #[case("größe?", "größe!", true)]
    #[case("", "x", false)]
    fn a_pattern_is_the_whole_text(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(matches(pattern, text), expected);
    }

    #[test]
    fn many_stars_take_no_more_than_a_moment() {
        let text = "a".repeat(20_000);
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &text));
    }
}
