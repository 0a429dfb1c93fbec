//! References in prompts: `{{stages.NAME.output}}` stands for the answer of another stage.
//!
//! Any other text in double braces is the prompt's own.

/// A part of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    /// Text that stays.
    Text(&'a str),
    /// The answer of the stage with this name.
    Output(&'a str),
    /// Meant as a reference, and none.
    Malformed(&'a str),
}

/// Splits a prompt at its references.
fn parts(prompt: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = prompt;
    // Where the text that stays began, as its length is known only at the next reference.
    let mut kept = prompt;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, behind)) = after.split_once("}}") else { break };
        let Some(path) = inside.trim().strip_prefix("stages.") else {
            rest = after;
            continue;
        };
        let text = kept.len() - rest.len() + before.len();
        parts.extend(kept.get(..text).filter(|text| !text.is_empty()).map(Part::Text));
        parts.push(path.strip_suffix(".output").map_or(Part::Malformed(inside), Part::Output));
        (rest, kept) = (behind, behind);
    }
    parts.extend(Some(kept).filter(|text| !text.is_empty()).map(Part::Text));
    parts
}

/// The names of the stages whose answers a prompt refers to.
///
/// # Errors
///
/// What is meant as a reference and cannot be read.
pub(super) fn names(prompt: &str) -> Result<Vec<&str>, &str> {
    let named = parts(prompt).into_iter().filter_map(|part| match part {
        Part::Text(_) => None,
        Part::Output(name) => Some(Ok(name)),
        Part::Malformed(inside) => Some(Err(inside)),
    });
    named.collect()
}

/// Puts answers in; they are taken as they are, without references of their own. Characters that a terminal would act
/// on are left out of them: no prompt can hold those. `None` if an answer is missing.
pub(super) fn fill<'a>(prompt: &str, answer: impl Fn(&str) -> Option<&'a String>) -> Option<String> {
    let mut filled = String::with_capacity(prompt.len());
    for part in parts(prompt) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Output(name) => {
                filled.extend(answer(name)?.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')));
            }
            Part::Malformed(_) => return None,
        }
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none("plain", Ok(vec![]))]
    #[case::one("a {{stages.plan.output}} b", Ok(vec!["plan"]))]
    #[case::spaced("{{ stages.a-1.output }}{{stages.b_2.output}}", Ok(vec!["a-1", "b_2"]))]
    #[case::foreign("{{ user.name }} {{#if}} }} {{", Ok(vec![]))]
    #[case::inside_foreign("{{ x {{stages.a.output}}", Ok(vec!["a"]))]
    #[case::another_field("{{stages.a.result}}", Err("stages.a.result"))]
    #[case::never_closed("{{stages.a.output", Ok(vec![]))]
    fn references_are_found(#[case] prompt: &str, #[case] found: Result<Vec<&str>, &str>) {
        assert_eq!(names(prompt), found);
    }

    #[test]
    fn answers_are_put_in_as_they_are() {
        let answer = "{{stages.b.output}}\x1b[2J\n\tdone".to_owned();
        let filled = fill("<{{stages.a.output}}> {{ stages.a.output }}, {{x}}", |_| Some(&answer));
        let told = "{{stages.b.output}}[2J\n\tdone";
        assert_eq!(filled.unwrap(), format!("<{told}> {told}, {{{{x}}}}"));
        assert_eq!(fill("{{stages.a.output}}", |_| None), None);
    }
}
