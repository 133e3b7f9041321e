//! The certificate of a port: read from its files, and read again when they change. Layer `http`. Keeps I12.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::Clock;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use secrecy::zeroize::Zeroizing;

use super::expiry::{self, Notice};

/// Largest file that is read.
const FILE_MAX_BYTES: u64 = 256 * 1024;

/// Interval of looks at the files. Files that differ are read when two looks saw them alike, since certificate and key are
/// mostly replaced one after the other.
const LOOK_EVERY: Duration = Duration::from_secs(4);

/// Protocols that the port offers, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM: the certificate, and those that lead from it to a known authority.
    pub cert: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
}

/// Tells which of the two files is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The certificate.
    Cert,
    /// The private key.
    Key,
}

/// The reason why the files make no certificate. Holds nothing of the files (I12).
#[derive(Debug, thiserror::Error)]
#[error("{}: {what} ({remedy})", file.display())]
pub struct CertificateError {
    /// The file.
    pub file: PathBuf,
    /// Which one that is.
    pub part: Part,
    /// The fault.
    pub what: String,
    /// The remedy.
    pub remedy: &'static str,
}

/// A certificate that follows its files.
#[derive(Clone, Debug)]
pub struct Certificate {
    files: CertificateFiles,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    /// The files as they were just before they were read.
    loaded: Stamps,
}

/// The certificate in force.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else, or the key is that of another certificate.
    pub fn load(files: CertificateFiles) -> Result<Self, CertificateError> {
        let loaded = stamps(&files);
        let current = Arc::new(Current(RwLock::new(Arc::new(read(&files)?))));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| files.fault(Part::Cert, error.to_string(), "report this as a fault"))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::<Current>::clone(&current));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self { files, current, config: Arc::new(config), loaded })
    }

    /// Returns the file of the key when others than its owner and its group may read it.
    pub fn open_key(&self) -> Option<&Path> {
        let mode = fs::metadata(&self.files.key).map(|file| file.permissions().mode());
        mode.is_ok_and(|mode| mode & 0o004 != 0).then_some(self.files.key.as_path())
    }

    /// Returns the configuration of the port, which always has the certificate in force.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Returns the instant at which the certificate in force ends.
    fn ends_at(&self) -> Option<Timestamp> {
        expiry::of_chain(&self.current.0.read().unwrap_or_else(PoisonError::into_inner).cert)
    }

    /// Follows the files, for ever, and tells before the certificate ends. Files that make no certificate change nothing.
    pub(super) async fn follow(self, clock: Arc<dyn Clock>) {
        let mut notice = Notice::default();
        let mut follower = Follower { last: self.loaded, certificate: self };
        loop {
            notice.look(follower.certificate.ends_at(), clock.now());
            tokio::time::sleep(LOOK_EVERY).await;
            let Ok(looked) = tokio::task::spawn_blocking(move || follower.look()).await else { return };
            follower = looked;
        }
    }
}

/// Looks at the files again and again.
struct Follower {
    certificate: Certificate,
    /// The files at the last look.
    last: Stamps,
}

impl Follower {
    /// Looks at the files once; reads them when they changed and came to rest.
    fn look(mut self) -> Self {
        let certificate = &mut self.certificate;
        let now = stamps(&certificate.files);
        if now != certificate.loaded && now == self.last {
            certificate.loaded = now;
            match read(&certificate.files) {
                Ok(read) => {
                    *certificate.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
                    tracing::info!(file = %certificate.files.cert.display(), "the certificate was replaced");
                }
                Err(error) => tracing::error!(error = %error, "the new certificate is unfit, the old one stays"),
            }
        }
        self.last = now;
        self
    }
}

/// Tells whether a file is another one than before: time of its last change, length, inode.
type Stamp = Option<(i64, i64, u64, u64)>;
type Stamps = [Stamp; 2];

fn stamps(files: &CertificateFiles) -> Stamps {
    let stamp =
        |path: &Path| fs::metadata(path).ok().map(|file| (file.mtime(), file.mtime_nsec(), file.len(), file.ino()));
    [stamp(&files.cert), stamp(&files.key)]
}

impl CertificateFiles {
    fn fault(&self, part: Part, what: impl Into<String>, remedy: &'static str) -> CertificateError {
        let file = match part {
            Part::Cert => &self.cert,
            Part::Key => &self.key,
        };
        CertificateError { file: file.clone(), part, what: what.into(), remedy }
    }

    fn text(&self, part: Part) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
        let path = if part == Part::Cert { &self.cert } else { &self.key };
        let unread = |error: io::Error| {
            self.fault(part, format!("cannot be read: {error}"), "check the path and who may read the file")
        };
        let mut text = Zeroizing::new(Vec::new());
        File::open(path).map_err(unread)?.take(FILE_MAX_BYTES + 1).read_to_end(&mut text).map_err(unread)?;
        if text.len() as u64 > FILE_MAX_BYTES {
            return Err(self.fault(part, "is too long for a certificate or key", "name the PEM file itself"));
        }
        Ok(text)
    }
}

/// Reads certificate and key, and looks whether they belong together.
fn read(files: &CertificateFiles) -> Result<CertifiedKey, CertificateError> {
    let no_cert = "write a PEM file that begins with the certificate of this machine";
    let no_key = "write a PEM file with the private key, without a password";
    let chain = CertificateDer::pem_slice_iter(&files.text(Part::Cert)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| files.fault(Part::Cert, "holds no certificate that can be read", no_cert))?;
    let key = PrivateKeyDer::from_pem_slice(&files.text(Part::Key)?);
    let key = key.map_err(|_| files.fault(Part::Key, "holds no private key that can be read", no_key))?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let remedy = "name certificate and key that were made for one another";
            files.fault(Part::Key, format!("is not the key of {}", files.cert.display()), remedy)
        }
        rustls::Error::InvalidCertificate(_) => {
            files.fault(Part::Cert, "holds no certificate that can be read", no_cert)
        }
        _ => files.fault(Part::Key, "holds a private key of a kind that is not supported", no_key),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn written(folder: &Path) -> CertificateFiles {
        let files = CertificateFiles { cert: folder.join("tls.crt"), key: folder.join("tls.key") };
        replace(&files, true);
        files
    }

    /// Writes a new certificate, with its key or with the old one.
    fn replace(files: &CertificateFiles, with_key: bool) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&files.cert, made.cert.pem()).unwrap();
        if with_key {
            fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        }
    }

    fn in_force(certificate: &Certificate) -> Vec<u8> {
        certificate.current.0.read().unwrap().cert[0].to_vec()
    }

    fn refused(files: &CertificateFiles) -> (Part, String) {
        let error = Certificate::load(files.clone()).unwrap_err();
        (error.part, error.to_string())
    }

    #[test]
    fn files_that_make_no_certificate_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = written(folder.path());
        Certificate::load(files.clone()).unwrap();
        replace(&files, false);
        let (part, text) = refused(&files);
        assert!(part == Part::Key && text.contains("tls.key: is not the key of") && text.contains("tls.crt"), "{text}");
        fs::write(&files.key, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED PRIVATE KEY-----\n")
            .unwrap();
        let (part, text) = refused(&files);
        assert!(part == Part::Key && text.contains("without a password") && !text.contains("c2VjcmV0"), "{text}");
        fs::write(&files.cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        fs::write(&files.key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        assert_eq!(refused(&files).0, Part::Cert);
        fs::write(&files.cert, vec![b'x'; 300 * 1024]).unwrap();
        assert!(refused(&files).1.contains("too long"));
        fs::remove_file(&files.cert).unwrap();
        assert!(refused(&files).1.contains("check the path"));
    }

    #[test]
    fn a_changed_certificate_is_read_once_its_files_rest_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = written(folder.path());
        let certificate = Certificate::load(files.clone()).unwrap();
        let first = in_force(&certificate);
        let follower = Follower { last: certificate.loaded, certificate: certificate.clone() };
        replace(&files, false);
        let follower = follower.look().look();
        assert_eq!(in_force(&certificate), first, "the key is still that of the old certificate");
        replace(&files, true);
        let follower = follower.look();
        assert_eq!(in_force(&certificate), first, "the files may still be in motion");
        let follower = follower.look();
        let second = in_force(&certificate);
        assert_ne!(second, first);
        fs::remove_file(&files.key).unwrap();
        follower.look().look();
        assert_eq!(in_force(&certificate), second);
    }

    #[test]
    fn a_key_that_everybody_may_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let files = written(folder.path());
        let certificate = Certificate::load(files.clone()).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(certificate.open_key(), None);
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(certificate.open_key(), Some(files.key.as_path()));
    }
}
