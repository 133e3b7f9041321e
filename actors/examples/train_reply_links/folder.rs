//! Labelled chats of a folder, and the rows that are learned from.

use std::collections::BTreeSet;
use std::path::Path;

use botfleet_actors::behaviour::links::corpus::{links, messages};
use botfleet_actors::behaviour::links::features::rows;
use botfleet_actors::behaviour::links::score::Link;
use botfleet_actors::behaviour::links::utterance::Utterance;

use crate::boost::Sheet;

/// Earlier messages that the resolver is given: more than it looks at, as some are the system's.
const GIVEN: usize = 200;

/// A labelled chat.
pub(crate) struct Chat {
    pub(crate) messages: Vec<Utterance>,
    pub(crate) links: BTreeSet<Link>,
}

impl Chat {
    /// Each labelled message with what came before it.
    pub(crate) fn labelled(&self) -> impl Iterator<Item = (usize, Vec<&Utterance>)> {
        let labelled: BTreeSet<usize> = self.links.iter().map(|(_, later)| *later).collect();
        labelled.into_iter().map(|now| (now, self.messages[now.saturating_sub(GIVEN)..now].iter().collect()))
    }
}

/// Reads all chats of a folder, by name.
pub(crate) fn read(folder: &Path) -> Result<Vec<Chat>, String> {
    let tell = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let entries = std::fs::read_dir(folder).map_err(|error| tell(folder, &error))?;
    let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.retain(|path| path.to_string_lossy().ends_with(".annotation.txt"));
    names.sort();
    let mut chats = Vec::new();
    for path in names {
        let text = |path: &Path| {
            let bytes = std::fs::read(path).map_err(|error| tell(path, &error))?;
            Ok::<_, String>(String::from_utf8_lossy(&bytes).into_owned())
        };
        let said = Path::new(&path.to_string_lossy().replace(".annotation.txt", ".ascii.txt")).to_owned();
        let messages = messages(&text(&said)?).map_err(|error| tell(&said, &error))?;
        let links = links(&text(&path)?, messages.len()).map_err(|error| tell(&path, &error))?;
        chats.push(Chat { messages, links });
    }
    Ok(chats)
}

/// Makes the rows of all labelled messages that have a link among their candidates; the system's are left out.
pub(crate) fn sheet(chats: &[Chat]) -> Sheet {
    let mut sheet = Sheet { starts: vec![0], ..Sheet::default() };
    for chat in chats {
        for (now, window) in chat.labelled().filter(|(now, _)| !chat.messages[*now].is_system()) {
            let first = now - window.len();
            let made = rows(&window, &chat.messages[now]);
            let meant = std::iter::once(now).chain(made.candidates.iter().map(|at| first + at));
            let linked: Vec<bool> = meant.map(|earlier| chat.links.contains(&(earlier, now))).collect();
            let count = linked.iter().filter(|linked| **linked).count();
            if count > 0 {
                sheet.targets.extend(linked.iter().map(|linked| if *linked { 1.0 / count as f32 } else { 0.0 }));
                sheet.rows.extend(made.rows);
                sheet.starts.push(sheet.rows.len());
            }
        }
    }
    sheet
}
