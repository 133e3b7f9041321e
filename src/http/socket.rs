//! The local socket: the API for whoever runs the fleet on this machine. Layer `http`. Keeps I12: no secret on disk.
//!
//! The file has mode 600, and each caller's user is asked of the system: the fleet's own, or root. So the socket needs no
//! sign-in, and no page in a browser can reach it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::{UnixListener, UnixStream};

/// Longest path of a socket, in bytes.
///
/// # Source
/// unix(7): `sun_path` holds 108 bytes, the last of them 0.
pub const PATH_MAX_BYTES: usize = 107;

/// The longest time for a process at the path to take a call.
const CALLED_WITHIN: Duration = Duration::from_secs(2);

/// The bound local socket. Dropping it removes the file.
#[derive(Debug)]
pub struct LocalSocket {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    place: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have put its own there meanwhile.
        if fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.place) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl LocalSocket {
    /// Binds the socket. A file that an ended process left behind is replaced.
    ///
    /// # Errors
    /// When a process listens there already, something else is at the path, or the path is too long or not writable.
    pub async fn bind(path: &Path) -> anyhow::Result<Self> {
        let length = path.as_os_str().len();
        if length > PATH_MAX_BYTES {
            bail!(
                "{} is too long for a socket ({length} bytes, at most {PATH_MAX_BYTES}); set server.local_socket to a \
                 shorter path",
                path.display()
            );
        }
        remove_left_behind(path).await?;
        let failed = || {
            format!(
                "cannot make the local socket {} (set server.local_socket to a path that this user may write)",
                path.display()
            )
        };
        let listener = UnixListener::bind(path).with_context(failed)?;
        let found = fs::symlink_metadata(path).with_context(failed)?;
        let file = SocketFile { path: path.to_owned(), place: (found.dev(), found.ino()) };
        // Until then the mode is the umask's; callers are asked for their user all the same.
        fs::set_permissions(path, Permissions::from_mode(0o600)).with_context(failed)?;
        Ok(Self { listener, file })
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Waits for a caller who may use the socket. Others are sent away.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let user = stream.peer_cred()?.uid();
            if is_welcome(user, rustix::process::geteuid().as_raw()) {
                return Ok(stream);
            }
            tracing::warn!(user, "another user called the local socket");
        }
    }
}

/// Returns whether a user may use the socket of a process that runs as `own`.
fn is_welcome(user: u32, own: u32) -> bool {
    user == own || user == 0
}

async fn remove_left_behind(path: &Path) -> anyhow::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let hint = "set server.local_socket to another path";
    if !found.file_type().is_socket() {
        bail!("{} is there and is no socket ({hint})", path.display());
    }
    match tokio::time::timeout(CALLED_WITHIN, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Ok(Err(error)) => return Err(error).with_context(|| format!("{} cannot be called ({hint})", path.display())),
        Ok(Ok(_)) | Err(_) => bail!("another process listens at {} ({hint})", path.display()),
    }
    fs::remove_file(path).with_context(|| format!("{} was left behind and cannot be removed ({hint})", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn the_file_is_private_and_goes_with_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("botfleet.sock");
        let socket = LocalSocket::bind(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = LocalSocket::bind(&path).await.unwrap_err().to_string();
        assert!(second.contains("another process listens"), "{second}");
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_an_ended_process_left_behind_is_replaced_and_a_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("botfleet.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a killed process leaves its file");
        let socket = LocalSocket::bind(&path).await.unwrap();
        drop(socket);
        fs::write(&path, "words").unwrap();
        let refused = LocalSocket::bind(&path).await.unwrap_err().to_string();
        assert!(refused.contains("is no socket"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "words");
        let long = folder.path().join("x".repeat(120));
        let refused = LocalSocket::bind(&long).await.unwrap_err().to_string();
        assert!(refused.contains("server.local_socket"), "{refused}");
    }

    #[tokio::test]
    async fn a_socket_that_another_process_put_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("botfleet.sock");
        let first = LocalSocket::bind(&path).await.unwrap();
        fs::rename(&path, folder.path().join("old.sock")).unwrap();
        let second = LocalSocket::bind(&path).await.unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
    }

    #[test]
    fn only_the_fleets_own_user_and_root_are_welcome() {
        assert!(is_welcome(1000, 1000) && is_welcome(0, 1000));
        assert!(!is_welcome(1001, 1000) && !is_welcome(1000, 0));
    }
}
