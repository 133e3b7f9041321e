//! Measures how personas write, by what their bots sent. Layer `runtime`.

use botfleet_actors::behaviour::style::{MESSAGES_MIN, Style};
use botfleet_actors::ports::store::StoreError;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::fleet::RunningFleet;

/// Number of a bot's last messages that are measured.
const MESSAGES: usize = 100;

/// Most bots that are compared, the first by name: pairs grow with the square.
const BOTS_MAX: usize = 300;

/// Most pairs that are shown, the nearest.
const PAIRS_TOLD: usize = 50;

/// Most bots that are read at a time.
const READ_AT_A_TIME: usize = 8;

/// The distances between the ways in which the fleet's bots write.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StyleView {
    /// Bots with enough messages, by name.
    pub bots: Vec<StyleOfBot>,
    /// Number of bots that have said too little, or are beyond those that are compared.
    pub not_measured: usize,
    /// The fewest messages by which a bot's way of writing can be told.
    pub messages_min: usize,
    /// The nearest pairs, the nearest first.
    pub nearest: Vec<StylePair>,
    /// Mean distance of all pairs; absent without any.
    pub mean_distance: Option<f64>,
}

/// One bot's way of writing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StyleOfBot {
    /// Name in the manifest.
    pub name: String,
    /// Number of messages that were measured.
    pub messages: usize,
    /// Average number of letters in a message.
    pub letters: f64,
    /// Distance to the nearest other bot; absent without another.
    pub nearest: Option<f64>,
}

/// Two bots and the distance between their ways of writing: 0 (the same hand) to 1 (nothing in common).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StylePair {
    /// Name of one bot.
    pub one: String,
    /// Name of the other bot.
    pub other: String,
    /// The distance.
    pub distance: f64,
}

impl RunningFleet {
    /// Measures how the bots write by the last messages of each.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn styles(&self) -> Result<StyleView, StoreError> {
        let known = self.node.directory.known();
        let mut bots: Vec<_> = known.bots.values().map(|bot| (bot.spec.name.clone(), bot.id)).collect();
        let all = bots.len();
        bots.sort();
        bots.truncate(BOTS_MAX);
        let read = stream::iter(bots).map(|(name, bot)| async move {
            Ok::<_, StoreError>((name, Style::of(&self.node.store.said_lately(bot, MESSAGES).await?)))
        });
        let read: Vec<(String, Option<Style>)> = read.buffered(READ_AT_A_TIME).try_collect().await?;
        let styles: Vec<(String, Style)> = read.into_iter().filter_map(|(name, style)| Some((name, style?))).collect();
        Ok(compared(&styles, all - styles.len()))
    }
}

fn compared(styles: &[(String, Style)], not_measured: usize) -> StyleView {
    let mut pairs = Vec::new();
    let mut nearest = vec![None::<f64>; styles.len()];
    for (at, (one, style)) in styles.iter().enumerate() {
        for (beside, (other, other_style)) in styles.iter().enumerate().skip(at + 1) {
            let distance = style.distance(other_style);
            for place in [at, beside] {
                nearest[place] = Some(nearest[place].map_or(distance, |best| best.min(distance)));
            }
            pairs.push(StylePair { one: one.clone(), other: other.clone(), distance });
        }
    }
    pairs.sort_by(|one, other| one.distance.total_cmp(&other.distance));
    let mean_distance =
        (!pairs.is_empty()).then(|| pairs.iter().map(|pair| pair.distance).sum::<f64>() / pairs.len() as f64);
    pairs.truncate(PAIRS_TOLD);
    let bot = |((name, style), nearest): (&(String, Style), Option<f64>)| StyleOfBot {
        name: name.clone(),
        messages: style.messages,
        letters: style.letters,
        nearest,
    };
    let bots = styles.iter().zip(nearest).map(bot).collect();
    StyleView { bots, not_measured, messages_min: MESSAGES_MIN, nearest: pairs, mean_distance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_hands_come_first() {
        let hand = |lines: [&str; 5]| Style::of(&lines).expect("enough to tell");
        let loud = ["Hey!!", "Wow, great!", "Yes!! 😀", "Come on!", "Super! 🎉"];
        let also_loud = ["Hey you!!", "Wow, so great!", "Yes yes! 😀", "Come!", "Super! 🎉"];
        let dry = [
            "the figures do not support that; see the annex.",
            "a median is not a mean.",
            "the sample is small.",
            "sources are missing here.",
            "that remains to be shown.",
        ];
        let styles = [("a".to_owned(), hand(loud)), ("b".to_owned(), hand(dry)), ("c".to_owned(), hand(also_loud))];
        let view = compared(&styles, 2);
        let first = &view.nearest[0];
        assert_eq!((first.one.as_str(), first.other.as_str(), view.nearest.len()), ("a", "c", 3));
        assert!(view.mean_distance.expect("there are pairs") > first.distance);
        assert_eq!((view.bots.len(), view.not_measured), (3, 2));
        assert!(compared(&styles[..1], 0).mean_distance.is_none());
    }
}
