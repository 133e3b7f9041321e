//! Seeds of one-time codes: sealed by the keys that seal all secrets. Layer `operate`. Keeps I12.
//!
//! Seeds of earlier versions are sealed by the key of a file of their own (`server.key_file`). They go on opening; a rotation
//! moves them over, so that an older node of the same fleet opens them until then.

use botfleet_actors::domain::operators::OperatorId;
use secrecy::zeroize::Zeroizing;

use super::failure::{Code, Failure};
use super::operations::Operations;
use super::sign_in::sealed_for;

/// The table and the column that a seed is bound to.
const TABLE: &str = "operator";
const COLUMN: &str = "seed";

impl Operations {
    /// Seals the seed of an account.
    ///
    /// # Errors
    /// `CannotSeal`, `Unavailable`.
    pub(super) async fn seal_seed(&self, account: OperatorId, seed: &[u8]) -> Result<String, Failure> {
        Ok(self.fleet.secrets().seal_text(TABLE, COLUMN, &account.0.to_string(), seed).await?)
    }

    /// Opens the seed of an account.
    ///
    /// # Errors
    /// `Unreadable` when the key is missing, or the text belongs to somebody else.
    pub(super) fn open_seed(&self, account: OperatorId, sealed: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match self.fleet.secrets().open_text(TABLE, COLUMN, &account.0.to_string(), sealed) {
            Some(opened) => opened.map_err(|error| {
                tracing::error!(account = account.0, %error, "the seed of a second factor cannot be opened");
                Failure::new(Code::Unreadable, "a sealed secret cannot be opened with the keys of this node")
            }),
            None => self.access.seal.open(&sealed_for(account), sealed).map(Zeroizing::new),
        }
    }

    /// Seals by the newest key whatever seed is sealed by another; returns how many were, and how many are left.
    pub(super) async fn reseal_seeds(&self) -> Result<(u64, u64), Failure> {
        let (mut sealed, mut left) = (0, 0);
        for user in self.access.store.operators().await? {
            let Some(old) = user.seed.filter(|seed| !self.fleet.secrets().is_newest(seed)) else { continue };
            let Ok(seed) = self.open_seed(user.id, &old) else {
                left += 1;
                continue;
            };
            let new = self.seal_seed(user.id, &seed).await?;
            // One that changed meanwhile was sealed by the newest key.
            sealed += u64::from(self.fleet.secrets().rewrap_seed(user.id, &old, &new).await?);
        }
        Ok((sealed, left))
    }
}

/// Returns whether a node with one of these keys could open a seed; seeds of earlier versions are none of these keys'.
pub(super) fn may_open(sealed: &str, held: &[String]) -> bool {
    match sealed.strip_prefix("s2.").and_then(|rest| rest.split_once('.')) {
        Some((key, _)) => held.iter().any(|id| id == key),
        None => true,
    }
}
