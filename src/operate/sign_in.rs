//! Signing in and out, and proving again that an account is one's own. Layer `operate`. Keeps I12.
//!
//! A wrong name, a wrong password and a disabled account get the same answer after the same time. Only who knows the password
//! learns that a code is needed.

use std::time::Instant;

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind, PrincipalKind};
use botfleet_actors::domain::operators::{NAME_MAX, Operator, OperatorId, OperatorSession, Role};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::operators::{CODES_A_MINUTE, CODES_AN_HOUR};
use secrecy::{ExposeSecret, SecretString};

use super::access::known::LASTS_MS;
use super::access::{code, token};
use super::context::Context;
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{OwnSession, SignIn};
use super::principal::Proof;
use super::users::of_user;

/// The proof of somebody who signs in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name of the account.
    pub name: String,
    /// The password.
    pub password: SecretString,
    /// The code of the second factor, or a recovery code.
    pub code: Option<String>,
}

/// A session that was just opened.
#[derive(Debug)]
pub struct Opened {
    /// The name of the account.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The token, which is told once.
    pub token: SecretString,
    /// Instant at which the session ends at the latest.
    pub ends_at: Timestamp,
}

impl Operations {
    /// Opens a session.
    ///
    /// # Errors
    /// `WrongCredentials`, `CodeNeeded`, `TooManyTries`; `SecondFactorNeeded` for an admin without one who comes from another
    /// machine.
    pub async fn sign_in(&self, by: &Granted<SignIn>, credentials: Credentials) -> Result<Opened, Failure> {
        let context = by.principal().context();
        let owner = self.proven(context, &credentials).await;
        let told = |result| metrics::sign_ins_total { result }.increment(1);
        let owner = owner.inspect_err(|failure| told(failure.code.as_str()))?;
        if owner.grants.role == Role::Admin && owner.seed.is_none() && !context.here {
            told(Code::SecondFactorNeeded.as_str());
            let detail = "an admin without a second factor signs in on the machine itself only; enrol one there";
            return Err(Failure::new(Code::SecondFactorNeeded, detail));
        }
        let token = token::session()?;
        let session = OperatorSession {
            id: token::hash(token.expose_secret()),
            handle: token::handle()?,
            operator: owner.id,
            created_at: context.at,
            seen_at: context.at,
            confirmed_at: context.at,
            address: context.address.map(|address| address.to_string()),
            agent: context.agent.clone(),
        };
        let mut entry = self.entry(by, Act::SignIn, of_user(&owner))?;
        (entry.principal.kind, entry.principal.name) = (PrincipalKind::User, owner.name.clone());
        entry.principal.id = Some(owner.id.0.to_string());
        if !self.access.store.open_session(&session, owner.version, &entry).await? {
            // The password was changed, or the account disabled, while this sign-in was under way.
            return Err(wrong());
        }
        told("ok");
        let ends_at = Timestamp::from_millis(context.at.as_millis() + LASTS_MS);
        Ok(Opened { name: owner.name, role: owner.grants.role, token, ends_at })
    }

    /// Ends the caller's own session.
    ///
    /// # Errors
    /// `Conflict` when the caller has no session; `Unavailable`.
    pub async fn sign_out(&self, by: &Granted<OwnSession>) -> Result<(), Failure> {
        let identity = by.principal().identity();
        let (Some(account), Proof::Session { handle, .. }) = (identity.account, &identity.proof) else {
            return Err(no_session());
        };
        let entry = self.entry(by, Act::EndSession, AuditObject::new(ObjectKind::Session, handle))?;
        self.access.store.end_session(account, handle, &entry).await?;
        self.access.known.forget();
        Ok(())
    }

    /// Notes that the caller proved again to own the account, by password or by code.
    ///
    /// # Errors
    /// `WrongCredentials`, `TooManyTries`; `CodeNeeded` where a second factor is enrolled; `Conflict` when the caller has no
    /// session.
    pub async fn confirm(
        &self,
        by: &Granted<OwnSession>,
        password: Option<SecretString>,
        code: Option<String>,
    ) -> Result<(), Failure> {
        let identity = by.principal().identity();
        let Proof::Session { id, .. } = &identity.proof else { return Err(no_session()) };
        let context = by.principal().context();
        let owner = self.access.store.operator_named(&identity.name).await?.ok_or_else(no_session)?;
        let network = context.network();
        self.access.tries.check(network, &owner.name, Instant::now())?;
        let fits = match (password, code) {
            (_, Some(code)) if owner.seed.is_some() => self.code_fits(&owner, &code, context.at).await?,
            _ if owner.seed.is_some() => {
                return Err(Failure::new(Code::CodeNeeded, "send `code`: a second factor is enrolled"));
            }
            (Some(password), _) => self.access.hasher.verify(network, password, owner.password.clone()).await?,
            _ => {
                return Err(Failure::new(
                    Code::BadRequest,
                    "send `password`, or `code` where a second factor is enrolled",
                ));
            }
        };
        if !fits {
            self.access.tries.failed(network, &owner.name, Instant::now());
            return Err(wrong());
        }
        self.access.tries.succeeded(network, &owner.name);
        self.access.store.confirm_session(id, context.at).await?;
        self.access.known.forget();
        Ok(())
    }

    /// Returns the account that credentials prove.
    async fn proven(&self, context: &Context, credentials: &Credentials) -> Result<Operator, Failure> {
        // A name that no account can have costs as much as others, and takes no room.
        let name = if credentials.name.len() > NAME_MAX { String::new() } else { credentials.name.to_lowercase() };
        let network = context.network();
        self.access.tries.check(network, &name, Instant::now())?;
        let failed = || self.access.tries.failed(network, &name, Instant::now());
        let owner = self.access.store.operator_named(&name).await?.filter(|owner| owner.disabled_at.is_none());
        let hash = owner.as_ref().and_then(|owner| owner.password.clone());
        let fits = self.access.hasher.verify(network, credentials.password.clone(), hash).await?;
        let Some(owner) = owner.filter(|_| fits) else {
            failed();
            return Err(wrong());
        };
        if owner.seed.is_some() {
            let Some(code) = &credentials.code else {
                return Err(Failure::new(
                    Code::CodeNeeded,
                    "send the code of your authenticator app, or a recovery code",
                ));
            };
            if !self.code_fits(&owner, code, context.at).await? {
                failed();
                return Err(wrong());
            }
        }
        self.access.tries.succeeded(network, &name);
        Ok(owner)
    }

    /// Uses up a code of an account; returns whether it fitted.
    ///
    /// Nobody guesses a recovery code, so its tries are not counted: the owner comes in by one while somebody who knows the password
    /// uses the tries of the others up.
    pub(super) async fn code_fits(&self, owner: &Operator, sent: &str, now: Timestamp) -> Result<bool, Failure> {
        let store = &self.access.store;
        if !code::is_timed(sent) {
            return Ok(store.use_recovery(owner.id, &code::recovery_hash(sent)).await?);
        }
        if !store.try_code(owner.id).await? {
            return Err(too_many_codes());
        }
        let Some(sealed) = &owner.seed else { return Ok(false) };
        let seed = self.open_seed(owner.id, sealed)?;
        match code::step_of(&seed, sent, now.as_millis() / 1000) {
            Some(step) => Ok(store.use_code(owner.id, step).await?),
            None => Ok(false),
        }
    }
}

/// Returns the owner to whom a seed of an earlier version is sealed.
pub(super) fn sealed_for(account: OperatorId) -> String {
    format!("operator {} seed", account.0)
}

/// Returns the failure of whoever tried too many one-time codes.
pub(super) fn too_many_codes() -> Failure {
    let detail = format!(
        "too many codes: {CODES_A_MINUTE} a minute and {CODES_AN_HOUR} an hour are tried; a recovery code is not counted"
    );
    Failure::new(Code::TooManyTries, detail).after(60)
}

fn wrong() -> Failure {
    Failure::new(Code::WrongCredentials, "name, password or code is wrong")
}

fn no_session() -> Failure {
    Failure::new(Code::Conflict, "you are not signed in by a session")
}
