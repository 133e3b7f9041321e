//! The audit: entries of operations, and the reading of them. Layer `operate`. Keeps I8, I12.
//!
//! An operation is granted, then audited, then carried out. What ends in the store takes its entry along into the same
//! transaction; what goes outside it is done between an intent and an outcome.

use botfleet_actors::domain::audit::{
    Act, ActResult, AuditEntry, AuditObject, AuditPrincipal, ObjectKind, PrincipalKind,
};
use botfleet_actors::domain::chain::{AuditHead, AuditPlace, AuditQuery, SealedEntry, Verification};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::audit::AUDIT_ENTRIES_MAX;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use super::cursor::Listing;
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::{Operations, page_of};
use super::permission::{ExportAudit, Permission, ReadAudit};
use super::principal::Proof;

/// Default number of entries on a page.
const PAGE: usize = 100;

/// The entries that are asked for.
#[derive(Clone, Debug, Default)]
pub struct EntriesAsked {
    /// The cursor that the last page told.
    pub after: Option<String>,
    /// Set to begin with the newest.
    pub newest_first: bool,
    /// Entries of this principal alone.
    pub principal: Option<String>,
    /// Entries of this act alone.
    pub act: Option<String>,
    /// Entries about this thing alone, as `bot:7`.
    pub object: Option<String>,
    /// Entries of this time or later.
    pub since: Option<Timestamp>,
    /// Most entries; 100 when absent.
    pub limit: Option<usize>,
}

impl EntriesAsked {
    fn listing(&self) -> Listing {
        let filters = [
            ("principal", self.principal.clone()),
            ("act", self.act.clone()),
            ("object", self.object.clone()),
            ("since", self.since.map(|since| since.as_millis().to_string())),
        ];
        let order = if self.newest_first { "audit, the newest first" } else { "audit, by the blocks" };
        Listing::new(order, &filters)
    }
}

/// A page of entries, in the order asked for.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<SealedEntry>,
    /// The value of `after` for the next page.
    pub next: Option<String>,
}

/// Entries from the first on, and the head that they end with.
pub struct AuditExport {
    /// The head.
    pub head: AuditHead,
    /// The entries, in pages.
    pub entries: BoxStream<'static, Result<Vec<SealedEntry>, Failure>>,
}

impl Operations {
    /// Returns a page of entries.
    ///
    /// # Errors
    /// `BadRequest` for a cursor of another list, when the act is none, or the page has another size; `OutOfReach`, `Unavailable`.
    pub async fn audit_entries(&self, by: &Granted<ReadAudit>, asked: EntriesAsked) -> Result<AuditPage, Failure> {
        by.everything()?;
        let listing = asked.listing();
        let after = listing.read(asked.after.as_deref(), AuditPlace::parse)?;
        if let Some(act) = asked.act.as_deref().filter(|act| Act::parse(act).is_none()) {
            let acts = Act::ALL.map(Act::as_str).join(", ");
            return Err(Failure::new(Code::BadRequest, format!("{act:?} is no act; acts are {acts}")));
        }
        let limit = page_of(asked.limit, PAGE, AUDIT_ENTRIES_MAX)?;
        let EntriesAsked { newest_first, principal, act, object, since, .. } = asked;
        let query = AuditQuery { after, newest_first, until: None, principal, act, object, since, limit };
        let entries = self.fleet.audit.page(&query).await?;
        let next = entries.last().filter(|_| entries.len() == limit).map(|last| listing.after(&last.place));
        Ok(AuditPage { entries, next })
    }

    /// Returns the last block of the chain.
    ///
    /// # Errors
    /// `OutOfReach`, `Unavailable`.
    pub async fn audit_head(&self, by: &Granted<ReadAudit>) -> Result<AuditHead, Failure> {
        by.everything()?;
        Ok(self.fleet.audit.head().await?)
    }

    /// Checks the whole chain, and that the block of a head is in it.
    ///
    /// # Errors
    /// `BadRequest` when the head is none; `OutOfReach`, `Unavailable`.
    pub async fn verify_audit(&self, by: &Granted<ReadAudit>, head: Option<&str>) -> Result<Verification, Failure> {
        by.everything()?;
        let wrong = || Failure::new(Code::BadRequest, "`head` is no head, as `botfleet audit verify` shows one");
        let head = head.map(|text| AuditHead::parse(text).ok_or_else(wrong)).transpose()?;
        Ok(self.fleet.audit.verify(head.as_ref()).await?)
    }

    /// Streams every sealed entry up to the present head. That somebody took them is an entry itself.
    ///
    /// # Errors
    /// `OutOfReach`, `Unavailable`. The stream ends with an error when the store does not answer.
    pub async fn export_audit(&self, by: &Granted<ExportAudit>) -> Result<AuditExport, Failure> {
        by.everything()?;
        let entry = self.entry(by, Act::ExportAudit, AuditObject::only(ObjectKind::Audit))?;
        self.fleet.audit.record(&entry).await?;
        let head = self.fleet.audit.head().await?;
        let (operations, until) = (self.clone(), head.number);
        let pages = stream::try_unfold(AuditPlace::default(), move |after| {
            let operations = operations.clone();
            async move {
                let (after, until) = (Some(after), Some(until));
                let query = AuditQuery { after, until, limit: AUDIT_ENTRIES_MAX, ..AuditQuery::default() };
                let entries = operations.fleet.audit.page(&query).await?;
                let last = entries.last().map(|last| last.place);
                Ok::<_, Failure>(last.map(|last| (entries, last)))
            }
        });
        Ok(AuditExport { head, entries: pages.into_stream().boxed() })
    }

    /// Makes the entry of an act, to be stored with the act.
    pub(super) fn entry<P: Permission>(
        &self,
        by: &Granted<P>,
        act: Act,
        object: AuditObject,
    ) -> Result<AuditEntry, Failure> {
        Ok(self.fleet.audit.entry(act, principal(by), object, by.context().origin())?)
    }

    /// Carries an outward act out between its intent and its outcome. An act whose intent cannot be stored is not begun.
    pub(super) async fn outward<T, E: Into<Failure>>(
        &self,
        entry: AuditEntry,
        order: Value,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        let intent = entry.as_intent().with_after(order);
        self.fleet.audit.record(&intent).await?;
        let done = act.await;
        self.fleet.audit.ended(&intent, if done.is_ok() { ActResult::Done } else { ActResult::Failed }).await;
        done.map_err(Into::into)
    }
}

/// Returns whoever was granted a permission, for the audit.
fn principal<P: Permission>(by: &Granted<P>) -> AuditPrincipal {
    let identity = by.principal().identity();
    let kind = match identity.proof {
        Proof::Nothing => PrincipalKind::Stranger,
        Proof::Local => PrincipalKind::Local,
        Proof::Session { .. } => PrincipalKind::User,
        Proof::Key(_) => PrincipalKind::Key,
    };
    let id = match &identity.proof {
        Proof::Key(id) => Some(id.clone()),
        _ => identity.account.map(|account| account.0.to_string()),
    };
    AuditPrincipal { kind, id, name: identity.name.clone() }
}
