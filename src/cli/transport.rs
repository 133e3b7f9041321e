//! Makes of the settings how the API's port speaks, to whom, and how often. Layer `cli`.

use crate::config::fault::Fault;
use crate::config::network::Network;
use crate::config::server::{LimitSettings, ServerSettings};
use crate::http::certificate::{Certificate, CertificateFiles, Part};
use crate::http::limits::RequestLimits;
use crate::http::transport::Transport;

/// Returns the transport of the API's port.
///
/// # Errors
/// The fault of the certificate's files.
pub(super) fn transport(server: &ServerSettings) -> Result<Transport, Fault> {
    let certificate = match (&server.tls.cert, &server.tls.key) {
        (Some(cert), Some(key)) => Some(certificate(CertificateFiles { cert: cert.clone(), key: key.clone() })?),
        _ => None,
    };
    let networks = |named: &[Network]| named.iter().map(|network| network.0).collect();
    let transport = Transport::new(certificate, networks(&server.proxies), networks(&server.plaintext));
    Ok(transport.with_connections(server.limits.connections))
}

/// Returns the limits of requests a minute.
pub(super) fn limits(settings: &LimitSettings) -> RequestLimits {
    let LimitSettings { strangers, user, key, connections: _ } = *settings;
    RequestLimits { strangers, user, key }
}

fn certificate(files: CertificateFiles) -> Result<Certificate, Fault> {
    Certificate::load(files).map_err(|error| {
        let key = match error.part {
            Part::Cert => "server.tls.cert",
            Part::Key => "server.tls.key",
        };
        Fault::new(error.file.display().to_string(), key, error.what, error.remedy)
    })
}

/// Warns of what the settings allow and a person should know, at each start.
pub(super) fn warn_of(server: &ServerSettings, transport: &Transport) {
    if !server.listen.ip().is_loopback() && !server.plaintext.is_empty() {
        let networks: Vec<String> = server.plaintext.iter().map(ToString::to_string).collect();
        tracing::warn!(
            networks = networks.join(", "),
            "plain HTTP is allowed in server.plaintext: whoever listens there reads what is sent"
        );
    }
    if let Some(key) = transport.certificate.as_ref().and_then(Certificate::open_key) {
        tracing::warn!(file = %key.display(), "everybody on this machine may read the certificate's key; chmod 600 it");
    }
}
