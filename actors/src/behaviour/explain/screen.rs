//! Lines that fit a screen. Layer `behaviour`; pure.

/// Widest line, in characters.
pub const COLUMNS: usize = 100;

/// Most lines of one explanation.
pub const LINES: usize = 24;

/// Indent of a line's continuation, in characters.
const INDENT: usize = 4;

/// A text under construction.
#[derive(Debug, Default)]
pub(super) struct Screen {
    lines: Vec<String>,
}

impl Screen {
    /// Adds a sentence, which may take several lines.
    pub(super) fn say(&mut self, sentence: &str) {
        self.put(sentence, 0);
    }

    /// Adds a point of a list.
    pub(super) fn point(&mut self, sentence: &str) {
        self.put(&format!("- {sentence}"), 2);
    }

    fn put(&mut self, sentence: &str, indent: usize) {
        let mut line = " ".repeat(indent);
        let mut fresh = true;
        for word in sentence.split_whitespace() {
            let word = cut(word, COLUMNS - INDENT - indent);
            if !fresh && width(&line) + 1 + width(&word) > COLUMNS {
                let next = " ".repeat(indent + INDENT);
                self.lines.push(std::mem::replace(&mut line, next));
                fresh = true;
            }
            if !fresh {
                line.push(' ');
            }
            line.push_str(&word);
            fresh = false;
        }
        self.lines.push(line);
    }

    /// Returns the lines; lines that do not fit are counted.
    pub(super) fn lines(mut self) -> Vec<String> {
        if self.lines.len() > LINES {
            let left = self.lines.len() - (LINES - 1);
            self.lines.truncate(LINES - 1);
            self.lines.push(format!("({left} more lines: see the record itself)"));
        }
        self.lines
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Returns the text on one line, cut where it is too long.
pub(super) fn cut(text: &str, most: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if width(text) <= most {
        return text.chars().map(clean).collect();
    }
    text.chars().take(most.saturating_sub(1)).map(clean).chain(['…']).collect()
}

/// Joins names, of which at most `most` are shown.
pub(super) fn some(names: &[String], most: usize) -> String {
    match names.len() {
        0 => "nobody".to_owned(),
        len if len <= most => names.join(", "),
        len => format!("{} and {} more", names[..most].join(", "), len - most),
    }
}
