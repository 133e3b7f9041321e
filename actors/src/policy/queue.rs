//! A bounded queue of three priorities, fair among keys, with ageing. Layer `policy`. Keeps I9.
//!
//! Of every twelve items served while all three priorities wait, eight are of the first, three of the second, one of
//! the third. Within a priority keys take turns, so that a busy key starves no other. An item that has waited longer
//! than `age_after` is served whatever its priority: while such items wait, at least every second item served is the
//! oldest of all. So an item is served at the latest 2 x (items older than it) + 2 pops after it has aged. A full queue
//! sheds the youngest item of the lowest priority, which may be the new one. Times are arguments.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Priorities: 0 for people who wait, 1 for bots, 2 for talk that nobody asked for.
pub const PRIORITIES: usize = 3;

/// Number of items of each priority in a round of twelve.
const WEIGHTS: [u32; PRIORITIES] = [8, 3, 1];

/// Where an item stood in the queue, so that the item can be put back there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    priority: usize,
    number: u64,
    since: Instant,
    /// The item was served because of its age.
    aged: bool,
}

impl Place {
    /// Returns the place before all others of the priority.
    pub fn new(priority: usize, now: Instant) -> Self {
        Self { priority: priority.min(PRIORITIES - 1), number: 0, since: now, aged: false }
    }

    /// Returns priority and number: the greater the pair, the less urgent.
    pub fn rank(self) -> (usize, u64) {
        (self.priority, self.number)
    }
}

struct Waiting<T> {
    item: T,
    number: u64,
}

/// One priority: its items by key, and the keys in the order of their turns.
struct Class<K, T> {
    keys: HashMap<K, VecDeque<Waiting<T>>>,
    turns: VecDeque<K>,
    /// The number of every item, with the item's key and the instant since when it has waited.
    order: BTreeMap<u64, (K, Instant)>,
}

impl<K, T> Default for Class<K, T> {
    fn default() -> Self {
        Self { keys: HashMap::new(), turns: VecDeque::new(), order: BTreeMap::new() }
    }
}

impl<K: Clone + Eq + Hash, T> Class<K, T> {
    fn push(&mut self, key: K, item: T, number: u64, now: Instant) {
        self.order.insert(number, (key.clone(), now));
        let items = self.keys.entry(key.clone()).or_default();
        if items.is_empty() {
            self.turns.push_back(key);
        }
        items.push_back(Waiting { item, number });
    }

    /// Takes the next item by turns of the keys.
    fn pop(&mut self) -> Option<(T, u64, Instant)> {
        let key = self.turns.pop_front()?;
        let items = self.keys.get_mut(&key)?;
        let waiting = items.pop_front()?;
        if items.is_empty() {
            self.keys.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        let (_, since) = self.order.remove(&waiting.number)?;
        Some((waiting.item, waiting.number, since))
    }

    /// Puts an item back where it stood among those of its key, and its key before the others.
    fn put_back(&mut self, key: K, item: T, number: u64, since: Instant) {
        self.order.insert(number, (key.clone(), since));
        let items = self.keys.entry(key.clone()).or_default();
        let at = items.partition_point(|waiting| waiting.number < number);
        items.insert(at, Waiting { item, number });
        if self.turns.front() != Some(&key) {
            self.turns.retain(|other| *other != key);
            self.turns.push_front(key);
        }
    }

    fn take(&mut self, number: u64) -> Option<(T, u64, Instant)> {
        let (key, since) = self.order.remove(&number)?;
        let items = self.keys.get_mut(&key)?;
        let at = items.iter().position(|waiting| waiting.number == number)?;
        let taken = items.remove(at);
        if items.is_empty() {
            self.keys.remove(&key);
            self.turns.retain(|other| *other != key);
        }
        taken.map(|waiting| (waiting.item, number, since))
    }
}

/// A bounded queue with priorities, fair among keys.
pub struct FairQueue<K, T> {
    classes: [Class<K, T>; PRIORITIES],
    credits: [u32; PRIORITIES],
    capacity: usize,
    age_after: Duration,
    next: u64,
    aged_last: bool,
}

impl<K: Clone + Eq + Hash, T> FairQueue<K, T> {
    /// Creates an empty queue for at most `capacity` items, at least one.
    pub fn new(capacity: usize, age_after: Duration) -> Self {
        Self {
            classes: std::array::from_fn(|_| Class::default()),
            credits: WEIGHTS,
            capacity: capacity.max(1),
            age_after,
            next: 0,
            aged_last: false,
        }
    }

    /// Returns the number of waiting items.
    pub fn len(&self) -> usize {
        self.classes.iter().map(|class| class.order.len()).sum()
    }

    /// Returns whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.classes.iter().all(|class| class.order.is_empty())
    }

    /// Returns the number of waiting items, by priority.
    pub fn lengths(&self) -> [usize; PRIORITIES] {
        std::array::from_fn(|priority| self.classes[priority].order.len())
    }

    /// Adds an item; priorities beyond the last count as the last. Returns the item that a full queue sheds: the
    /// youngest item of the lowest priority, possibly the new one.
    pub fn push(&mut self, priority: usize, key: K, item: T, now: Instant) -> Option<T> {
        self.push_beside(0, priority, key, item, now)
    }

    /// Adds an item as `push` does, while `beside` items that were taken out still count against the capacity.
    pub fn push_beside(&mut self, beside: usize, priority: usize, key: K, item: T, now: Instant) -> Option<T> {
        let priority = priority.min(PRIORITIES - 1);
        let mut shed = None;
        if self.len() + beside >= self.capacity {
            let lowest = self.classes.iter().rposition(|class| !class.order.is_empty()).unwrap_or(0);
            if priority >= lowest {
                return Some(item);
            }
            let youngest = self.classes[lowest].order.keys().next_back().copied();
            shed = youngest.and_then(|number| self.classes[lowest].take(number)).map(|(item, ..)| item);
        }
        self.next += 1;
        self.classes[priority].push(key, item, self.next, now);
        shed
    }

    /// Takes the next item to serve.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        self.pop_place(now).map(|(item, _)| item)
    }

    /// Puts back an item that could not be served, before those that came after it, even if the queue is full.
    pub fn put_back(&mut self, key: K, item: T, place: Place) {
        let Place { priority, number, since, aged } = place;
        self.classes[priority].put_back(key, item, number, since);
        if aged {
            self.aged_last = false;
        } else {
            self.credits[priority] = (self.credits[priority] + 1).min(WEIGHTS[priority]);
        }
    }

    /// Returns the rank of the item that would be shed first.
    pub fn least_urgent(&self) -> Option<(usize, u64)> {
        let classes = self.classes.iter().enumerate();
        classes.filter_map(|(priority, class)| Some((priority, *class.order.keys().next_back()?))).max()
    }

    /// Takes the next item to serve, with its place.
    pub fn pop_place(&mut self, now: Instant) -> Option<(T, Place)> {
        let placed = |priority, aged| move |(item, number, since)| (item, Place { priority, number, since, aged });
        if !self.aged_last
            && let Some((class, number)) = self.aged(now)
        {
            self.aged_last = true;
            return self.classes[class].take(number).map(placed(class, true));
        }
        self.aged_last = false;
        let waits = |queue: &Self, class: usize| !queue.classes[class].order.is_empty();
        for _ in 0..2 {
            let due = (0..PRIORITIES).find(|class| self.credits[*class] > 0 && waits(self, *class));
            if let Some(class) = due {
                self.credits[class] -= 1;
                return self.classes[class].pop().map(placed(class, false));
            }
            self.credits = WEIGHTS;
        }
        None
    }

    /// Returns the oldest of all items, if it has waited longer than `age_after`.
    fn aged(&self, now: Instant) -> Option<(usize, u64)> {
        let heads = self.classes.iter().enumerate().filter_map(|(class, items)| {
            let (number, (_, since)) = items.order.first_key_value()?;
            Some((*number, class, *since))
        });
        let (number, class, since) = heads.min_by_key(|(number, ..)| *number)?;
        (now.saturating_duration_since(since) > self.age_after).then_some((class, number))
    }

    /// Takes out every item for which `which` is true, in order of arrival.
    pub fn extract(&mut self, which: impl Fn(&T) -> bool) -> Vec<T> {
        let mut found: Vec<(u64, usize)> = Vec::new();
        for (class, items) in self.classes.iter().enumerate() {
            let waiting = items.keys.values().flatten().filter(|waiting| which(&waiting.item));
            found.extend(waiting.map(|waiting| (waiting.number, class)));
        }
        found.sort_unstable();
        found
            .into_iter()
            .filter_map(|(number, class)| self.classes[class].take(number))
            .map(|(item, ..)| item)
            .collect()
    }

    /// Returns every waiting item, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.classes.iter().flat_map(|class| class.keys.values().flatten().map(|waiting| &waiting.item))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_secs(1_000_000);

    fn full_of(counts: [usize; PRIORITIES]) -> FairQueue<u8, (usize, usize)> {
        let mut queue = FairQueue::new(1_000, LONG);
        let now = Instant::now();
        for (priority, count) in counts.into_iter().enumerate() {
            for n in 0..count {
                assert_eq!(queue.push(priority, 0, (priority, n), now), None);
            }
        }
        queue
    }

    #[test]
    fn of_twelve_eight_three_and_one_are_served() {
        let mut queue = full_of([40, 40, 40]);
        let now = Instant::now();
        for _ in 0..3 {
            let mut served = [0; PRIORITIES];
            (0..12).for_each(|_| served[queue.pop(now).unwrap().0] += 1);
            assert_eq!(served, [8, 3, 1]);
        }
        assert_eq!(queue.lengths(), [16, 31, 37]);
    }

    #[test]
    fn a_priority_that_does_not_wait_leaves_its_share_to_others() {
        let mut queue = full_of([0, 0, 5]);
        let now = Instant::now();
        assert_eq!((0..5).map(|_| queue.pop(now).unwrap().1).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert!(queue.pop(now).is_none() && queue.is_empty());
    }

    #[test]
    fn a_busy_key_starves_no_other() {
        let mut queue = FairQueue::new(1_000, LONG);
        let now = Instant::now();
        for n in 0..500 {
            queue.push(0, "busy", n, now);
        }
        queue.push(0, "quiet", 1_000, now);
        queue.push(0, "third", 2_000, now);
        assert_eq!((0..4).map(|_| queue.pop(now).unwrap()).collect::<Vec<_>>(), [0, 1_000, 2_000, 1]);
    }

    #[test]
    fn a_full_queue_sheds_the_youngest_of_the_lowest_priority() {
        let mut queue = FairQueue::new(3, LONG);
        let now = Instant::now();
        for (priority, item) in [(2, "old talk"), (2, "young talk"), (1, "bot")] {
            assert_eq!(queue.push(priority, 0, item, now), None);
        }
        assert_eq!(queue.push(2, 0, "more talk", now), Some("more talk"));
        assert_eq!(queue.push(0, 0, "person", now), Some("young talk"));
        assert_eq!(queue.push(0, 0, "person two", now), Some("old talk"));
        assert_eq!(queue.push(1, 0, "bot two", now), Some("bot two"));
        assert_eq!(queue.push(0, 0, "person three", now), Some("bot"));
        assert_eq!(queue.push(0, 0, "person four", now), Some("person four"));
        assert_eq!(queue.lengths(), [3, 0, 0]);
    }

    #[test]
    fn what_is_put_back_keeps_its_place_and_people_still_go_first() {
        let (mut queue, now) = (FairQueue::new(100, LONG), Instant::now());
        for (priority, key, item) in [(1, "a", "first"), (1, "b", "second"), (1, "a", "third")] {
            assert_eq!(queue.push(priority, key, item, now), None);
        }
        let (first, first_place) = queue.pop_place(now).unwrap();
        let (second, second_place) = queue.pop_place(now).unwrap();
        queue.put_back("b", second, second_place);
        queue.put_back("a", first, first_place);
        assert_eq!(queue.push(0, "c", "person", now), None);
        assert_eq!(queue.least_urgent(), Some((1, 3)));
        let served: Vec<_> = std::iter::from_fn(|| queue.pop(now)).collect();
        assert_eq!(served, ["person", "first", "second", "third"]);
    }

    #[test]
    fn what_was_taken_out_still_counts() {
        let (mut queue, now) = (FairQueue::new(2, LONG), Instant::now());
        assert_eq!(queue.push_beside(1, 1, 0, "fits", now), None);
        assert_eq!(queue.push_beside(1, 1, 0, "too many", now), Some("too many"));
        assert_eq!(queue.push_beside(1, 0, 0, "person", now), Some("fits"));
    }

    proptest! {
        /// The bound that the head of this file states.
        #[test]
        fn an_aged_item_is_served_within_twice_the_items_older_than_it(
            before in prop::collection::vec((0usize..3, 0u8..4), 0..40),
            priority in 0usize..3,
            flood in prop::collection::vec((0usize..3, 0u8..4), 1..8),
        ) {
            let mut queue = FairQueue::new(10_000, Duration::from_secs(10));
            let start = Instant::now();
            for (n, (priority, key)) in before.iter().enumerate() {
                queue.push(*priority, *key, n, start);
            }
            queue.push(priority, 9, 5_000, start);
            let later = start + Duration::from_secs(11);
            let mut pops = 0;
            loop {
                for (priority, key) in &flood {
                    queue.push(*priority, *key, 9_999, later);
                }
                pops += 1;
                if queue.pop(later) == Some(5_000) {
                    break;
                }
                prop_assert!(pops <= 2 * before.len() + 2, "{pops} pops, {} before it", before.len());
            }
        }

        #[test]
        fn nothing_is_lost_or_served_twice(
            steps in prop::collection::vec((0usize..3, 0u8..4, any::<bool>(), any::<bool>()), 1..300)
        ) {
            let mut queue = FairQueue::new(20, Duration::from_millis(5));
            let (start, mut out) = (Instant::now(), HashSet::new());
            for (n, (priority, key, pop, extract)) in steps.iter().enumerate() {
                let now = start + Duration::from_millis(n as u64);
                if let Some(shed) = queue.push(*priority, *key, n, now) {
                    prop_assert!(out.insert(shed));
                }
                if *pop && let Some(served) = queue.pop(now) {
                    prop_assert!(out.insert(served));
                }
                if *extract && n % 7 == 0 {
                    for taken in queue.extract(|item| item % 3 == 0) {
                        prop_assert!(out.insert(taken));
                    }
                }
                prop_assert!(queue.len() <= 20);
                prop_assert_eq!(queue.len() + out.len(), n + 1);
                prop_assert_eq!(queue.iter().count(), queue.len());
            }
            let now = start + Duration::from_secs(9);
            while let Some(item) = queue.pop(now) {
                prop_assert!(out.insert(item));
            }
            prop_assert_eq!(out.len(), steps.len());
        }
    }
}
