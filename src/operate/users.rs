//! Accounts, as admins see and change them. Layer `operate`. Keeps I12.

use std::collections::BTreeMap;

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::ids::{BotId, ChatId};
use botfleet_actors::domain::operators::{Grants, NAME_MAX, Operator, OperatorId, Profile, Reach, Role};
use botfleet_actors::ports::operators::Change;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::access::password;
use super::account::OpenSession;
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{ChangeUsers, ReadUsers};

/// Longest e-mail address, in characters.
///
/// # Source
/// RFC 5321, 4.5.3.1.3.
const EMAIL_MAX: usize = 254;

/// Names of principals that are no accounts.
const RESERVED: [&str; 3] = ["local", "stranger", "botfleet"];

/// The names of bots and chats, which a reach stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The bots.
    pub bots: Vec<String>,
    /// The chats.
    pub chats: Vec<String>,
}

/// Permissions, with names instead of ids; without names they concern the whole fleet.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The role.
    pub role: Role,
    /// The bots and chats.
    pub within: Option<Names>,
    /// Set when texts of messages may be read.
    pub reads_texts: bool,
}

/// Changes of an account; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Further facts.
    pub profile: Option<Profile>,
    /// The permissions.
    pub grants: Option<Wanted>,
    /// Whether the account is disabled.
    pub disabled: Option<bool>,
    /// Another password, which ends the account's sessions.
    pub password: Option<SecretString>,
    /// Set to take the second factor away, which ends the account's sessions.
    pub reset_second_factor: bool,
}

impl Operations {
    /// Returns all accounts, by name.
    ///
    /// # Errors
    /// `OutOfReach` for who reaches a part of the fleet alone.
    pub async fn users(&self, by: &Granted<ReadUsers>) -> Result<Vec<Operator>, Failure> {
        by.everything()?;
        Ok(self.access.store.operators().await?)
    }

    /// Returns an account.
    ///
    /// # Errors
    /// `UnknownUser`, `OutOfReach`.
    pub async fn user(&self, by: &Granted<ReadUsers>, name: &str) -> Result<Operator, Failure> {
        by.everything()?;
        self.account_of(name).await
    }

    /// Returns the open sessions of an account, newest first.
    ///
    /// # Errors
    /// `UnknownUser`, `OutOfReach`.
    pub async fn sessions_of(&self, by: &Granted<ReadUsers>, name: &str) -> Result<Vec<OpenSession>, Failure> {
        by.everything()?;
        let owner = self.account_of(name).await?;
        self.open_sessions(by, owner.id).await
    }

    /// Makes an account.
    ///
    /// # Errors
    /// `NameTaken`, `BadRequest`, `UnknownName`, `OutOfReach`.
    pub async fn add_user(
        &self,
        by: &Granted<ChangeUsers>,
        name: &str,
        wanted: &Wanted,
        profile: Profile,
        password: Option<SecretString>,
    ) -> Result<Operator, Failure> {
        by.everything()?;
        let name = checked_name(name)?;
        check_profile(&profile)?;
        let grants = self.grants(wanted, None)?;
        let password = match password {
            Some(new) => {
                password::check_new(&new, &name)?;
                Some(self.access.hasher.hash(by.principal().context().network(), new).await?)
            }
            None => None,
        };
        let operator = Operator {
            id: new_id()?,
            name,
            profile,
            grants,
            password,
            seed: None,
            disabled_at: None,
            created_at: by.principal().context().at,
            version: 1,
        };
        let entry = self.entry(by, Act::AddUser, of_user(&operator))?.with_after(told(&operator));
        let change = self.access.store.add_operator(&operator, &entry).await?;
        self.access.known.forget();
        settled(change)?;
        Ok(operator)
    }

    /// Changes the account of that name and version.
    ///
    /// # Errors
    /// `UnknownUser`, `Changed`, `LastAdmin`, `BadRequest`; `Forbidden` for one's own permissions.
    pub async fn change_user(
        &self,
        by: &Granted<ChangeUsers>,
        name: &str,
        version: i64,
        change: UserChange,
    ) -> Result<Operator, Failure> {
        by.everything()?;
        let mut user = self.account_of(name).await?;
        if user.version != version {
            return settled(Change::Stale).map(|()| user);
        }
        let before = told(&user);
        let own = by.principal().identity().account == Some(user.id);
        if own && (change.grants.is_some() || change.disabled == Some(true)) {
            return Err(Failure::new(Code::Forbidden, "nobody changes their own permissions; ask another admin"));
        }
        let mut ends_sessions =
            change.password.is_some() || change.reset_second_factor || change.disabled == Some(true);
        if let Some(profile) = change.profile {
            check_profile(&profile)?;
            user.profile = profile;
        }
        if let Some(wanted) = &change.grants {
            user.grants = self.grants(wanted, Some(&user.grants.reach))?;
            // An admin without a second factor signs in on the machine only, and so does who becomes one.
            ends_sessions |= user.grants.role == Role::Admin && user.seed.is_none();
        }
        if let Some(disabled) = change.disabled {
            let now = by.principal().context().at;
            user.disabled_at = disabled.then(|| user.disabled_at.unwrap_or(now));
        }
        if change.reset_second_factor {
            user.seed = None;
        }
        if let Some(new) = change.password {
            password::check_new(&new, &user.name)?;
            user.password = Some(self.access.hasher.hash(by.principal().context().network(), new).await?);
        }
        let mut entry = self.entry(by, Act::ChangeUser, of_user(&user))?.with_after(told(&user));
        entry.set_before(before);
        self.change(&user, ends_sessions, &entry).await?;
        Ok(Operator { version: version + 1, ..user })
    }

    /// Removes the account of that name and version, with its sessions and keys.
    ///
    /// # Errors
    /// `UnknownUser`, `Changed`, `LastAdmin`, `OutOfReach`.
    pub async fn remove_user(&self, by: &Granted<ChangeUsers>, name: &str, version: i64) -> Result<(), Failure> {
        by.everything()?;
        let user = self.account_of(name).await?;
        let mut entry = self.entry(by, Act::RemoveUser, of_user(&user))?;
        entry.set_before(told(&user));
        let change = self.access.store.remove_operator(user.id, version, &entry).await?;
        self.access.known.forget();
        settled(change)
    }

    /// Ends a session of an account.
    ///
    /// # Errors
    /// `UnknownUser`, `UnknownSession`, `OutOfReach`.
    pub async fn end_session(&self, by: &Granted<ChangeUsers>, name: &str, handle: &str) -> Result<(), Failure> {
        by.everything()?;
        let owner = self.account_of(name).await?;
        self.end_session_of(by, &owner, handle).await
    }

    /// Returns the account of that name.
    pub(super) async fn account_of(&self, name: &str) -> Result<Operator, Failure> {
        let unknown = || Failure::new(Code::UnknownUser, format!("there is no account {name:?}"));
        self.access.store.operator_named(&name.to_lowercase()).await?.ok_or_else(unknown)
    }

    /// Turns names into permissions. What is within the present reach goes by the name that shows it, though it left the manifest.
    pub(super) fn grants(&self, wanted: &Wanted, present: Option<&Reach>) -> Result<Grants, Failure> {
        if wanted.role == Role::Stranger {
            return Err(Failure::new(Code::BadRequest, "role: give viewer, operator or admin"));
        }
        let reach = match &wanted.within {
            None => Reach::Everything,
            Some(Names { bots, chats }) => {
                let (mut old_bots, mut old_chats) = (BTreeMap::new(), BTreeMap::new());
                if let Some(Reach::Within { bots, chats }) = present {
                    old_bots.extend(bots.iter().map(|bot| (self.shown_bot(*bot), *bot)));
                    old_chats.extend(chats.iter().map(|chat| (self.shown_chat(*chat), *chat)));
                }
                let bot = |name: &String| old_bots.get(name).map_or_else(|| self.bot_named(name), |bot| Ok(*bot));
                let chat = |name: &String| old_chats.get(name).map_or_else(|| self.chat_named(name), |chat| Ok(*chat));
                Reach::Within {
                    bots: bots.iter().map(bot).collect::<Result<_, _>>()?,
                    chats: chats.iter().map(chat).collect::<Result<_, _>>()?,
                }
            }
        };
        Ok(Grants { role: wanted.role, reach, reads_texts: wanted.reads_texts })
    }

    /// Returns the names that a reach stands for; `None` for the whole fleet. A bot or chat that left the manifest is shown by
    /// its number.
    pub fn names_within(&self, reach: &Reach) -> Option<Names> {
        let Reach::Within { bots, chats } = reach else { return None };
        Some(Names {
            bots: bots.iter().map(|bot| self.shown_bot(*bot)).collect(),
            chats: chats.iter().map(|chat| self.shown_chat(*chat)).collect(),
        })
    }

    fn shown_bot(&self, bot: BotId) -> String {
        self.fleet.name_of_bot(bot).unwrap_or_else(|| format!("#{}", bot.0))
    }

    fn shown_chat(&self, chat: ChatId) -> String {
        self.fleet.name_of_chat(chat).unwrap_or_else(|| format!("#{}", chat.0))
    }
}

/// Names an account in the audit.
pub(super) fn of_user(user: &Operator) -> AuditObject {
    AuditObject::new(ObjectKind::User, &user.name)
}

/// Tells the state of an account in the audit: no secret, and whether there is one.
fn told(user: &Operator) -> Value {
    json!({
        "role": user.grants.role,
        "reach": user.grants.reach,
        "reads_texts": user.grants.reads_texts,
        "signs_in": user.password.is_some(),
        "second_factor": user.seed.is_some(),
        "disabled": user.disabled_at.is_some(),
    })
}

/// Returns the failure of a change that was not stored.
pub(super) fn settled(change: Change) -> Result<(), Failure> {
    let (code, detail) = match change {
        Change::Done => return Ok(()),
        Change::Stale => (Code::Changed, "it was changed or removed meanwhile"),
        Change::NameTaken => (Code::NameTaken, "this name is taken"),
        Change::LastAdmin => (Code::LastAdmin, "nobody else may do everything"),
        Change::Full => (Code::Conflict, "there are as many as may be; remove one first"),
    };
    Err(Failure::new(code, detail))
}

/// Returns a new id, made by chance: positive, and exact in JSON.
pub(super) fn new_id() -> Result<OperatorId, Failure> {
    let mut bytes = [0; 8];
    let failed = |_| Failure::new(Code::Unreadable, "the system gives no chance");
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(OperatorId((i64::from_be_bytes(bytes) & 0x1f_ffff_ffff_ffff).max(1)))
}

/// Returns a name for an account, in lower case.
pub(super) fn checked_name(name: &str) -> Result<String, Failure> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '@');
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) || name.starts_with('.') {
        let detail =
            format!("name: give 1 to {NAME_MAX} of the letters a-z, digits, and . - _ @; no . at the beginning");
        return Err(Failure::new(Code::BadRequest, detail));
    }
    let name = name.to_ascii_lowercase();
    if RESERVED.contains(&name.as_str()) {
        return Err(Failure::new(Code::BadRequest, format!("name: {name:?} stands for somebody else in the audit")));
    }
    Ok(name)
}

fn check_profile(profile: &Profile) -> Result<(), Failure> {
    let wrong = |field: &str, why: &str| Err(Failure::new(Code::BadRequest, format!("{field}: {why}")));
    let bad_email = |email: &String| {
        let mut inner = email.chars();
        let _ends = (inner.next(), inner.next_back());
        email.chars().count() > EMAIL_MAX
            || email.chars().any(|c| c.is_control() || c.is_whitespace())
            || !inner.any(|c| c == '@')
    };
    if profile.email.as_ref().is_some_and(bad_email) {
        return wrong("email", "give an address as ada@example.org");
    }
    if profile.language.as_ref().is_some_and(|language| !matches!(language.as_str(), "en" | "tr")) {
        return wrong("language", "give en or tr");
    }
    if profile.time_zone.as_ref().is_some_and(|zone| zone.parse::<chrono_tz::Tz>().is_err()) {
        return wrong("time_zone", "give a name of the IANA database, as Europe/Istanbul");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_plain_and_lower_case() {
        assert_eq!(checked_name("Ada.L").unwrap(), "ada.l");
        for odd in ["", "a b", "çay", "..", ".a", "a/b", &"x".repeat(65)] {
            assert!(checked_name(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn a_profile_is_checked_field_by_field() {
        let profile = |email: Option<&str>, language: Option<&str>, time_zone: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            Profile { email: own(email), language: own(language), time_zone: own(time_zone) }
        };
        assert!(check_profile(&profile(Some("ada@example.org"), Some("tr"), Some("Europe/Istanbul"))).is_ok());
        for odd in [
            profile(Some("ada"), None, None),
            profile(Some("@ada"), None, None),
            profile(Some("@"), None, None),
            profile(Some(&format!("ada@{}", "x".repeat(EMAIL_MAX))), None, None),
            profile(None, Some("xx"), None),
            profile(None, None, Some("Mars/Crater")),
        ] {
            assert!(check_profile(&odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn an_id_is_exact_in_json() {
        for _ in 0..100 {
            assert!((1..=(1 << 53) - 1).contains(&new_id().unwrap().0));
        }
    }
}
