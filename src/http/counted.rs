//! Counts what is open at a time, by key: streams of a principal, connections of a network. Layer `http`. Keeps I9.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// The number of open things of each key that has any.
#[derive(Debug)]
pub(super) struct Counted<K: Eq + Hash>(Arc<Mutex<HashMap<K, u32>>>);

/// Something open, which is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Open<K: Eq + Hash> {
    key: K,
    all: Arc<Mutex<HashMap<K, u32>>>,
}

impl<K: Eq + Hash> Default for Counted<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Counted<K> {
    /// Counts one more of a key; `None` when `most` of it are open already.
    pub(super) fn open(&self, key: K, most: u32) -> Option<Open<K>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.get(&key).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        all.insert(key.clone(), count + 1);
        Some(Open { key, all: Arc::clone(&self.0) })
    }
}

impl<K: Eq + Hash> Drop for Open<K> {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_of_a_key_are_open_and_another_when_one_ends() {
        let counted = Counted::default();
        let (one, two) = (counted.open("a", 2), counted.open("a", 2));
        assert!(one.is_some() && two.is_some());
        assert!(counted.open("a", 2).is_none() && counted.open("b", 2).is_some());
        drop(two);
        assert!(counted.open("a", 2).is_some());
        drop(one);
        assert!(counted.0.lock().is_ok_and(|all| all.is_empty()), "keys without any take no memory");
    }
}
