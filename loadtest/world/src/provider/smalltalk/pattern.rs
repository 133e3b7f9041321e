//! Fills a line: chooses among its alternatives, and puts words of the message into its slots. Layer: world; pure, seeded.

use super::words::with_suffix;
use crate::texts::varied;

/// The words that slots are filled with.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots<'a> {
    /// The chosen alternative of a question, and the other one.
    pub(super) options: Option<(&'a str, &'a str)>,
    pub(super) number: Option<&'a str>,
    pub(super) place: Option<&'a str>,
    pub(super) other: Option<&'a str>,
    /// The word by which the message names its topic, or the topic's name.
    pub(super) topic: Option<&'a str>,
}

impl<'a> Slots<'a> {
    fn value(&self, name: &str) -> Option<&'a str> {
        match name {
            "a" => self.options.map(|options| options.0),
            "b" => self.options.map(|options| options.1),
            "n" => self.number,
            "place" => self.place,
            "o" => self.other,
            "t" => self.topic,
            _ => None,
        }
    }
}

/// Fills a line; `None` when a slot has no value.
pub(super) fn filled(rng: &mut fastrand::Rng, line: &str, slots: &Slots<'_>) -> Option<String> {
    let chosen = varied(rng, line);
    let mut text = String::with_capacity(chosen.len());
    let mut rest = chosen.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (inner, after) = after.split_once('}')?;
        let (name, suffix) = inner.split_once(':').map_or((inner, None), |(name, suffix)| (name, Some(suffix)));
        let value = slots.value(name)?;
        text.push_str(&suffix.map_or_else(|| Some(value.to_owned()), |suffix| with_suffix(value, suffix))?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

/// Returns whether a line takes something of the message up.
pub(super) fn takes_up(line: &str) -> bool {
    ["{a", "{b", "{n}", "{n:", "{place"].iter().any(|slot| line.contains(slot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_filled_or_left() {
        let slots =
            Slots { options: Some(("tea", "coffee")), number: Some("dört"), place: Some("Kars"), ..Slots::default() };
        let mut rng = fastrand::Rng::with_seed(1);
        let mut fill = |line| filled(&mut rng, line, &slots);
        assert_eq!(fill("{a}. {b} keeps me up.").as_deref(), Some("tea. coffee keeps me up."));
        assert_eq!(fill("{n:mi}? {place:e} giderken bile.").as_deref(), Some("dört mü? Kars'a giderken bile."));
        assert_eq!(fill("[ten {place}|ten {place}] it is").as_deref(), Some("ten Kars it is"));
        assert_eq!(fill("the {t} again"), None);
    }
}
