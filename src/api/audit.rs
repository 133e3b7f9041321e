//! The audit: who did what, and the check that nobody changed it. Layer `api`.

use botfleet_actors::domain::audit::AuditEntry;
use botfleet_actors::domain::chain::{AuditHead, SealedEntry, Verification};
use botfleet_actors::domain::time::Timestamp;
use futures::StreamExt;
use futures::stream;
use serde::{Deserialize, Serialize};

use super::answer::{Json, Lines};
use super::route::{Body, Call, Example, Method, Need, Nothing, Route};
use crate::operate::audit::EntriesAsked;
use crate::operate::failure::Failure;
use crate::operate::grant::Granted;
use crate::operate::operations::Operations;
use crate::operate::permission;

/// Selects a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// Entries after the last page: its `next`.
    #[cfg_attr(feature = "schema", param(pattern = "^[A-Za-z0-9_-]{13,256}$"))]
    pub after: Option<String>,
    /// Set to begin with the newest.
    pub newest_first: bool,
    /// Entries of this principal alone, by name: an account, as `ada`, a key of it, as `ada/backup`, or `local`.
    pub principal: Option<String>,
    /// Entries of this act alone, as `stop`.
    #[cfg_attr(feature = "schema", param(value_type = botfleet_actors::domain::audit::Act))]
    pub act: Option<String>,
    /// Entries about this thing alone: `fleet`, or a kind and an id, as `bot:7`.
    pub object: Option<String>,
    /// Entries of this time or later, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Most entries, 1 to 500; 100 when absent.
    #[cfg_attr(feature = "schema", param(minimum = 1, maximum = 500))]
    pub limit: Option<usize>,
}

/// An entry in its block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditLine {
    /// Place in the chain: the block's number, a dot, the place within the block.
    pub place: String,
    /// Id.
    pub id: String,
    /// Hash of the entry with its salt, as in the block.
    pub hash: String,
    /// The entry; null when its contents were removed, or cannot be read.
    pub entry: Option<AuditEntry>,
    /// Set when the contents are there, and are those of another version of the program.
    #[serde(default)]
    pub unread: bool,
}

impl From<SealedEntry> for AuditLine {
    fn from(SealedEntry { place, id, hash, entry, unread }: SealedEntry) -> Self {
        Self { place: place.to_string(), id: id.to_string(), hash, entry, unread }
    }
}

/// A page of entries, in the order asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditLines {
    /// The entries.
    pub entries: Vec<AuditLine>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// GET /api/v1/audit.
pub struct List;

impl Route for List {
    const NAME: &'static str = "list_audit";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/audit";
    const SUMMARY: &'static str = "Lists what operators did, in the order of the chain's blocks, or the newest first.";
    const MORE: &'static str = "An entry is listed once it is sealed, about a second after the act. Who goes on from `next`, oldest first, \
                                misses none, however long an act took.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/audit?act=stop&newest_first=true&limit=10",
        body: "",
        answer: r#"{"entries":[{"place":"12.1","id":"0d1f0c3b5a6e4f708192a3b4c5d6e7f8","hash":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","entry":{"id":"0d1f0c3b5a6e4f708192a3b4c5d6e7f8","at":1790000000000,"act":"stop","phase":{"is":"act"},"principal":{"kind":"local","id":null,"name":"local"},"object":{"kind":"chat","id":"3","name":"lounge"},"before":{"stop":null},"after":{"stop":{"firm":{"until":null,"rank":"operator","at":1790000000000},"doubts":[]}},"origin":{"address":null,"agent":null,"request":null,"node":"n1"}},"unread":false}],"next":null}"#,
    };
    type Permission = permission::ReadAudit;
    type Path = Nothing;
    type Query = Page;
    type Body = Nothing;
    type Answer = Json<AuditLines>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::ReadAudit>,
        call: Call<Self>,
    ) -> Result<Json<AuditLines>, Failure> {
        let Page { after, newest_first, principal, act, object, since, limit } = call.query;
        let since = since.map(Timestamp::from_millis);
        let asked = EntriesAsked { after, newest_first, principal, act, object, since, limit };
        let page = operations.audit_entries(&by, asked).await?;
        Ok(Json(AuditLines { entries: page.entries.into_iter().map(AuditLine::from).collect(), next: page.next }))
    }
}

/// The last block of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HeadNow {
    /// The block's number, a dash, its hash.
    pub head: String,
}

/// GET /api/v1/audit/head.
pub struct Head;

impl Route for Head {
    const NAME: &'static str = "get_audit_head";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/audit/head";
    const SUMMARY: &'static str = "Shows the last block of the audit's chain.";
    const MORE: &'static str = "Kept elsewhere, it proves later that nothing up to there was changed or cut off.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/audit/head",
        body: "",
        answer: r#"{"head":"12-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#,
    };
    type Permission = permission::ReadAudit;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Json<HeadNow>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::ReadAudit>,
        _: Call<Self>,
    ) -> Result<Json<HeadNow>, Failure> {
        let head = operations.audit_head(&by).await?;
        Ok(Json(HeadNow { head: head.to_string() }))
    }
}

/// The head to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Known {
    /// A head of a time ago, as an export, the log or an earlier check shows it.
    #[cfg_attr(feature = "schema", schema(pattern = "^[0-9]{1,18}-[0-9A-Fa-f]{64}$"))]
    pub head: Option<String>,
}

impl Body for Known {
    const NEED: Need = Need::Optional;
}

/// POST /api/v1/audit/verify.
pub struct Verify;

impl Route for Verify {
    const NAME: &'static str = "verify_audit";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/api/v1/audit/verify";
    const SUMMARY: &'static str = "Checks the whole chain of the audit, and names the first bad block.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/audit/verify",
        body: r#"{"head":"12-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#,
        answer: r#"{"bad":null,"checkpoint":0,"blocks":14,"entries":21,"emptied":0,"unsigned":0,"unchecked":0,"waiting":0,"head_check":"found","head":"14-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#,
    };
    type Permission = permission::ReadAudit;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Known;
    type Answer = Json<Verification>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::ReadAudit>,
        call: Call<Self>,
    ) -> Result<Json<Verification>, Failure> {
        operations.verify_audit(&by, call.body.head.as_deref()).await.map(Json)
    }
}

/// A line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum ExportLine {
    /// The head that the export ends with; the first line.
    Head(HeadNow),
    /// An entry.
    Entry(Box<AuditLine>),
}

/// GET /api/v1/audit/export.
pub struct Export;

impl Route for Export {
    const NAME: &'static str = "export_audit";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/api/v1/audit/export";
    const SUMMARY: &'static str = "Shows the head of the audit and then every entry, one a line.";
    const MORE: &'static str =
        "That somebody took it is an entry itself. The answer ends early when the store does not answer.";
    const EXAMPLE: Example = Example {
        address: "/api/v1/audit/export",
        body: "",
        answer: r#"{"line":"head","head":"12-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#,
    };
    type Permission = permission::ExportAudit;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Lines<ExportLine>;

    async fn act(
        operations: &Operations,
        by: Granted<permission::ExportAudit>,
        _: Call<Self>,
    ) -> Result<Lines<ExportLine>, Failure> {
        let export = operations.export_audit(&by).await?;
        let head = ExportLine::Head(HeadNow { head: AuditHead::to_string(&export.head) });
        let lines =
            |page: Vec<SealedEntry>| page.into_iter().map(|entry| ExportLine::Entry(Box::new(entry.into()))).collect();
        let entries = export.entries.map(move |page| page.map(lines));
        Ok(Lines(stream::iter([Ok(vec![head])]).chain(entries).boxed()))
    }
}
