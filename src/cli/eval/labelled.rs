//! Reads a folder of labelled chats: `NAME.ascii.txt` holds messages, `NAME.annotation.txt` the links. Layer `cli`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use botfleet_actors::behaviour::links::corpus::{self, CorpusError};
use botfleet_actors::behaviour::links::score::Link;
use botfleet_actors::behaviour::links::utterance::Utterance;

const MESSAGES: &str = ".ascii.txt";
const LINKS: &str = ".annotation.txt";

/// A labelled chat.
#[derive(Debug)]
pub(super) struct LabelledChat {
    /// Name of the chat's files, without their endings.
    pub(super) name: String,
    /// All messages, those of the system included.
    pub(super) messages: Vec<Utterance>,
    /// The links that people set.
    pub(super) links: BTreeSet<Link>,
}

impl LabelledChat {
    /// Returns the places of the labelled messages.
    pub(super) fn labelled(&self) -> BTreeSet<usize> {
        self.links.iter().map(|(_, later)| *later).collect()
    }
}

/// Reads all chats of a folder, by name.
///
/// # Errors
/// When the folder has none, a file has no partner or cannot be read, or a line is not in the format.
pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<LabelledChat>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let file = entry.with_context(|| format!("{} cannot be read", folder.display()))?.file_name();
        let file = file.to_string_lossy();
        names.extend(file.strip_suffix(LINKS).map(str::to_owned));
    }
    names.sort();
    if names.is_empty() {
        bail!(
            "{} holds no file *{LINKS}; name a folder of labelled chats, such as data/reply-links/dev",
            folder.display()
        );
    }
    names.into_iter().map(|name| chat(folder, name)).collect()
}

fn chat(folder: &Path, name: String) -> anyhow::Result<LabelledChat> {
    let file = |ending: &str| folder.join(format!("{name}{ending}"));
    let messages = parsed(&file(MESSAGES), corpus::messages)?;
    let links = parsed(&file(LINKS), |text| corpus::links(text, messages.len()))?;
    Ok(LabelledChat { name, messages, links })
}

/// Parses a file; bytes that are no UTF-8 become replacement characters, as old logs have some.
fn parsed<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, CorpusError>) -> anyhow::Result<T> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    parse(&String::from_utf8_lossy(&bytes)).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_fault_names_file_line_and_remedy() {
        let chat = ("a.ascii.txt", "[10:00] <ada> hi\n[10:01] <tom> hi ada\n");
        let told =
            |links: &str| format!("{:#}", read(folder(&[chat, ("a.annotation.txt", links)]).path()).unwrap_err());
        let beyond = told("0 0 -\n1 7 -\n");
        assert!(beyond.contains("a.annotation.txt: line 2: message 7 does not exist; the last one is 1"), "{beyond}");
        let no_link = told("0 0 -\n\nzero 1 -\n");
        assert!(no_link.contains("line 3: no link: \"zero 1 -\"; expected `A B -`"), "{no_link}");
        let strange = folder(&[("a.ascii.txt", "hello\nyou\n"), ("a.annotation.txt", "0 0 -\n")]);
        let strange = format!("{:#}", read(strange.path()).unwrap_err());
        assert!(strange.contains("a.ascii.txt: line 1: ") && strange.contains("`[hh:mm] <nick> text`"), "{strange}");
    }

    #[test]
    fn a_folder_without_chats_and_a_chat_without_messages_are_told() {
        let empty = format!("{:#}", read(folder(&[]).path()).unwrap_err());
        assert!(empty.contains("holds no file *.annotation.txt"), "{empty}");
        let alone = format!("{:#}", read(folder(&[("a.annotation.txt", "0 0 -\n")]).path()).unwrap_err());
        assert!(alone.contains("a.ascii.txt cannot be read"), "{alone}");
    }
}
