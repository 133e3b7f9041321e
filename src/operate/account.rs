//! One's own account: sessions, password and second factor. Layer `operate`. Keeps I12.

use botfleet_actors::domain::audit::{Act, AuditEntry, AuditObject, ObjectKind};
use botfleet_actors::domain::operators::{Operator, OperatorId, OperatorSession};
use botfleet_actors::domain::time::Timestamp;
use data_encoding::BASE32_NOPAD;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use serde_json::json;

use super::access::known::{IDLE_MS, LASTS_MS};
use super::access::{code, password};
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{OwnAccount, OwnSession, Permission};
use super::principal::Proof;
use super::sign_in::too_many_codes;
use super::users::{of_user, settled};

/// The seed of a second factor that is not in use yet.
#[derive(Debug)]
pub struct NewFactor {
    /// The seed, in base32, for typing.
    pub secret: String,
    /// The seed as an address, for scanning.
    pub address: String,
    /// The sealed seed, which is sent back with the first code.
    pub sealed: String,
}

/// A session that is not over.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// The session.
    pub session: OperatorSession,
    /// Set for the session that asks.
    pub asks: bool,
}

impl Operations {
    /// Returns the caller's account.
    ///
    /// # Errors
    /// `Conflict` for the local socket, which has none.
    pub(super) async fn own_account<P: Permission>(&self, by: &Granted<P>) -> Result<Operator, Failure> {
        let none = || Failure::new(Code::Conflict, "the local socket has no account of its own; name one");
        let id = by.principal().identity().account.ok_or_else(none)?;
        let all = self.access.store.operators().await?;
        all.into_iter().find(|operator| operator.id == id).ok_or_else(none)
    }

    /// Returns the caller's own open sessions, newest first.
    ///
    /// # Errors
    /// `Conflict` for the local socket.
    pub async fn own_sessions(&self, by: &Granted<OwnSession>) -> Result<Vec<OpenSession>, Failure> {
        no_key(by)?;
        let own = self.own_account(by).await?;
        self.open_sessions(by, own.id).await
    }

    /// Returns the sessions of an account that are not over, newest first.
    pub(super) async fn open_sessions<P: Permission>(
        &self,
        by: &Granted<P>,
        owner: OperatorId,
    ) -> Result<Vec<OpenSession>, Failure> {
        let ago = |ms: i64| Timestamp::from_millis(self.now().as_millis() - ms);
        let open = self.access.store.sessions(owner, ago(LASTS_MS), ago(IDLE_MS)).await?;
        let asks = |session: &OperatorSession| match &by.principal().identity().proof {
            Proof::Session { id, .. } => session.id == *id,
            _ => false,
        };
        Ok(open.into_iter().map(|session| OpenSession { asks: asks(&session), session }).collect())
    }

    /// Ends a session of the caller's.
    ///
    /// # Errors
    /// `UnknownSession`; `Conflict` for the local socket.
    pub async fn end_own_session(&self, by: &Granted<OwnSession>, handle: &str) -> Result<(), Failure> {
        no_key(by)?;
        let own = self.own_account(by).await?;
        self.end_session_of(by, &own, handle).await
    }

    /// Gives the caller's account another password, and ends its sessions.
    ///
    /// # Errors
    /// `BadRequest` for a password that is too easy; `Conflict` for the local socket.
    pub async fn change_own_password(&self, by: &Granted<OwnAccount>, new: SecretString) -> Result<(), Failure> {
        let own = self.own_account(by).await?;
        password::check_new(&new, &own.name)?;
        let hash = self.access.hasher.hash(by.principal().context().network(), new).await?;
        let entry = self.entry(by, Act::ChangePassword, of_user(&own))?;
        self.change(&Operator { password: Some(hash), ..own }, true, &entry).await
    }

    /// Makes the seed of a second factor; nothing is stored before the first code is sent with it.
    ///
    /// # Errors
    /// `CannotSeal` when no key for secrets is there; `Conflict` for the local socket.
    pub async fn begin_second_factor(&self, by: &Granted<OwnAccount>) -> Result<NewFactor, Failure> {
        let own = self.own_account(by).await?;
        let mut seed = [0; code::SEED_BYTES];
        let failed = |_| Failure::new(Code::Unreadable, "the system gives no chance");
        SystemRandom::new().fill(&mut seed).map_err(failed)?;
        let sealed = self.seal_seed(own.id, &seed).await?;
        Ok(NewFactor { secret: BASE32_NOPAD.encode(&seed), address: code::address(&seed, &own.name), sealed })
    }

    /// Takes the second factor into use once its first code fits; returns recovery codes, which are told once.
    ///
    /// # Errors
    /// `WrongCredentials` when the code does not fit; `BadRequest` for another account's seed.
    pub async fn take_second_factor(
        &self,
        by: &Granted<OwnAccount>,
        sealed: String,
        sent: &str,
    ) -> Result<Vec<String>, Failure> {
        let own = self.own_account(by).await?;
        let other = |_| Failure::new(Code::BadRequest, "sealed: send what the begin of the enrolment told");
        let seed = self.open_seed(own.id, &sealed).map_err(other)?;
        let wrong = || Failure::new(Code::WrongCredentials, "the code does not fit; check the clock of your phone");
        if !self.access.store.try_code(own.id).await? {
            return Err(too_many_codes());
        }
        let now = by.principal().context().at.as_millis() / 1000;
        let step = code::step_of(&seed, sent, now).ok_or_else(wrong)?;
        if !self.access.store.use_code(own.id, step).await? {
            return Err(wrong());
        }
        let codes = code::recovery()?;
        let hashes: Vec<String> = codes.iter().map(|code| code::recovery_hash(code)).collect();
        let entry = self.entry(by, Act::EnrolSecondFactor, of_user(&own))?;
        let enrolled = Operator { seed: Some(sealed), ..own };
        let change = self.access.store.take_second_factor(&enrolled, &hashes, &entry).await?;
        self.access.known.forget();
        settled(change)?;
        Ok(codes)
    }

    /// Stores a changed account.
    pub(super) async fn change(
        &self,
        operator: &Operator,
        end_sessions: bool,
        entry: &AuditEntry,
    ) -> Result<(), Failure> {
        let change = self.access.store.change_operator(operator, end_sessions, entry).await?;
        self.access.known.forget();
        settled(change)
    }

    pub(super) async fn end_session_of<P: Permission>(
        &self,
        by: &Granted<P>,
        owner: &Operator,
        handle: &str,
    ) -> Result<(), Failure> {
        let entry = self.entry(by, Act::EndSession, AuditObject::new(ObjectKind::Session, handle))?;
        let entry = entry.with_after(json!({ "user": owner.name }));
        let ended = self.access.store.end_session(owner.id, handle, &entry).await?;
        self.access.known.forget();
        let unknown = || Failure::new(Code::UnknownSession, format!("{} has no session {handle:?}", owner.name));
        ended.then_some(()).ok_or_else(unknown)
    }
}

/// Checks that no API key asks: a key that leaked must not keep its owner out, nor see how the owner signs in.
pub(super) fn no_key<P: Permission>(by: &Granted<P>) -> Result<(), Failure> {
    match by.principal().identity().proof {
        Proof::Key(_) => Err(Failure::new(Code::Forbidden, "no API key sees or ends sessions and keys: sign in")),
        _ => Ok(()),
    }
}
