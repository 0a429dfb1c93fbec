//! The known name that was probably meant.

/// Finds the known name that is most like `name`, if any is like it at all. Case and underscores do not count:
/// `session_id` is `sessionId`.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this two names have little in common: `dir` still finds `workDir`, `colour` finds nothing.
    const ALIKE: f64 = 0.55;
    /// What is longer is no slip of the hand, and comparing takes memory by the product of both lengths, in bytes.
    const LONGEST: usize = 100;
    if name.len() > LONGEST {
        return None;
    }
    let fold = |text: &str| text.replace(['_', '-', ' '], "").to_lowercase();
    let name = fold(name);
    known
        .filter(|known| known.len() <= LONGEST)
        .map(|known| {
            let folded = fold(known);
            let part = name.len() >= 3 && (folded.contains(&name) || name.contains(&folded));
            let alike = strsim::normalized_damerau_levenshtein(&name, &folded);
            (known, if part { alike.max(ALIKE) } else { alike })
        })
        .filter(|(_, alike)| *alike >= ALIKE)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(known, _)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_the_one_that_was_meant() {
        let known = ["sessionId", "workDir", "permissionMode", "prompt"];
        for (given, meant) in [
            ("session_id", Some("sessionId")),
            ("workdir", Some("workDir")),
            ("dir", Some("workDir")),
            ("mode", Some("permissionMode")),
            ("promt", Some("prompt")),
            ("colour", None),
        ] {
            assert_eq!(nearest(given, known.into_iter()), meant, "{given}");
        }
    }
}
