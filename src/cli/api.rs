//! The address of the running fleet's API, for commands that ask it. Layer `cli`.

use std::path::Path;

use clap::Args;

use crate::api::route::{Call, Nothing, Route};
use crate::client::{CallError, Client};

/// Names the address of the running fleet's API.
#[derive(Clone, Debug, Args)]
pub struct Api {
    /// Address of the running fleet's API, as `botfleet run` prints it: `HOST:PORT`, or `unix:PATH` for the local socket.
    /// Without it: botfleet.sock if it is there, else 127.0.0.1:8080.
    #[arg(long = "api", value_name = "ADDRESS")]
    pub address: Option<String>,
}

/// The local socket of a fleet with default settings, in the folder where it was started.
const SOCKET: &str = "botfleet.sock";

/// The address of a fleet with default settings.
const ADDRESS: &str = "127.0.0.1:8080";

impl Api {
    /// Returns the client for that address.
    pub(super) fn client(&self) -> Result<Client, CallError> {
        let default = || {
            if Path::new(SOCKET).exists() { format!("unix:{SOCKET}") } else { ADDRESS.to_owned() }
        };
        Client::new(&self.address.clone().unwrap_or_else(default))
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
