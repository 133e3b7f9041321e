//! Why an operation was not carried out, by what the caller does about it. Layer `operate`.

use std::fmt;

use botfleet_actors::ports::store::StoreError;

use crate::runtime::orders::OrderError;
use crate::runtime::secrets::book::GiveError;

macro_rules! codes {
    ($($name:ident = $text:literal $status:literal: $does:literal;)+) => {
        /// A stable code of a failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $does] $name),+
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Returns the code as it stands in answers.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }

            /// Returns the code of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == name)
            }

            /// Returns the HTTP status that goes with the code.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status),+
                }
            }

            /// Returns what the caller does about it.
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $does),+
                }
            }
        }
    };
}

codes! {
    BadRequest = "bad_request" 400: "Correct the body, the query or the path: the detail names the place.";
    Unauthenticated = "unauthenticated" 401: "Sign in, or send an API key as `authorization: Bearer`.";
    WrongCredentials = "wrong_credentials" 401: "Correct name, password or code.";
    CodeNeeded = "code_needed" 401: "Send the code of the second factor too.";
    ConfirmFirst = "confirm_first" 403: "Prove again that the account is yours: POST /api/v1/session/confirm.";
    SecondFactorNeeded = "second_factor_needed" 403: "Enrol a second factor, signed in on the machine itself.";
    Forbidden = "forbidden" 403: "Ask for a role that has the permission.";
    OutOfReach = "out_of_reach" 403: "Ask for a role that includes this bot or chat.";
    ForeignHost = "foreign_host" 403: "Address the machine by a name in `server.hosts`.";
    ForeignOrigin = "foreign_origin" 403: "Send the request from a page of this address.";
    UnknownPath = "unknown_path" 404: "Look the path up in this document.";
    UnknownName = "unknown_name" 404: "Give a name of the manifest.";
    UnknownResource = "unknown_resource" 404: "Give a name as the list shows it.";
    UnknownOverride = "unknown_override" 404: "Nothing needs to be done: the field is as its manifest says.";
    UnknownNumber = "unknown_number" 404: "Give a number as the list shows it.";
    UnknownUser = "unknown_user" 404: "Give the name of an account.";
    UnknownSession = "unknown_session" 404: "Give a session as the list shows it.";
    UnknownKey = "unknown_key" 404: "Give the id of an API key as the list shows it.";
    UnknownSecret = "unknown_secret" 404: "Nothing was given: what the manifest names counts.";
    UnknownSecretKey = "unknown_secret_key" 404: "Give the id of a key as the list of secrets shows it.";
    UnknownChat = "unknown_chat" 404: "Give a chat of the manifest, by name or id.";
    UnknownMessage = "unknown_message" 404: "Give the id of a message that is still stored.";
    UnknownDeadLetter = "unknown_dead_letter" 404: "Give an id as the list of dead letters shows it.";
    UnknownOrder = "unknown_order" 404: "Give the id of an order of the last day.";
    UnknownNode = "unknown_node" 404: "Give the name of a living node.";
    NotQuarantined = "not_quarantined" 404: "Nothing needs to be done: the actor is not quarantined.";
    WrongMethod = "wrong_method" 405: "Use a method that `Allow` names.";
    TooSlow = "too_slow" 408: "Send the body faster.";
    Conflict = "conflict" 409: "Look at the present state; the detail says what is in the way.";
    CannotSpeak = "cannot_speak" 409: "Wait until the bot can speak there: the detail says what keeps it silent.";
    TakenOver = "taken_over" 409: "Ask the operator whom the detail names to give the bot back.";
    CannotSeal = "cannot_seal" 409: "Give every node the key that the detail names, in `secrets.keys`.";
    KeyInUse = "key_in_use" 409: "Rotate first, with another key before this one on every node.";
    MayDuplicate = "may_duplicate" 409: "Send `confirm_duplicate` if the message may show up twice.";
    NameTaken = "name_taken" 409: "Choose another name.";
    LastAdmin = "last_admin" 409: "Make another account an admin first.";
    Changed = "changed" 412: "Read it again, and send the `ETag` of the present version.";
    IdempotencyUnderWay = "idempotency_under_way" 409: "Look at the present state: the request with this key has no answer, and is not carried out again.";
    IdempotencySecret = "idempotency_secret" 409: "Use what was made, or send the request with a new `Idempotency-Key`: its secret was shown once.";
    OrderExpired = "order_expired" 409: "Give the order again when a node runs the bot or chat.";
    OrderUnknown = "order_unknown" 409: "Look at the present state: the order may have been carried out.";
    TooLarge = "too_large" 413: "Send a smaller body.";
    WrongType = "wrong_type" 415: "Send `content-type: application/json`.";
    Refused = "refused" 422: "Correct the manifest: the detail names the place.";
    AddressRefused = "address_refused" 422: "Give an address of a public host, or name the host in `outbound.private_hosts`.";
    IdempotencyMismatch = "idempotency_mismatch" 422: "Send each request with an `Idempotency-Key` of its own.";
    UpgradeNeeded = "upgrade_needed" 426: "Open a WebSocket: send the headers of an upgrade, by HTTP/1.1.";
    IdempotencyKeyNeeded = "idempotency_key_needed" 428: "Send `Idempotency-Key`: a random value, the same with each repeat of the request.";
    IfMatchNeeded = "if_match_needed" 428: "Send `If-Match` with the `ETag` that you read.";
    TooManyTries = "too_many_tries" 429: "Try again after the time that `Retry-After` tells.";
    TooManyRequests = "too_many_requests" 429: "Ask less often: try again after the time that `Retry-After` tells.";
    TooManyWatchers = "too_many_watchers" 429: "Close another stream of events first.";
    Unreadable = "store_unreadable" 500: "Read the node's log: asking again does not help.";
    Unavailable = "store_unavailable" 503: "Ask again after the time that `Retry-After` tells.";
}

impl Code {
    /// Returns whether the same request may succeed after a wait, which every answer with this code tells.
    pub const fn passes(self) -> bool {
        matches!(self, Self::TooManyTries | Self::TooManyRequests | Self::Unavailable)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refused or failed operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// The code.
    pub code: Code,
    /// The reason, for people; holds no secret and no cause from inside.
    pub detail: String,
    /// Seconds after which the same may be tried again, where that is known.
    pub retry_after_s: Option<u64>,
}

impl Failure {
    /// Creates a failure.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_s: None }
    }

    /// Adds the time to wait.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// Converts a fault of the store or an actor that passes by itself. The cause is logged and never told.
    pub fn unavailable(cause: &dyn fmt::Display) -> Self {
        tracing::error!(error = %cause, "request could not be served");
        Self::new(Code::Unavailable, "the store does not answer now, try again later")
    }

    /// Converts a fault that stays. The cause is logged and never told.
    fn unreadable(cause: &dyn fmt::Display) -> Self {
        tracing::error!(error = %cause, "request could not be served");
        let detail = "the database holds what this version cannot read, asking again does not help; the log of the node \
                      says what, and `botfleet migrate status` how its schema stands";
        Self::new(Code::Unreadable, detail)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::unavailable(&error),
            StoreError::Incompatible(_) => Self::unreadable(&error),
            StoreError::RosterRefused(why) => Self::new(Code::Refused, why),
        }
    }
}

impl From<GiveError> for Failure {
    fn from(error: GiveError) -> Self {
        match error {
            GiveError::CannotSeal(why) => Self::new(Code::CannotSeal, why),
            GiveError::Store(error) => error.into(),
        }
    }
}

impl From<OrderError> for Failure {
    fn from(error: OrderError) -> Self {
        let code = match error {
            OrderError::Unavailable(why) => return Self::unavailable(&why),
            OrderError::Store(error) => return error.into(),
            OrderError::Unknown(_) => Code::UnknownDeadLetter,
            OrderError::UnknownNode(_) => Code::UnknownNode,
            OrderError::NotQuarantined(_) => Code::NotQuarantined,
            OrderError::Conflict(_) => Code::Conflict,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_store_that_may_answer_later_is_worth_another_try() {
        let code = |error: StoreError| Failure::from(error).code;
        assert_eq!(code(StoreError::Unavailable("connection lost".to_owned())), Code::Unavailable);
        assert_eq!(code(StoreError::Incompatible("no such column: turn.act".to_owned())), Code::Unreadable);
        assert_eq!(code(StoreError::RosterRefused("name taken".to_owned())), Code::Refused);
        assert_eq!((Code::Unavailable.status(), Code::Unreadable.status()), (503, 500));
    }

    #[test]
    fn no_cause_from_inside_is_told() {
        let told = Failure::from(StoreError::Unavailable("postgres://u:secret@db".to_owned())).detail;
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn each_code_stands_once() {
        let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
    }
}
