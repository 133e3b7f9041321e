//! Rows of turns. Layer: adapter. The part that changes during a turn's life stands last.

use botfleet_actors::domain::commit::rows::TurnHead;
use botfleet_actors::domain::turn::{Act, Turn, TurnProgress, Usage};
use botfleet_actors::ports::store::StoreError;

use super::part::{Columns, Part, Put, columns, unreadable};
use crate::store::sql::values::{Column, Kind, Rows};

columns! {
    Turn {
        id, chat, decision, bot, ordinal, act, target, answers_bot, chain_depth, root, priority, due_at,
        expires_at, created_at
    } then progress: TurnProgress
}

columns!(TurnProgress { state, attempts, claimed_epoch, error, usage });

columns!(TurnHead { bot, progress });

impl Put for Act {
    fn columns(name: &'static str, into: &mut Vec<Column>) {
        into.push(Column { name, kind: Kind::Text });
    }

    fn put(&self, rows: &mut Rows) {
        rows.json(Some(self).filter(|act| **act != Self::Answer));
    }
}

impl Part for Act {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let act = columns.text()?.map(serde_json::from_str).transpose();
        Ok(act.map_err(|error| unreadable("act of a turn", error))?.unwrap_or_default())
    }
}

impl Put for Option<Usage> {
    fn columns(_: &'static str, into: &mut Vec<Column>) {
        Option::<String>::columns("provider", into);
        Option::<String>::columns("model", into);
        Option::<u32>::columns("prompt_tokens", into);
        Option::<u32>::columns("completion_tokens", into);
        Option::<u32>::columns("cached_tokens", into);
    }

    fn put(&self, rows: &mut Rows) {
        let usage = self.as_ref();
        rows.text(usage.map(|usage| usage.provider.as_str()));
        rows.text(usage.map(|usage| usage.model.as_str()));
        rows.number(usage.map(|usage| usage.prompt_tokens.into()));
        rows.number(usage.map(|usage| usage.completion_tokens.into()));
        rows.number(usage.map(|usage| usage.cached_tokens.into()));
    }
}

impl Part for Option<Usage> {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        type Columns = (Option<String>, Option<String>, Option<u32>, Option<u32>, Option<u32>);
        let (provider, model, prompt, completion, cached): Columns = columns.take()?;
        Ok(provider.map(|provider| Usage {
            provider,
            model: model.unwrap_or_default(),
            prompt_tokens: prompt.unwrap_or_default(),
            completion_tokens: completion.unwrap_or_default(),
            cached_tokens: cached.unwrap_or_default(),
        }))
    }
}
