//! The contract of the store: the claims that every implementation must keep. Part of the testkit.
//!
//! Each claim is an async function of a [`Home`], whose store it opens as often as it likes. A broken claim panics.
//! [`store_contract!`](crate::store_contract) makes a test of every claim.

pub mod advance;
pub mod allowance;
pub mod archive;
pub mod cluster;
pub mod filters;
pub mod growth;
pub mod hand_over;
pub mod ingest;
pub mod orders;
pub mod outcomes;
pub mod people;
pub mod roster;
pub mod send;
pub mod tenure;
pub mod turns;
pub mod unspoken;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::rows::{at, plan};
use crate::domain::commit::operations::Operation;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::{BotId, ChatId, Epoch};
use crate::domain::roster::Roster;
use crate::ports::store::{Kept, Store};

/// A place where a store lives. Each opening is a new process that finds what earlier ones left. The claims drop a
/// store before they open the next.
#[async_trait]
pub trait Home: Send + Sync {
    /// Opens the store that lives here.
    async fn open(&self) -> Arc<dyn Store>;
}

/// An open store in its tenure, with two bots that are both in two chats.
pub struct Scene {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The stored roster.
    pub roster: Roster,
    /// The epoch of the tenure.
    pub epoch: Epoch,
    /// The bots.
    pub bots: [BotId; 2],
    /// The chats.
    pub chats: [ChatId; 2],
}

impl Scene {
    /// Opens the store, applies the roster and begins a tenure.
    pub async fn open(home: &dyn Home) -> Self {
        let store = home.open().await;
        let roster = store.apply_roster(&plan(2, 2), at(0)).await.expect("the plan is sound");
        let tenure = store.begin_tenure("here", at(0)).await.expect("a tenure begins");
        let (mut bots, mut chats) = (roster.bots.keys().copied(), roster.chats.keys().copied());
        let bots = [bots.next().unwrap(), bots.next().unwrap()];
        let chats = [chats.next().unwrap(), chats.next().unwrap()];
        Self { store, roster, epoch: tenure.epoch, bots, chats }
    }

    /// Ends the process, and begins the tenure of another one.
    pub async fn reopen(self, home: &dyn Home) -> Self {
        drop(self);
        Self::open(home).await
    }

    /// Commits a batch.
    pub async fn commit(&self, batch: Vec<Operation>) -> Vec<Result<Applied, Refusal>> {
        let operations = batch.len();
        let results = self.store.commit(batch).await.expect("the store works");
        assert_eq!(results.len(), operations, "each operation has its result");
        results
    }

    /// Commits one operation.
    pub async fn commit_one(&self, operation: Operation) -> Result<Applied, Refusal> {
        self.commit(vec![operation]).await.pop().unwrap()
    }

    /// Commits a batch and requires that nothing of it is refused.
    pub async fn commit_all(&self, batch: Vec<Operation>) -> Vec<Applied> {
        self.commit(batch).await.into_iter().collect::<Result<_, _>>().expect("nothing is refused")
    }
}

/// Keeps handled inbox rows up to now, and everything else for years.
pub const HANDLED_GO: Kept =
    Kept { handled: Duration::ZERO, decisions: Duration::from_hours(87_600), letters: Duration::from_hours(87_600) };

/// Asserts that an operation was refused because its caller's knowledge was stale.
pub fn assert_conflict(result: &Result<Applied, Refusal>) {
    assert!(matches!(result, Err(Refusal::Conflict(_))), "expected a conflict, got {result:?}");
}

/// Makes a test of every claim of the contract; `$home` is evaluated anew for each.
#[macro_export]
macro_rules! store_contract {
    ($home:expr) => {
        $crate::store_contract!(@file $home, ingest: [
            the_offset_is_stored_with_its_rows
            the_offset_is_the_last_one_said_not_the_maximum
            the_same_update_twice_is_one_row
            the_same_update_twice_in_one_batch_is_one_row
            a_row_with_an_outcome_at_ingest_is_no_work
        ]);
        $crate::store_contract!(@file $home, advance: [
            a_chat_remembers_all_that_it_advanced_by
            the_same_message_seen_by_two_bots_is_one_entry
            a_wrong_base_is_refused
            a_gap_is_refused
            a_decision_out_of_turn_is_refused
            a_row_has_one_outcome
            a_tick_is_due_at_its_time_and_not_before
            a_transcript_is_read_backwards_from_any_number
            the_first_entry_of_a_message_is_found
            copies_of_every_kind_are_found_by_their_keys
            a_conversation_is_counted_in_what_was_said
            a_decision_number_used_twice_drops_out_alone
            acts_of_every_kind_are_remembered
            a_chat_remembers_its_calm_and_that_its_people_were_told
        ]);
        $crate::store_contract!(@file $home, turns: [
            a_turn_is_claimed_once_and_by_its_bot
            a_finished_turn_leaves_its_messages_in_the_outbox
            a_failed_turn_is_queued_again_until_it_is_dead
            a_turn_given_up_is_final
            turns_wait_by_priority_then_age
            a_whole_conversation_commits_in_one_batch
            a_refusal_takes_its_dependants_along_and_nothing_else
        ]);
        $crate::store_contract!(@file $home, send: [
            a_message_that_may_go_is_sending_at_once
            a_full_window_makes_the_message_wait
            windows_survive_a_restart
            what_was_certainly_not_sent_uses_up_no_window
            a_chain_too_deep_is_cancelled
            a_stop_cancels_and_lifting_it_lets_go
            a_timed_stop_ends_by_itself
            a_doubted_stop_changes_none_in_force
            a_stop_is_lifted_by_no_lower_rank_and_no_older_word
            a_stale_message_is_cancelled
            a_stop_in_the_same_batch_already_counts
            a_settled_attempt_cannot_settle_again
            another_attempt_cannot_settle
            a_definite_non_send_is_due_again
            a_cancelled_message_cannot_begin
            a_pause_makes_other_messages_of_its_place_wait
            a_pause_survives_a_restart_until_it_is_over
            evidence_resolves_an_unknown_message_once
            what_a_bot_said_lately_is_what_it_certainly_sent
            a_stop_drops_a_turn_instead_of_its_claim
            a_migrated_chat_keeps_its_messages_and_its_history
            absences_survive_a_restart
        ]);
        $crate::store_contract!(@file $home, allowance: [
            a_block_taken_stays_taken_over_a_restart
            a_budget_is_never_overdrawn_not_even_in_one_batch
            budgets_of_other_scopes_units_and_periods_are_apart
            what_is_given_back_can_be_taken_again
            old_periods_are_pruned_and_totals_are_not
        ]);
        $crate::store_contract!(@file $home, unspoken: [
            what_nobody_took_in_its_time_ends_whoever_lives
            lifted_pauses_are_over_and_longer_ones_are_shortened
        ]);
        $crate::store_contract!(@file $home, tenure: [
            a_stale_epoch_writes_nothing
            an_attempt_is_settled_across_epochs
            what_was_being_sent_is_unknown_after_a_crash
            a_message_to_be_resent_is_due_again_after_a_crash
            a_turn_in_hand_at_a_crash_is_queued_again_until_it_is_dead
            a_reclaimed_bot_gives_back_what_it_had_in_hand
            everything_is_there_after_a_restart
            a_dropped_commit_is_all_or_nothing
            a_store_never_used_is_empty
        ]);
        $crate::store_contract!(@file $home, roster: [
            a_roster_applied_twice_is_the_same
            a_bot_renamed_is_the_same_bot
            two_bots_may_exchange_names
            a_name_with_another_bots_token_is_refused
            a_refused_roster_changes_nothing
            a_new_credential_raises_the_token_generation
            a_changed_persona_gets_a_revision
            a_bot_left_out_comes_back_as_itself
            a_chat_is_known_by_its_telegram_id
            newcomers_during_a_tenure_can_act_at_once
            a_plan_that_names_something_twice_is_refused
            a_chat_with_odd_words_migrates
        ]);
        $crate::store_contract!(@file $home, hand_over: [
            a_lease_given_away_fences_what_follows_in_its_batch
            a_lease_is_given_away_once_under_an_epoch
            turns_in_hand_go_back_without_an_attempt
            a_send_under_way_is_settled_after_a_hand_over
            a_chat_given_away_is_fenced
            an_absence_is_fenced_by_its_bot
            a_username_is_news_once
            the_roster_reads_back_as_it_was_applied
        ]);
        $crate::store_contract!(@file $home, orders: [
            a_webhooks_rows_are_stored_once_and_the_offset_stays
            a_change_of_delivery_forgets_the_offset
            the_manifests_delivery_counts_when_it_is_news
            an_unclaimed_turn_waits_as_before
            a_dead_turn_is_redelivered_anew
            a_dead_update_is_redelivered_anew
            a_rejected_message_is_redelivered_with_its_later_parts
            a_message_of_unknown_fate_needs_a_confirmation
            dead_letters_come_in_pages
        ]);
        $crate::store_contract!(@file $home, people: [
            words_of_who_has_opted_out_are_not_stored
            an_opt_out_in_the_same_batch_already_counts
            who_is_forgotten_leaves_numbers_and_nothing_else
            a_wish_to_be_forgotten_is_one_while_it_is_open
            a_person_with_many_entries_is_counted_and_forgotten_whole
            words_in_flight_of_who_is_forgotten_are_not_stored
            an_answer_on_its_way_at_a_forgetting_arrives_without_its_text
            texts_are_kept_as_long_as_their_chat_keeps_them
            the_newest_word_of_a_person_counts
            a_repeated_word_of_one_batch_counts
            an_opt_out_of_three_years_ago_survives_every_pruning
            control_characters_hinder_no_removal
            updates_are_kept_no_longer_than_texts
        ]);
        $crate::store_contract!(@file $home, archive: [
            decisions_read_back_as_they_were_made
            decisions_come_in_pages_both_ways_and_by_entry
            turns_of_decisions_come_with_their_messages
            entries_are_read_forwards_from_any_number
            a_message_is_found_by_its_id_also_after_a_migration
        ]);
        $crate::store_contract!(@file $home, filters: [
            reads_of_a_chat_hold_nothing_of_another
            reads_of_a_bot_hold_nothing_of_another
            every_limit_is_kept
            each_kind_of_waiting_row_is_counted_apart
            the_backlog_names_each_owner_whose_work_is_due
            old_rows_of_a_chat_outside_the_manifest_are_given_up
            a_reclaim_spares_other_bots
            dead_letters_of_all_kinds_are_listed_together
            removals_spare_other_people_and_other_chats
            a_store_tells_that_it_works
        ]);
        $crate::store_contract!(@file $home, growth: [
            rows_go_when_they_are_older_than_their_use
            parts_of_a_text_go_together
            no_decision_goes_before_its_texts
            a_chat_that_keeps_texts_for_ever_keeps_its_transcript
            no_number_goes_before_those_below_it
            an_entry_outlives_the_copies_of_its_message
        ]);
        $crate::store_contract!(@file $home, outcomes: [
            every_row_is_one_line_with_what_became_of_it
            pages_end_and_ticks_come_last
            handled_rows_are_pruned_by_age_and_waiting_ones_are_not
        ]);
    };
    (@file $home:expr, $file:ident: [$($claim:ident)+]) => {
        $(
            #[tokio::test]
            async fn $claim() {
                $crate::testkit::contract::$file::$claim(&$home).await;
            }
        )+
    };
}
