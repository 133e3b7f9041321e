//! A bound port of the HTTP edge. Layer `http`.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;

/// A bound port. A process binds it before the fleet starts, so that a port in use is found before any work.
pub struct BoundPort(pub(super) TcpListener);

impl BoundPort {
    /// Binds the port.
    ///
    /// # Errors
    /// When the port is in use, or the process may not bind it.
    pub async fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        Self::bind_for(address, "--listen or server.listen").await
    }

    /// Binds the port; an error names `setting` as the way to choose another one.
    pub(super) async fn bind_for(address: SocketAddr, setting: &str) -> anyhow::Result<Self> {
        let hint = format!("another program uses it: choose another one by {setting}, or 127.0.0.1:0 for any free one");
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ({hint})"))?;
        Ok(Self(listener))
    }

    /// Returns the address of the port.
    ///
    /// # Errors
    /// When the system does not tell the address.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.0.local_addr()?)
    }
}
