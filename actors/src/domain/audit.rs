//! Entries of the audit: who did what to which thing, and from where; and what a check of the chain of its blocks says. Layer
//! `domain`. Keeps I12.
//!
//! This file is longer than others, since each act and each kind of object has its lines.
//!
//! An entry names people and things by their ids, and bots and chats also by their names in the manifest; it holds nothing
//! that people wrote. Its record before and after the act is masked and bounded here, so that no caller can forget that.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::names::names;
use super::time::Timestamp;

/// Largest record of a state before or after an act, as JSON.
const STATE_MAX_BYTES: usize = 8 * 1024;

/// Longest user agent that is kept.
const AGENT_MAX_BYTES: usize = 256;

/// Longest id of a request that is kept.
const REQUEST_MAX_BYTES: usize = 64;

/// Written in the place of a secret.
const MASK: &str = "***";

/// Words in the name of a field whose value is a secret.
const SECRET_WORDS: [&str; 7] =
    ["token", "password", "secret", "api_key", "private_key", "credential", "authorization"];

/// An act that the audit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Act {
    /// Stopped the fleet, a chat or a bot.
    Stop,
    /// Lifted a stop.
    Start,
    /// Let an actor run again that had failed too often.
    Release,
    /// Ended the pauses that Telegram had asked a bot for.
    LiftPauses,
    /// Changed how a bot gets its updates.
    SetDelivery,
    /// Gave a dead letter another try.
    Redeliver,
    /// Said something as a bot.
    Say,
    /// Took over what a bot says in a chat.
    TakeOver,
    /// Gave the bot back, or ended another's take-over.
    EndTakeover,
    /// Had messages of bots deleted.
    DeleteMessages,
    /// Applied a manifest.
    ApplyRoster,
    /// Made a thing of the configuration.
    CreateResource,
    /// Changed a thing of the configuration.
    ChangeResource,
    /// Removed a thing of the configuration.
    RemoveResource,
    /// Went back to an earlier configuration.
    GoBack,
    /// Asked a node to give up everything that it owns.
    DrainNode,
    /// Took that order back.
    UndrainNode,
    /// Moved bots and chats between nodes.
    Rebalance,
    /// Had a person's words removed.
    ForgetPerson,
    /// Opted a person out.
    OptOutPerson,
    /// Took a person's opt-out back.
    OptInPerson,
    /// Read words of messages: once a day for each principal and chat.
    ReadMessages,
    /// Took the audit out of the fleet.
    ExportAudit,
    /// Signed in.
    SignIn,
    /// Made the account of the first admin.
    ClaimFirstAdmin,
    /// Made an account.
    AddUser,
    /// Changed an account.
    ChangeUser,
    /// Removed an account.
    RemoveUser,
    /// Changed one's own password.
    ChangePassword,
    /// Took a second factor into use.
    EnrolSecondFactor,
    /// Ended a session.
    EndSession,
    /// Made an API key.
    AddKey,
    /// Gave an API key another secret.
    RotateKey,
    /// Ended an API key.
    EndKey,
    /// Gave a bot's token or a provider's key.
    SetSecret,
    /// Removed a bot's token or a provider's key that was given.
    RemoveSecret,
    /// Sealed all secrets with the newest key.
    RotateSecrets,
    /// Retired a key that sealed secrets.
    RetireSecretKey,
    /// Gave up the secrets whose key was lost.
    ResetSecrets,
    /// Asked a provider at an address that was given.
    TryProvider,
}

names! { Act {
    Stop = "stop", Start = "start", Release = "release", LiftPauses = "lift_pauses", SetDelivery = "set_delivery",
    Redeliver = "redeliver", Say = "say", TakeOver = "take_over", EndTakeover = "end_takeover",
    DeleteMessages = "delete_messages", ApplyRoster = "apply_roster", CreateResource = "create_resource",
    ChangeResource = "change_resource", RemoveResource = "remove_resource", GoBack = "go_back", DrainNode = "drain_node", UndrainNode = "undrain_node",
    Rebalance = "rebalance", ForgetPerson = "forget_person", OptOutPerson = "opt_out_person",
    OptInPerson = "opt_in_person", ReadMessages = "read_messages", ExportAudit = "export_audit", SignIn = "sign_in",
    ClaimFirstAdmin = "claim_first_admin", AddUser = "add_user", ChangeUser = "change_user", RemoveUser = "remove_user",
    ChangePassword = "change_password", EnrolSecondFactor = "enrol_second_factor", EndSession = "end_session",
    AddKey = "add_key", RotateKey = "rotate_key", EndKey = "end_key",
    SetSecret = "set_secret", RemoveSecret = "remove_secret", RotateSecrets = "rotate_secrets",
    RetireSecretKey = "retire_secret_key", ResetSecrets = "reset_secrets", TryProvider = "try_provider",
} }

/// Identifies an entry: 128 bits, random but for entries that stand for a day.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuditId(pub u128);

impl AuditId {
    /// Returns the id that 32 hexadecimal digits write.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        fits.then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for AuditId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AuditId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an id of the audit has 32 hexadecimal digits"))
    }
}

/// The kind of whoever acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum PrincipalKind {
    /// Whoever uses the local socket.
    Local,
    /// Whoever has not signed in: somebody who signs in, or the first admin.
    Stranger,
    /// A user who signed in.
    User,
    /// A program with an API key.
    Key,
    /// The fleet itself.
    System,
}

/// Whoever acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditPrincipal {
    /// The kind.
    pub kind: PrincipalKind,
    /// The id, where there is one.
    pub id: Option<String>,
    /// The name.
    pub name: String,
}

impl AuditPrincipal {
    /// Returns the text by which entries of this principal are found: the name, whatever the kind. Stored entries carry it, so
    /// the check of the chain compares with the same.
    pub fn key(&self) -> &str {
        &self.name
    }
}

/// The kind of what was acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ObjectKind {
    /// The fleet as a whole.
    Fleet,
    /// A bot.
    Bot,
    /// A chat.
    Chat,
    /// A person, by Telegram's id.
    Person,
    /// A node, by its name.
    Node,
    /// A supervised actor, by its name in the fleet's view.
    Actor,
    /// A dead letter.
    DeadLetter,
    /// The audit.
    Audit,
    /// The account of somebody who operates the fleet.
    User,
    /// A session.
    Session,
    /// An API key.
    Key,
    /// Another thing of the configuration, by kind and name.
    Resource,
    /// A provider, by its name.
    Provider,
    /// The secrets, or a key that seals them, by its id.
    Secrets,
}

names! { ObjectKind {
    Fleet = "fleet", Bot = "bot", Chat = "chat", Person = "person", Node = "node", Actor = "actor",
    DeadLetter = "dead_letter", Audit = "audit", User = "user", Session = "session", Key = "key", Provider = "provider",
    Secrets = "secrets", Resource = "resource",
} }

/// The thing that was acted upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditObject {
    /// The kind.
    pub kind: ObjectKind,
    /// The id within the kind; empty where there is one alone.
    pub id: String,
    /// The name in the manifest, of a bot or chat.
    pub name: Option<String>,
}

impl AuditObject {
    /// Names a thing of a kind by its id.
    pub fn new(kind: ObjectKind, id: impl fmt::Display) -> Self {
        Self { kind, id: id.to_string(), name: None }
    }

    /// Names the only thing of a kind.
    pub fn only(kind: ObjectKind) -> Self {
        Self { kind, id: String::new(), name: None }
    }

    /// Adds the name in the manifest.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns the text by which entries about the thing are found: `bot:7`, or `fleet`.
    pub fn key(&self) -> String {
        let kind = self.kind.as_str();
        if self.id.is_empty() { kind.to_owned() } else { format!("{kind}:{}", self.id) }
    }
}

/// The place that an act came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Origin {
    /// Address of the client.
    pub address: Option<String>,
    /// User agent of the client.
    pub agent: Option<String>,
    /// Id of the request.
    pub request: Option<String>,
    /// Node that took the order.
    pub node: String,
}

impl Origin {
    /// Makes an origin of what a client says of itself, cut to what is kept.
    pub fn new(address: Option<String>, agent: Option<&str>, request: Option<&str>, node: impl Into<String>) -> Self {
        let agent = agent.map(|text| cut(text, AGENT_MAX_BYTES));
        Self { address, agent, request: request.map(|text| cut(text, REQUEST_MAX_BYTES)), node: node.into() }
    }
}

/// How an outward act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ActResult {
    /// Carried out.
    Done,
    /// Not carried out.
    Failed,
    /// Nobody knows: no outcome was stored in time.
    Unknown,
}

/// The part of an act that an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Phase {
    /// An act within the fleet, stored in one transaction with the entry.
    Act,
    /// An outward act that is about to begin.
    Intent,
    /// The end of an outward act.
    Outcome {
        /// The entry of the intent.
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        of: AuditId,
        /// The end.
        result: ActResult,
    },
}

/// An entry of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// The id.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub id: AuditId,
    /// Time of the act.
    pub at: Timestamp,
    /// The act.
    pub act: Act,
    /// The part of the act.
    pub phase: Phase,
    /// Whoever acted.
    pub principal: AuditPrincipal,
    /// The thing that was acted upon.
    pub object: AuditObject,
    /// State before the act, where the act tells it. Secrets are masked.
    pub before: Option<Value>,
    /// State after the act, or the order. Secrets are masked.
    pub after: Option<Value>,
    /// The place that the act came from.
    pub origin: Origin,
}

impl AuditEntry {
    /// Sets the state before the act.
    pub fn set_before(&mut self, state: Value) {
        self.before = Some(bounded(masked(state)));
    }

    /// Sets the state after the act, or the order.
    pub fn set_after(&mut self, state: Value) {
        self.after = Some(bounded(masked(state)));
    }

    /// Returns the entry with the state after the act, or the order.
    #[must_use]
    pub fn with_after(mut self, state: Value) -> Self {
        self.set_after(state);
        self
    }

    /// Returns the entry as that of an intent.
    #[must_use]
    pub fn as_intent(mut self) -> Self {
        self.phase = Phase::Intent;
        self
    }

    /// Returns the outcome of this intent. It is a millisecond later at least, so that lists show it after the intent.
    #[must_use]
    pub fn outcome(&self, id: AuditId, at: Timestamp, result: ActResult) -> Self {
        let at = at.max(self.at + Duration::from_millis(1));
        let phase = Phase::Outcome { of: self.id, result };
        Self { id, at, phase, before: None, after: None, ..self.clone() }
    }
}

/// Returns a state without its secrets.
fn masked(state: Value) -> Value {
    match state {
        Value::Object(fields) => {
            let mask = |(name, value): (String, Value)| {
                let lower = name.to_lowercase();
                let secret = SECRET_WORDS.iter().any(|word| lower.contains(word)) && !value.is_null();
                (name, if secret { Value::from(MASK) } else { masked(value) })
            };
            Value::Object(fields.into_iter().map(mask).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        plain => plain,
    }
}

/// Returns a state, or its size where it is too large to be kept.
fn bounded(state: Value) -> Value {
    let bytes = state.to_string().len();
    if bytes <= STATE_MAX_BYTES { state } else { serde_json::json!({ "too_large_bytes": bytes }) }
}

fn cut(text: &str, max_bytes: usize) -> String {
    let mut kept = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > max_bytes {
            break;
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_at_every_depth() {
        let state =
            json!({ "name": "Ada", "bots": [{ "bot_token": "1:x", "API_KEY": "k", "limit": 3, "password": null }] });
        let expected =
            json!({ "name": "Ada", "bots": [{ "bot_token": "***", "API_KEY": "***", "limit": 3, "password": null }] });
        assert_eq!(masked(state), expected);
    }

    #[test]
    fn what_clients_say_of_themselves_is_bounded() {
        let origin = Origin::new(None, Some(&"ö".repeat(1_000)), Some("a\nb"), "n1");
        assert_eq!(origin.agent.map(|agent| agent.len()), Some(256));
        assert_eq!(origin.request.as_deref(), Some("ab"));
        assert_eq!(bounded(json!("x".repeat(9_000))), json!({ "too_large_bytes": 9_002 }));
    }

    #[test]
    fn an_id_is_what_it_was_written_as() {
        let id = AuditId(7);
        assert_eq!(AuditId::parse(&id.to_string()), Some(id));
        for wrong in ["", "7", "0000000000000000000000000000000G", "+0000000000000000000000000000007"] {
            assert_eq!(AuditId::parse(wrong), None, "{wrong:?}");
        }
    }
}
