//! Whose word an address is, and the client for it. Layer: adapter. Keeps I12.

use std::sync::Arc;

use reqwest::{ClientBuilder, Url};

use super::guard::{Guard, Judged, Unfit};

/// Whose word an address is.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The operator's own, by manifest, settings file or flag: used as written, private networks included.
    Trusted,
    /// Somebody else's, by API: judged by the guard.
    Guarded(Arc<Guard>),
}

impl Origin {
    /// Judges an address as it is written.
    ///
    /// # Errors
    /// The reason why the address is refused.
    pub fn judge(&self, url: &Url) -> Result<(), Unfit> {
        match self {
            Self::Trusted => Ok(()),
            Self::Guarded(guard) => guard.judge(url),
        }
    }

    /// Begins a client for addresses of this origin. It uses no proxy of the environment and follows no redirect: an answer
    /// must not send a request with a key elsewhere.
    pub fn client(&self) -> ClientBuilder {
        // A second installation finds the first one in place, as it should.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        match self {
            Self::Trusted => builder,
            Self::Guarded(guard) => builder.dns_resolver(Arc::new(Judged(Arc::clone(guard)))),
        }
    }
}
