//! Lays the conversation out in columns: chat, name, text. Layer `cli`; pure.

use std::borrow::Cow;

use textwrap::core::display_width;
use textwrap::{Options, wrap};

/// Narrowest terminal that lines are wrapped for; a narrower one breaks them by itself.
const COLUMNS_MIN: usize = 30;

/// Terminal from which a chat is told by its title, and from which by the beginning of it.
const TITLE_FROM: usize = 100;
const SHORT_FROM: usize = 64;

/// Columns of a title.
const TITLE: usize = 16;
const SHORT: usize = 8;

/// Initials that tell a chat where there is no room for its title.
const INITIALS: usize = 3;

/// Most columns of a name.
const NAME_MAX: usize = 14;

/// One row of the screen; all rows of a layout have their text at the same column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The chat with the line behind it.
    pub(super) chat: String,
    /// The name, filled up with spaces.
    pub(super) name: String,
    /// The text.
    pub(super) text: String,
}

/// Columns of the conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Columns of the terminal; `None` where nothing is wrapped.
    columns: Option<usize>,
    name: usize,
}

impl Layout {
    /// Creates the layout of a terminal for these names; without a terminal, lines are as long as they are.
    pub(super) fn new<'a>(columns: Option<usize>, names: impl Iterator<Item = &'a str>) -> Self {
        let name = names.map(display_width).max().unwrap_or(0).min(NAME_MAX);
        Self { columns: columns.map(|columns| columns.max(COLUMNS_MIN)), name }
    }

    /// Returns the rows of a message.
    pub(super) fn rows(&self, title: &str, name: &str, text: &str) -> Vec<Row> {
        let chat = self.chat(title);
        let text = if text.is_empty() { " ".to_owned() } else { text.replace('\t', "  ") };
        let lines = text.lines().flat_map(|line| match self.room_for_text(&chat) {
            Some(room) => wrap(line, Options::new(room)).into_iter().map(Cow::into_owned).collect(),
            None => vec![line.to_owned()],
        });
        let rows = lines.enumerate().map(|(at, text)| {
            let name = filled(if at == 0 { name } else { "" }, self.name);
            Row { chat: chat.clone(), name, text }
        });
        rows.collect()
    }

    /// Returns the one row of a remark, which is cut where it does not fit.
    pub(super) fn remark(&self, title: &str, text: &str) -> Row {
        let chat = self.chat(title);
        let text = self.room_for_text(&chat).map_or_else(|| text.to_owned(), |room| beginning(text, room));
        Row { chat, name: " ".repeat(self.name), text }
    }

    fn chat(&self, title: &str) -> String {
        match self.columns {
            None => format!("{} │ ", filled(title, TITLE)),
            Some(columns) if columns >= TITLE_FROM => format!("{} │ ", filled(title, TITLE)),
            Some(columns) if columns >= SHORT_FROM => format!("{} │ ", filled(title, SHORT)),
            Some(_) => {
                let words = title.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphabetic()));
                format!("{}│", filled(&words.take(INITIALS).collect::<String>(), INITIALS))
            }
        }
    }

    /// Returns the columns that are left for text, one of them free so that no terminal breaks the line.
    fn room_for_text(&self, chat: &str) -> Option<usize> {
        let taken = display_width(chat) + self.name + GAP + 1;
        self.columns.map(|columns| columns.saturating_sub(taken).max(1))
    }
}

/// Columns between name and text.
pub(super) const GAP: usize = 2;

/// Fills a text up to `width` columns, or cuts it there.
fn filled(text: &str, width: usize) -> String {
    let cut = beginning(text, width);
    let missing = width.saturating_sub(display_width(&cut));
    cut + &" ".repeat(missing)
}

/// Returns as much of the beginning of a text as fits into `width` columns; the last one tells of what is missing.
pub(super) fn beginning(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if display_width(&cut) + display_width(c.encode_utf8(&mut [0; 4])) + 1 > width {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

/// Returns as much of the end of a text as fits into `width` columns.
pub(super) fn ending(text: &str, width: usize) -> &str {
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.map(|at| &text[at..]).find(|rest| display_width(rest) <= width).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["Deniz", "Zeynep", "Işıl 👤", "Oliver"];
    const LONG: &str =
        "şekeri bırakalı üç yıl oldu, çayın tadını yeni anladım 🫖 ama pazarları yine de iki tane atarım";

    fn shown(row: &Row) -> String {
        format!("{}{}{}{}", row.chat, row.name, " ".repeat(GAP), row.text)
    }

    #[test]
    fn rows_fit_into_every_terminal_and_texts_stand_below_one_another() {
        for columns in 40..=200 {
            let layout = Layout::new(Some(columns), NAMES.into_iter());
            let mut starts = Vec::new();
            for name in NAMES {
                let rows = layout.rows("Boğaz Hattı / Ferry Line", name, LONG);
                let remark = layout.remark("Çay Bahçesi", &format!("↳ {LONG}"));
                for row in rows.iter().chain([&remark]) {
                    assert!(display_width(&shown(row)) < columns, "{columns}: {row:?}");
                    starts.push(display_width(&row.chat) + display_width(&row.name));
                }
                let said: Vec<&str> = rows.iter().flat_map(|row| row.text.split(' ')).collect();
                assert_eq!(said.join(" "), LONG, "{columns}: no word is lost");
            }
            starts.dedup();
            assert_eq!(starts.len(), 1, "{columns}");
        }
    }

    #[test]
    fn a_chat_is_told_by_as_much_of_its_title_as_there_is_room_for() {
        let told = |columns| Layout::new(columns, NAMES.into_iter()).chat("Boğaz Hattı / Ferry Line");
        assert_eq!(told(Some(40)), "BHF│");
        assert_eq!(told(Some(80)), "Boğaz H… │ ");
        assert_eq!(told(Some(120)), "Boğaz Hattı / F… │ ");
        assert_eq!(told(None), told(Some(120)));
    }

    #[test]
    fn without_a_terminal_nothing_is_wrapped() {
        let rows = Layout::new(None, NAMES.into_iter()).rows("Çay Bahçesi", "Deniz", &LONG.repeat(5));
        assert_eq!(rows.len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_cut_by_columns_not_by_letters() {
        assert_eq!(beginning("çay ☕☕☕", 7), "çay ☕…");
        assert_eq!(beginning("çay", 3), "çay");
        assert_eq!(ending("Deniz, çay 🫖 var mı", 9), "🫖 var mı");
        assert_eq!(ending("çay", 3), "çay");
    }
}
