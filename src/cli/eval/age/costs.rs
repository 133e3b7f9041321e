//! Measures the calls of a store, each by its fastest run. Part of `cli`.

use std::time::{Duration, Instant};

use botfleet_actors::domain::ids::{BotId, DecisionNumber, MessageId, Number, OutboxId, TelegramUserId, TurnId};
use botfleet_actors::domain::transcript::{EntryKey, EntryKind};
use botfleet_actors::ports::archive::DecisionQuery;
use botfleet_actors::ports::outcomes::OutcomeCursor;

use super::{KEPT, Measured};
use crate::cli::eval::life::Life;

/// How often each call is made in a round, and the rounds: the fastest run counts, since everything else that runs on the
/// machine only slows it.
const RUNS: usize = 10;
const ROUNDS: usize = 6;
/// The wait between two rounds, so that what slows the machine for a moment slows one round alone.
const BETWEEN: Duration = Duration::from_millis(700);

/// The cost of a call.
pub(super) struct Cost {
    pub(super) call: &'static str,
    pub(super) took: Duration,
}

/// Measures the commit of one message that all bots of a chat heard.
async fn commits(life: &mut Life) -> anyhow::Result<Cost> {
    let mut took = Duration::MAX;
    for _ in 0..RUNS * ROUNDS {
        let batch = life.one(0);
        let began = Instant::now();
        life.commit(batch).await?;
        took = took.min(began.elapsed());
    }
    Ok(Cost { call: "commit", took })
}

/// Measures every call that a running fleet makes again and again.
pub(super) async fn measure(store: &dyn Measured, life: &mut Life) -> anyhow::Result<Vec<Cost>> {
    let mut costs = vec![commits(life).await?];
    costs.extend(reads(store, life).await?);
    for _ in 1..ROUNDS {
        tokio::time::sleep(BETWEEN).await;
        for (cost, again) in costs[1..].iter_mut().zip(reads(store, life).await?) {
            cost.took = cost.took.min(again.took);
        }
    }
    Ok(costs)
}

async fn reads(store: &dyn Measured, life: &Life) -> anyhow::Result<Vec<Cost>> {
    let (room, now) = (&life.rooms[0], life.now);
    let (chat, bot, upto) = (room.chat, room.bots[0], Number(room.number));
    let person = TelegramUserId(500_000_000 + chat.0 * 1_000 + 1);
    let messages = [MessageId(room.message), MessageId(room.message - 5)];
    let key = EntryKey { telegram_chat: room.telegram, message_id: messages[0], kind: EntryKind::Message, revision: 0 };
    let latest = DecisionQuery { limit: 50, ..DecisionQuery::default() };
    let decisions: Vec<DecisionNumber> = store.decisions(chat, &latest).await?.iter().map(|made| made.number).collect();
    let (_, end) = store.outcomes(OutcomeCursor::default(), 100).await?;
    let mut costs = Vec::new();
    macro_rules! cost {
        ($($call:ident($($value:expr),*);)+) => {$(
            let mut took = Duration::MAX;
            for _ in 0..RUNS {
                let began = Instant::now();
                store.$call($($value),*).await?;
                took = took.min(began.elapsed());
            }
            costs.push(Cost { call: stringify!($call), took });
        )+};
    }
    cost! {
        chat_memory(chat, 40);
        unhandled(chat, 100);
        transcript(chat, upto, 40);
        conversation(chat, upto, 40);
        find_messages(room.telegram, &messages);
        entry_numbers(std::slice::from_ref(&key));
        next_offset(bot);
        queued_turns(bot, 20);
        queued_talk(bot, 20, 40, &[]);
        waiting_messages(bot, 20);
        backlog(now);
        depths();
        allowances();
        rights(-1);
        rights(i64::MAX);
        person(person);
        stops();
        outcomes(end, 100);
        expire(now);
        expire_unspoken(now);
        prune(now, &KEPT);
        turn(TurnId(1));
        pauses(BotId(1));
        unknown_messages(chat);
        dead_letters(None, 50);
        delivery(bot);
        said_lately(bot, 20);
        message(OutboxId(1));
        roster();
        check();
        decisions(chat, &latest);
        turns_of(chat, &decisions);
        entries(chat, upto, 50);
        message_number(chat, messages[0]);
    }
    Ok(costs)
}
