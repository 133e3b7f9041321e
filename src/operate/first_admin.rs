//! The first admin: a one-time link, or a file. Layer `operate`. Keeps I12.
//!
//! There is no default password. While nobody may do everything, the one who holds the link makes the first account; of several
//! who try at once, on whatever nodes, one wins.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use botfleet_actors::domain::audit::{Act, AuditEntry, AuditPrincipal, Origin, PrincipalKind};
use botfleet_actors::domain::operators::{Grants, Operator, Profile, Reach, Role};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::operators::Change;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::access::{password, token};
use super::context::Context;
use super::failure::{Code, Failure};
use super::operations::Operations;
use super::users::{checked_name, new_id, of_user, settled};

/// Time for which a link is taken, in milliseconds.
const LINK_FOR_MS: i64 = 30 * 60 * 1000;

/// Largest file of a first admin, in bytes.
const FILE_MAX_BYTES: u64 = 4096;

/// The file of a first admin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstAdmin {
    /// The name of the account.
    name: String,
    /// The password's hash, as `botfleet user hash` prints it.
    password_hash: String,
}

impl Operations {
    /// Makes a one-time token for the first admin, which replaces an earlier one; none once there is an admin.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn offer_first_admin(&self) -> Result<Option<SecretString>, Failure> {
        if self.access.store.has_admin().await? {
            return Ok(None);
        }
        let token = token::session()?;
        let until = Timestamp::from_millis(self.now().as_millis() + LINK_FOR_MS);
        let change = self.access.store.offer_first_admin(&token::hash(token.expose_secret()), until).await?;
        Ok((change == Change::Done).then_some(token))
    }

    /// Makes the account of the first admin for whoever holds the token.
    ///
    /// # Errors
    /// `Changed` when the token is unknown, used or over; `BadRequest`, `TooManyTries`.
    pub async fn claim_first_admin(
        &self,
        context: &Context,
        token: &SecretString,
        name: &str,
        password: SecretString,
    ) -> Result<(), Failure> {
        let over = || Failure::new(Code::Changed, "this link was used, or is over; restart the node for another one");
        if !token::is_session(token.expose_secret()) {
            return Err(over());
        }
        if self.access.store.has_admin().await? {
            return Err(over());
        }
        let name = checked_name(name)?;
        password::check_new(&password, &name)?;
        let hash = self.access.hasher.hash(context.network(), password).await?;
        let claim = token::hash(token.expose_secret());
        let operator = admin(name, hash, context.at)?;
        let entry = self.first_entry(&operator, PrincipalKind::Stranger, context.origin())?;
        let change = self.access.store.add_first_admin(&operator, Some(&claim), context.at, &entry).await?;
        self.access.known.forget();
        if change == Change::Stale { Err(over()) } else { settled(change) }
    }

    /// Makes the account of the first admin from a file; returns false once there is an admin.
    ///
    /// # Errors
    /// When the file cannot be read or does not fit, or the store does not answer.
    pub async fn first_admin_of(&self, file: &Path) -> anyhow::Result<bool> {
        if self.access.store.has_admin().await? {
            return Ok(false);
        }
        let FirstAdmin { name, password_hash } =
            read(file).with_context(|| format!("server.first_admin: {}", file.display()))?;
        let operator = admin(checked_name(&name)?, password_hash, self.now())?;
        let entry = self.first_entry(&operator, PrincipalKind::System, Origin::default())?;
        let change = self.access.store.add_first_admin(&operator, None, self.now(), &entry).await?;
        Ok(change == Change::Done)
    }

    fn first_entry(&self, admin: &Operator, kind: PrincipalKind, origin: Origin) -> Result<AuditEntry, Failure> {
        let principal = AuditPrincipal { kind, id: None, name: admin.name.clone() };
        Ok(self.fleet.audit.entry(Act::ClaimFirstAdmin, principal, of_user(admin), origin)?)
    }
}

fn read(file: &Path) -> anyhow::Result<FirstAdmin> {
    if fs::metadata(file).context("it cannot be read")?.len() > FILE_MAX_BYTES {
        bail!("it is longer than {FILE_MAX_BYTES} bytes");
    }
    let found: FirstAdmin = toml::from_str(&fs::read_to_string(file)?)?;
    if !password::is_hash(&found.password_hash) {
        bail!("password_hash is no argon2id hash; botfleet user hash makes one");
    }
    Ok(found)
}

fn admin(name: String, hash: String, now: Timestamp) -> Result<Operator, Failure> {
    Ok(Operator {
        id: new_id()?,
        name,
        profile: Profile::default(),
        grants: Grants { role: Role::Admin, reach: Reach::Everything, reads_texts: false },
        password: Some(hash),
        seed: None,
        disabled_at: None,
        created_at: now,
        version: 1,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_file_holds_a_name_and_a_hash_and_no_password() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("admin.toml");
        let hash = "$argon2id$v=19$m=47104,t=1,p=1$Ym90ZmxlZXQtbm9ib2R5cw$q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k";
        fs::write(&file, format!("name = \"ada\"\npassword_hash = \"{hash}\"\n")).unwrap();
        assert_eq!(read(&file).unwrap().name, "ada");
        fs::write(&file, "name = \"ada\"\npassword_hash = \"hunter2\"\n").unwrap();
        let refused = read(&file).unwrap_err().to_string();
        assert!(refused.contains("botfleet user hash") && !refused.contains("hunter2"), "{refused}");
    }
}
