//! The address of the running fleet's API, for commands that ask it. Layer `cli`.

use std::fs::symlink_metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use clap::Args;

use super::inputs::Inputs;
use super::operators::kept;
use crate::api::route::{Call, Nothing, Route};
use crate::client::{CallError, Client};

/// Names the address of the running fleet's API.
#[derive(Clone, Debug, Args)]
pub struct Api {
    /// Address of the running fleet's API, as `botfleet run` prints it: `HOST:PORT`, or `unix:PATH` for the local socket.
    /// Another machine is asked by https, unless `http://` is written. Without it: the local socket of the settings,
    /// botfleet.sock unless they name another, if a fleet listens there; else 127.0.0.1:8080.
    #[arg(long = "api", value_name = "ADDRESS")]
    pub address: Option<String>,
    /// Sends the session of `botfleet login`, or `BOTFLEET_API_KEY`, through the local socket too. Without it the socket takes
    /// the command from whoever runs the fleet, and no session that is over stands in the way.
    #[arg(long)]
    pub signed_in: bool,
}

/// The address of a fleet with default settings.
const ADDRESS: &str = "127.0.0.1:8080";

impl Api {
    /// Returns the client for that address. The local socket needs no proof, and gets one on wish alone.
    pub(super) fn client(&self) -> Result<Client, CallError> {
        let client = self.stranger()?;
        if client.is_local() && !self.signed_in { Ok(client) } else { self.account() }
    }

    /// Returns the client for that address, for what concerns the caller's own account: with the caller's proof, whatever the
    /// address.
    pub(super) fn account(&self) -> Result<Client, CallError> {
        let client = self.stranger()?;
        Ok(match kept::token(client.address()) {
            Some(token) => client.with_token(token),
            None => client,
        })
    }

    /// Returns the client for that address, without any proof.
    pub(super) fn stranger(&self) -> Result<Client, CallError> {
        Client::new(&self.address.clone().unwrap_or_else(default_address))
    }
}

/// Returns the address for those who name none. Faulty settings are told by the commands that use them.
fn default_address() -> String {
    let socket = Inputs::settings_alone(None, None).unwrap_or_default().local_socket();
    let served = socket.filter(|socket| is_served(socket));
    served.map_or_else(|| ADDRESS.to_owned(), |socket| format!("unix:{}", socket.display()))
}

/// Returns whether a fleet of this user, or of root, listens at the path: a killed one leaves its file, and somebody else may
/// have put one into the folder.
fn is_served(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let ours =
        symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket() && (file.uid() == own || file.uid() == 0));
    ours && UnixStream::connect(path).is_ok()
}

/// Returns the call of a route that takes no names, no filters and no body.
pub(super) fn plain<R: Route<Path = Nothing, Query = Nothing, Body = Nothing>>() -> Call<R> {
    Call::new(Nothing {}, Nothing {}, Nothing {})
}

/// Returns the call of a route that takes a body alone.
pub(super) fn order<R: Route<Path = Nothing, Query = Nothing>>(body: R::Body) -> Call<R> {
    Call::new(Nothing {}, Nothing {}, body)
}
