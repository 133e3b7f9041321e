//! Reads lists of texts from a file: a line `== NAME` begins a list, every further line is an item. Layer: world; pure.

/// Returns the lists of a file, each with its name.
pub(crate) fn lists(file: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    file.split("\n== ").skip(1).map(|list| {
        let (name, items) = list.split_once('\n').unwrap_or((list, ""));
        (name, items.lines().filter(|item| !item.is_empty()).collect())
    })
}

/// Returns the statements and the questions of a list, in which questions begin with `? `.
pub(crate) fn statements_and_questions(items: Vec<&'static str>) -> (Vec<&'static str>, Vec<&'static str>) {
    let (questions, statements): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.starts_with("? "));
    (statements, questions.into_iter().map(|question| &question["? ".len()..]).collect())
}
