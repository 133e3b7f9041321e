//! Reads lists of texts from a file: a line `== NAME` begins a list, every further line is an item. Layer: world; pure.

/// Returns the lists of a file, each with its name.
pub(crate) fn lists(file: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    file.split("\n== ").skip(1).map(|list| {
        let (name, items) = list.split_once('\n').unwrap_or((list, ""));
        (name, items.lines().filter(|item| !item.is_empty()).collect())
    })
}

/// Chooses one of the alternatives wherever a line has some: `[x|y|z]`.
pub(crate) fn varied(rng: &mut fastrand::Rng, line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, (inner, after))) =
        rest.split_once('[').and_then(|(before, after)| Some((before, after.split_once(']')?)))
    {
        text.push_str(before);
        let choices: Vec<&str> = inner.split('|').collect();
        text.push_str(choices[rng.usize(..choices.len())]);
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_varies_in_its_alternatives_alone() {
        let mut rng = fastrand::Rng::with_seed(2);
        let texts: std::collections::BTreeSet<String> =
            (0..50).map(|_| varied(&mut rng, "[two|three] cups[| a day]")).collect();
        assert_eq!(
            texts.into_iter().collect::<Vec<_>>(),
            ["three cups", "three cups a day", "two cups", "two cups a day"]
        );
        assert_eq!(varied(&mut rng, "no end [of"), "no end [of");
    }
}
