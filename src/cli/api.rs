//! The address of the running fleet's API, for commands that ask it. Layer `cli`.

use clap::Args;

use crate::api::route::{Call, Nothing, Route};
use crate::client::{CallError, Client};

/// Names the address of the running fleet's API.
#[derive(Clone, Debug, Args)]
pub struct Api {
    /// Address of the running fleet's API, as `botfleet run` prints it.
    #[arg(long = "api", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub address: String,
}

impl Api {
    /// Returns the client for that address.
    pub(super) fn client(&self) -> Result<Client, CallError> {
        Client::new(&self.address)
    }
}

/// Returns the call of a route that takes no names, no filters and no body.
pub(super) fn plain<R: Route<Path = Nothing, Query = Nothing, Body = Nothing>>() -> Call<R> {
    Call { path: Nothing {}, query: Nothing {}, body: Nothing {} }
}

/// Returns the call of a route that takes a body alone.
pub(super) fn order<R: Route<Path = Nothing, Query = Nothing>>(body: R::Body) -> Call<R> {
    Call { path: Nothing {}, query: Nothing {}, body }
}
