//! Frames of history, made of rows of the store. Layer `runtime`. Keeps I3: each number comes once, in its order.

use std::sync::Arc;

use botfleet_actors::domain::chain::{AuditPlace, AuditQuery, SealedEntry};
use botfleet_actors::domain::decision::Decision;
use botfleet_actors::domain::ids::{ChatId, DecisionNumber, Number};
use botfleet_actors::domain::ownership::LeaseKey;
use botfleet_actors::domain::transcript::TranscriptEntry;
use botfleet_actors::ports::archive::{DECISIONS_MAX, DecisionQuery};
use botfleet_actors::ports::store::{Store, StoreError};

use super::cursor::Place;
use super::discretion::words_of;
use super::frame::{Frame, Source, Words};
use super::views::{ActNews, AuditNews, DecisionNews};
use crate::runtime::audit::Audit;
use crate::runtime::cluster_view::Names;
use crate::runtime::messages::{EntryView, cause_of};

/// Most entries, and most decisions, of one page.
const PAGE: usize = DECISIONS_MAX;

/// Most entries of a block that its frame tells.
const ACTS_MAX: usize = 100;

/// Most blocks of the audit that are told at once.
const BLOCKS_MAX: i64 = 20;

/// A page of a chat's history.
pub(super) struct Page {
    /// The frames, in order.
    pub(super) frames: Vec<Arc<Frame>>,
    /// The place behind them.
    pub(super) place: Place,
}

/// Reads the history of a chat after one place, up to another; the page's place is the other one when it is the last page.
pub(super) async fn page(
    store: &dyn Store,
    names: &Names,
    chat: ChatId,
    after: Place,
    upto: Place,
) -> Result<Page, StoreError> {
    let mut entries =
        if after.entry < upto.entry { store.entries(chat, Number(after.entry.0 + 1), PAGE).await? } else { Vec::new() };
    let entries_full = entries.len() == PAGE;
    entries.retain(|entry| entry.number <= upto.entry);
    let decisions = if after.decision < upto.decision {
        let before = Some(DecisionNumber(upto.decision.0.saturating_add(1)));
        let query = DecisionQuery { after: Some(after.decision), before, entry: None, limit: PAGE };
        store.decisions(chat, &query).await?
    } else {
        Vec::new()
    };
    let decisions_full = decisions.len() == PAGE;
    let more_entries = entries_full && entries.last().is_some_and(|last| last.number < upto.entry);
    let mut page = Page { frames: Vec::with_capacity(entries.len() + decisions.len()), place: after };
    let mut decisions = decisions.into_iter().peekable();
    for entry in &entries {
        while let Some(decision) = decisions.next_if(|decision| anchor(decision) < entry.number) {
            page.decided(&decision, names);
        }
        page.appended(entry, names);
    }
    // What was decided on entries of the next page comes with that page.
    let last = if more_entries { page.place.entry } else { Number(i64::MAX) };
    while let Some(decision) = decisions.next_if(|decision| anchor(decision) <= last) {
        page.decided(&decision, names);
    }
    let all_decided = decisions.next().is_none() && !decisions_full;
    if !more_entries {
        page.place.entry = page.place.entry.max(upto.entry);
    }
    if !more_entries && all_decided {
        page.place.decision = page.place.decision.max(upto.decision);
    }
    Ok(page)
}

/// Returns the last entry before a decision.
fn anchor(decision: &Decision) -> Number {
    cause_of(decision.cause).unwrap_or(decision.standing.last).max(decision.standing.last)
}

impl Page {
    fn appended(&mut self, entry: &TranscriptEntry, names: &Names) {
        self.place.entry = entry.number;
        let source = Source::Entry(entry.chat, entry.number);
        let frame = Frame::plain("entry", source, &EntryView::of(entry, names, false));
        let frame = frame.map(|frame| match words_of(entry) {
            Some(words) => frame.with(words, &EntryView::of(entry, names, true)),
            None => frame,
        });
        self.frames.extend(frame.map(Arc::new));
    }

    fn decided(&mut self, decision: &Decision, names: &Names) {
        self.place.decision = decision.number;
        let source = Source::Decision(decision.chat, decision.number);
        let mut news = DecisionNews {
            chat: names.of(LeaseKey::Chat(decision.chat)),
            decision: decision.number,
            cause: decision.cause,
            at: decision.at,
            verdict: decision.verdict,
            policy: decision.policy.clone(),
            reason: None,
        };
        let frame = Frame::plain("decision", source, &news);
        news.reason = Some(decision.reason.clone());
        self.frames.extend(frame.map(|frame| Arc::new(frame.with(Words::About(decision.at), &news))));
    }
}

/// Reads the blocks of the audit after `after`, up to `upto`, some at a time; returns their frames and the last block of them.
pub(super) async fn blocks(audit: &Audit, after: i64, upto: i64) -> Result<(Vec<Arc<Frame>>, i64), StoreError> {
    let last = upto.min(after.saturating_add(BLOCKS_MAX));
    let mut frames = Vec::new();
    for block in after.saturating_add(1)..=last {
        let query = AuditQuery {
            after: Some(AuditPlace { block, place: 0 }),
            until: Some(block),
            limit: ACTS_MAX + 1,
            ..AuditQuery::default()
        };
        let mut entries = audit.page(&query).await?;
        let more = entries.len() > ACTS_MAX;
        entries.truncate(ACTS_MAX);
        let news = AuditNews { block, acts: entries.into_iter().filter_map(act).collect(), more };
        frames.extend(Frame::plain("audit", Source::Audit(block), &news).map(Arc::new));
    }
    Ok((frames, last))
}

fn act(sealed: SealedEntry) -> Option<ActNews> {
    let entry = sealed.entry?;
    Some(ActNews {
        place: sealed.place.to_string(),
        at: entry.at,
        act: entry.act,
        phase: entry.phase,
        by: entry.principal.name,
        object: entry.object,
    })
}
