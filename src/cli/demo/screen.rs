//! Draws the demo for a person, and reads what they type. Layer `cli`.
//!
//! On a terminal the last line shows the status, who types, and what the person types; elsewhere only the conversation
//! is printed. A notice of the fleet about itself is one line.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use botfleet_world::world::event::WorldEvent;
use botfleet_world::world::spec::WorldSpec;
use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::style::{Color, Stylize};
use crossterm::terminal::{self, Clear, ClearType};
use crossterm::{cursor, queue};
use futures::StreamExt;

use super::layout::{GAP, Layout, Row, beginning, ending};

/// Colours of names; a name always has the same one.
const COLOURS: [Color; 10] = [
    Color::Cyan,
    Color::Green,
    Color::Yellow,
    Color::Magenta,
    Color::Blue,
    Color::Red,
    Color::DarkCyan,
    Color::DarkGreen,
    Color::DarkYellow,
    Color::DarkMagenta,
];

/// "typing" lasts five seconds in Telegram's clients.
const TYPING_LASTS: Duration = Duration::from_secs(5);

/// Number of messages remembered to show which one a reply answers.
const REMEMBERED: usize = 400;

/// Columns shown of the message that a reply answers.
const QUOTE: usize = 40;

/// Mark of a person behind their name.
const PERSON: &str = " 👤";

/// An action of the person.
pub(super) enum Key {
    /// Ends the demo.
    Quit,
    /// Posts this text into that chat.
    Say(i64, String),
    /// Needs nothing from the caller.
    Other,
}

/// The demo's screen.
pub(super) struct Screen {
    chats: Vec<(i64, String)>,
    /// Names of the bots, by id.
    names: BTreeMap<i64, String>,
    /// Names of all, as they are shown.
    all: Vec<String>,
    /// Texts of the fleet about itself.
    notices: Vec<String>,
    chosen: usize,
    typed: String,
    status: String,
    typing: BTreeMap<(i64, i64), Instant>,
    seen: VecDeque<((i64, i64), String)>,
    keys: Option<EventStream>,
    colours: bool,
    silent: bool,
}

impl Screen {
    /// Opens the screen. `notices` are the texts of the fleet about itself.
    pub(super) fn open(spec: &WorldSpec, notices: Vec<String>, interactive: bool, silent: bool) -> io::Result<Self> {
        if interactive {
            terminal::enable_raw_mode()?;
        }
        Ok(Self {
            chats: spec.chats.iter().map(|chat| (chat.id, chat.title.clone())).collect(),
            names: spec.bots.iter().map(|bot| (bot.id, bot.first_name.clone())).collect(),
            all: {
                let people = spec.people.iter().map(|person| format!("{}{PERSON}", person.first_name));
                spec.bots.iter().map(|bot| bot.first_name.clone()).chain(people).collect()
            },
            notices,
            chosen: 0,
            typed: String::new(),
            status: String::new(),
            typing: BTreeMap::new(),
            seen: VecDeque::new(),
            keys: interactive.then(EventStream::new),
            colours: io::stdout().is_terminal() && !has_no_color(),
            silent,
        })
    }

    pub(super) fn welcome(&mut self, address: &str, socket: &Path, seconds: Option<u64>) -> io::Result<()> {
        let titles: Vec<&str> = self.chats.iter().map(|(_, title)| title.as_str()).collect();
        self.note(&format!(
            "botfleet demo: {} bots in {} simulated chats ({})",
            self.names.len(),
            titles.len(),
            titles.join(", ")
        ))?;
        self.note(&format!("look inside: curl --unix-socket {} http://localhost/api/v1/fleet", socket.display()))?;
        self.note(&format!("what else there is: {address}/docs"))?;
        let end = seconds.map_or_else(
            || "Ctrl-C ends it with a summary".to_owned(),
            |seconds| format!("it ends by itself after {seconds} s"),
        );
        let join = if self.keys.is_some() { "type and press Enter to join in, Tab changes the chat, " } else { "" };
        self.note(&format!("{join}{end}"))?;
        self.note("")
    }

    /// Restores the terminal.
    pub(super) fn close(&mut self) -> io::Result<()> {
        if self.keys.take().is_some() {
            let mut out = io::stdout().lock();
            queue!(out, cursor::MoveToColumn(0), Clear(ClearType::CurrentLine))?;
            out.flush()?;
            terminal::disable_raw_mode()?;
        }
        Ok(())
    }

    /// Waits for the person's next action; without a keyboard only for Ctrl-C.
    pub(super) async fn key(&mut self) -> io::Result<Key> {
        let Some(keys) = &mut self.keys else {
            tokio::signal::ctrl_c().await?;
            return Ok(Key::Quit);
        };
        // In raw mode Ctrl-C is a key; SIGINT from elsewhere must give the terminal back as well.
        let event = tokio::select! {
            event = keys.next() => event,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(event) = event else {
            return Ok(Key::Quit);
        };
        let Event::Key(key) = event? else {
            return Ok(Key::Other);
        };
        if key.kind == KeyEventKind::Release {
            return Ok(Key::Other);
        }
        match key.code {
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(Key::Quit),
            KeyCode::Char(c) => self.typed.push(c),
            KeyCode::Backspace => drop(self.typed.pop()),
            KeyCode::Esc => self.typed.clear(),
            KeyCode::Tab => self.chosen = (self.chosen + 1) % self.chats.len().max(1),
            KeyCode::Enter if !self.typed.trim().is_empty() => {
                let text = std::mem::take(&mut self.typed);
                let chat = self.chats.get(self.chosen).map_or(0, |(id, _)| *id);
                return Ok(Key::Say(chat, text.trim().to_owned()));
            }
            _ => {}
        }
        self.draw_bottom()?;
        Ok(Key::Other)
    }

    /// Shows an event.
    pub(super) fn show(&mut self, event: &WorldEvent) -> io::Result<()> {
        match event {
            WorldEvent::Message { chat, message_id, author, text, reply_to, .. } => {
                self.typing.remove(&(*chat, author.id));
                let quote = reply_to
                    .and_then(|id| self.seen.iter().find(|(key, _)| *key == (*chat, id)))
                    .map(|(_, quote)| quote.clone());
                let flat = text.replace('\n', " ");
                self.seen.push_back(((*chat, *message_id), beginning(&format!("{}: {flat}", author.name), QUOTE)));
                if self.seen.len() > REMEMBERED {
                    self.seen.pop_front();
                }
                if author.is_bot && self.notices.contains(text) {
                    return self.remark(*chat, &format!("· {} tells the chat that the bots are AI", author.name));
                }
                if let Some(quote) = quote {
                    self.remark(*chat, &format!("↳ {quote}"))?;
                }
                self.message(*chat, (&author.name, author.is_bot), text)
            }
            WorldEvent::Edited { chat, author, text, .. } => {
                self.message(*chat, (&author.name, author.is_bot), &format!("{text} (edited)"))
            }
            WorldEvent::Reaction { chat, message_id, author, emoji, .. } => {
                let Some(emoji) = emoji else {
                    return Ok(());
                };
                let about =
                    self.seen.iter().find(|(key, _)| *key == (*chat, *message_id)).map_or("", |(_, quote)| quote);
                let remark = format!("{emoji} {} to {about}", author.name);
                self.remark(*chat, &remark)
            }
            WorldEvent::Typing { chat, bot, .. } => {
                self.typing.insert((*chat, *bot), Instant::now() + TYPING_LASTS);
                Ok(())
            }
            WorldEvent::Deleted { .. } | WorldEvent::Member { .. } => Ok(()),
        }
    }

    /// Prints a message of somebody.
    fn message(&mut self, chat: i64, (name, is_bot): (&str, bool), text: &str) -> io::Result<()> {
        let shown = if is_bot { name.to_owned() } else { format!("{name}{PERSON}") };
        for Row { chat, name: cell, text } in self.layout().rows(self.title(chat), &shown, text) {
            let (chat, cell) = (self.paint(&chat, Color::DarkGrey), self.paint(&cell, colour_of(name)));
            self.note(&format!("{chat}{cell}{:GAP$}{text}", ""))?;
        }
        Ok(())
    }

    /// Prints a line about a message, in grey.
    fn remark(&mut self, chat: i64, text: &str) -> io::Result<()> {
        let Row { chat, name, text } = self.layout().remark(self.title(chat), text);
        let line = self.paint(&format!("{chat}{name}{:GAP$}{text}", ""), Color::DarkGrey);
        self.note(&line)
    }

    fn layout(&self) -> Layout {
        let columns = io::stdout().is_terminal().then(columns);
        Layout::new(columns, self.all.iter().map(String::as_str))
    }

    fn title(&self, chat: i64) -> &str {
        self.chats.iter().find(|(id, _)| *id == chat).map_or("", |(_, title)| title)
    }

    /// Prints a line above the status line.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        if self.silent {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if self.keys.is_some() {
            queue!(out, cursor::MoveToColumn(0), Clear(ClearType::CurrentLine))?;
            write!(out, "{text}\r\n")?;
        } else {
            writeln!(out, "{text}")?;
        }
        out.flush()?;
        drop(out);
        self.draw_bottom()
    }

    /// Sets the status line.
    pub(super) fn status(&mut self, status: &str) -> io::Result<()> {
        let now = Instant::now();
        self.typing.retain(|_, until| *until > now);
        status.clone_into(&mut self.status);
        self.draw_bottom()
    }

    fn draw_bottom(&self) -> io::Result<()> {
        if self.keys.is_none() {
            return Ok(());
        }
        let names: Vec<&str> =
            self.typing.keys().filter_map(|(_, bot)| self.names.get(bot)).map(String::as_str).collect();
        let typing = match names.as_slice() {
            [] => String::new(),
            [name] => format!("{name} is typing · "),
            more => format!("{} are typing · ", more.join(", ")),
        };
        let title = self.chats.get(self.chosen).map_or("", |(_, title)| title);
        let keep = columns().saturating_sub(2);
        let line = if self.typed.is_empty() {
            beginning(&format!("[{title}] {typing}{}", self.status), keep)
        } else {
            ending(&format!("[{title}] you: {}", self.typed), keep).to_owned()
        };
        let mut out = io::stdout().lock();
        queue!(out, cursor::MoveToColumn(0), Clear(ClearType::CurrentLine))?;
        write!(out, "{}", self.paint(&line, if self.typed.is_empty() { Color::DarkGrey } else { Color::White }))?;
        out.flush()
    }

    fn paint(&self, text: &str, colour: Color) -> String {
        if self.colours { text.with(colour).to_string() } else { text.to_owned() }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// Returns the columns of the terminal.
fn columns() -> usize {
    terminal::size().map_or(80, |(columns, _)| usize::from(columns))
}

fn colour_of(name: &str) -> Color {
    let sum: usize = name.bytes().map(usize::from).sum();
    COLOURS[sum % COLOURS.len()]
}

fn has_no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
