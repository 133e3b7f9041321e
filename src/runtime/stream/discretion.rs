//! Whose words may not be told any more. Layer `runtime`. Pure.
//!
//! People who opted out or asked to be forgotten have their words taken out of the store. The removal takes several
//! transactions; until its end, whatever bots said up to then may answer or quote the person, and is kept back as well.

use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::domain::incoming::AuthorKind;
use botfleet_actors::domain::people::Rights;
use botfleet_actors::domain::transcript::TranscriptEntry;

use super::frame::Words;

/// Time after a person's request up to which bots may have answered what is being removed.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// Rights of people: those of the store, and those that this node knows before they are stored.
#[derive(Clone, Debug, Default)]
pub(in crate::runtime) struct Discretion(pub(in crate::runtime) [Arc<Rights>; 2]);

impl Discretion {
    /// Returns whether words must be kept back.
    pub(in crate::runtime) fn withholds(&self, words: Words) -> bool {
        self.0.iter().any(|rights| match words {
            Words::Of(person, said_at) => rights.refuses(person, said_at).is_some(),
            Words::About(at) => rights.pending.iter().any(|(_, _, wished_at)| at <= *wished_at + ANSWERED_WITHIN),
        })
    }
}

/// Returns the words of an entry; `None` when it holds none.
pub(in crate::runtime) fn words_of(entry: &TranscriptEntry) -> Option<Words> {
    let holds = entry.text.is_some() || entry.media.is_some() || !entry.author.name.is_empty();
    let is_ours = entry.fleet_bot.is_some() || entry.author.kind == AuthorKind::Bot;
    holds.then_some(if is_ours { Words::About(entry.date) } else { Words::Of(entry.author.id, entry.date) })
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use botfleet_actors::domain::ids::TelegramUserId;
    use botfleet_actors::domain::time::Timestamp;

    use super::*;

    #[test]
    fn words_of_the_forgotten_and_answers_to_them_are_kept_back() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let (ayse, bela) = (TelegramUserId(7), TelegramUserId(8));
        let stored = Rights {
            forgotten: HashMap::from([(ayse, at(100))]),
            pending: vec![(1, ayse, at(100))],
            ..Rights::default()
        };
        let here = Rights { opted_out: HashSet::from([bela]), ..Rights::default() };
        let rights = Discretion([Arc::new(stored), Arc::new(here)]);
        assert!(rights.withholds(Words::Of(ayse, at(100))) && !rights.withholds(Words::Of(ayse, at(101))));
        assert!(rights.withholds(Words::Of(bela, at(500))), "an opt-out counts before it is stored");
        assert!(rights.withholds(Words::About(at(150))), "a bot may have answered");
        assert!(!rights.withholds(Words::About(at(161))) && !rights.withholds(Words::Of(TelegramUserId(9), at(1))));
    }
}
