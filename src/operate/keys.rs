//! API keys of accounts. Layer `operate`. Keeps I12.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::operators::{Operator, OperatorKey};
use botfleet_actors::domain::time::Timestamp;
use ipnet::IpNet;
use secrecy::SecretString;
use serde_json::json;

use super::access::token;
use super::account::no_key;
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{ChangeUsers, OwnAccount, OwnSession, Permission, ReadUsers};
use super::users::{Wanted, settled};

/// Longest name of a key, in characters.
const NAME_MAX: usize = 64;

/// Most networks of a key.
const NETWORKS_MAX: usize = 20;

/// Longest time for which the old secret is taken after a rotation: a day.
const OVERLAP_MAX_S: u32 = 24 * 60 * 60;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Longest life of a key, in days.
const DAYS_MAX: u32 = 366;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct KeyWish {
    /// Name, for people.
    pub name: String,
    /// The permissions; those of the owner bound them. Without names they concern all that the owner's concern.
    pub grants: Wanted,
    /// The networks from which it is taken; from everywhere when empty.
    pub networks: Vec<String>,
    /// Days until it ends, 1 to 366.
    pub days: u32,
}

/// A key with the secret, which is told once.
#[derive(Debug)]
pub struct MadeKey {
    /// The stored key.
    pub key: OperatorKey,
    /// The whole key.
    pub secret: SecretString,
}

impl Operations {
    /// Returns the caller's own keys.
    ///
    /// # Errors
    /// `Conflict` for the local socket.
    pub async fn own_keys(&self, by: &Granted<OwnSession>) -> Result<Vec<OperatorKey>, Failure> {
        no_key(by)?;
        let own = self.own_account(by).await?;
        Ok(self.access.store.keys(own.id).await?)
    }

    /// Returns the keys of an account.
    ///
    /// # Errors
    /// `UnknownUser`, `OutOfReach`.
    pub async fn keys_of(&self, by: &Granted<ReadUsers>, name: &str) -> Result<Vec<OperatorKey>, Failure> {
        by.everything()?;
        let owner = self.account_of(name).await?;
        Ok(self.access.store.keys(owner.id).await?)
    }

    /// Makes a key of the caller's.
    ///
    /// # Errors
    /// `Forbidden` when the key would do more than its owner; `BadRequest`; `Conflict` for the local socket.
    pub async fn add_own_key(&self, by: &Granted<OwnAccount>, wish: KeyWish) -> Result<MadeKey, Failure> {
        let own = self.own_account(by).await?;
        self.made_key(by, &own, wish).await
    }

    /// Makes a key of an account.
    ///
    /// # Errors
    /// As for one's own; `UnknownUser`, `OutOfReach`.
    pub async fn add_key_of(&self, by: &Granted<ChangeUsers>, name: &str, wish: KeyWish) -> Result<MadeKey, Failure> {
        by.everything()?;
        let owner = self.account_of(name).await?;
        self.made_key(by, &owner, wish).await
    }

    /// Gives a key of the caller's another secret; the old one is taken for `overlap_s` more.
    ///
    /// # Errors
    /// `UnknownKey`; `BadRequest` for an overlap of more than a day; `Conflict` for the local socket.
    pub async fn rotate_own_key(&self, by: &Granted<OwnAccount>, id: &str, overlap_s: u32) -> Result<MadeKey, Failure> {
        if overlap_s > OVERLAP_MAX_S {
            return Err(Failure::new(Code::BadRequest, format!("overlap_s: give at most {OVERLAP_MAX_S}")));
        }
        let own = self.own_account(by).await?;
        let unknown = || Failure::new(Code::UnknownKey, format!("{} has no key {id:?}", own.name));
        let keys = self.access.store.keys(own.id).await?;
        let key = keys.into_iter().find(|key| key.id == id).ok_or_else(unknown)?;
        let new = token::key_of(id)?;
        let now = by.principal().context().at.as_millis();
        let old_until = Timestamp::from_millis(now + i64::from(overlap_s) * 1000);
        let entry = self.entry(by, Act::RotateKey, AuditObject::new(ObjectKind::Key, id))?;
        let rotated = self.access.store.rotate_key(own.id, id, &new.hash, old_until, &entry).await?;
        self.access.known.forget();
        if !rotated {
            return Err(unknown());
        }
        Ok(MadeKey { key: OperatorKey { old_until: Some(old_until), ..key }, secret: new.key })
    }

    /// Ends a key of the caller's.
    ///
    /// # Errors
    /// `UnknownKey`; `Conflict` for the local socket.
    pub async fn end_own_key(&self, by: &Granted<OwnAccount>, id: &str) -> Result<(), Failure> {
        let own = self.own_account(by).await?;
        self.end_key(by, &own, id).await
    }

    /// Ends a key of an account.
    ///
    /// # Errors
    /// `UnknownUser`, `UnknownKey`, `OutOfReach`.
    pub async fn end_key_of(&self, by: &Granted<ChangeUsers>, name: &str, id: &str) -> Result<(), Failure> {
        by.everything()?;
        let owner = self.account_of(name).await?;
        self.end_key(by, &owner, id).await
    }

    async fn end_key<P: Permission>(&self, by: &Granted<P>, owner: &Operator, id: &str) -> Result<(), Failure> {
        let entry = self.entry(by, Act::EndKey, AuditObject::new(ObjectKind::Key, id))?;
        let entry = entry.with_after(json!({ "user": owner.name }));
        let ended = self.access.store.remove_key(owner.id, id, &entry).await?;
        self.access.known.forget();
        let unknown = || Failure::new(Code::UnknownKey, format!("{} has no key {id:?}", owner.name));
        ended.then_some(()).ok_or_else(unknown)
    }

    async fn made_key<P: Permission>(
        &self,
        by: &Granted<P>,
        owner: &Operator,
        wish: KeyWish,
    ) -> Result<MadeKey, Failure> {
        let wrong = |field: &str, why: String| Failure::new(Code::BadRequest, format!("{field}: {why}"));
        let name = wish.name.trim();
        if name.is_empty() || wish.name.chars().count() > NAME_MAX || wish.name.chars().any(char::is_control) {
            return Err(wrong("name", format!("give 1 to {NAME_MAX} characters")));
        }
        if !(1..=DAYS_MAX).contains(&wish.days) {
            return Err(wrong("days", format!("give 1 to {DAYS_MAX}")));
        }
        if wish.networks.len() > NETWORKS_MAX {
            return Err(wrong("networks", format!("give at most {NETWORKS_MAX}")));
        }
        if let Some(net) = wish.networks.iter().find(|net| net.parse::<IpNet>().is_err()) {
            return Err(wrong("networks", format!("{net:?} is no network as 192.0.2.0/24")));
        }
        let mut grants = self.grants(&wish.grants, Some(&owner.grants.reach))?;
        if wish.grants.within.is_none() {
            grants.reach = owner.grants.reach.clone();
        }
        if !owner.grants.cover(&grants) {
            return Err(Failure::new(Code::Forbidden, format!("a key may do no more than {} may", owner.name)));
        }
        let new = token::key()?;
        let now = by.principal().context().at;
        let key = OperatorKey {
            id: new.id,
            operator: owner.id,
            name: name.to_owned(),
            secret: new.hash,
            grants,
            networks: wish.networks,
            created_at: now,
            expires_at: Some(Timestamp::from_millis(now.as_millis() + i64::from(wish.days) * DAY_MS)),
            used_at: None,
            old_secret: None,
            old_until: None,
        };
        let entry = self.entry(by, Act::AddKey, AuditObject::new(ObjectKind::Key, &key.id))?;
        let entry = entry.with_after(json!({
            "user": owner.name,
            "name": key.name,
            "role": key.grants.role,
            "reach": key.grants.reach,
            "reads_texts": key.grants.reads_texts,
            "networks": key.networks,
            "days": wish.days,
        }));
        settled(self.access.store.add_key(&key, &entry).await?)?;
        Ok(MadeKey { key, secret: new.key })
    }
}
