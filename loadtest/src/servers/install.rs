//! Finds the programs of PostgreSQL and Redis, or installs their Debian packages. Layer: servers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::ServerError;

/// The folder in which Debian and its descendants keep PostgreSQL, with one folder for each major version.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// Installs PostgreSQL and Redis from the system's packages when they are missing and this process is root.
///
/// # Errors
/// The programs are missing and cannot be installed: not root, no `apt-get`, or `apt-get` fails.
pub fn install() -> Result<(), ServerError> {
    let missing = || postgres("initdb").and_then(|_| postgres("postgres")).and_then(|_| redis());
    if missing().is_ok() {
        return Ok(());
    }
    apt_get(&["update", "-q"])?;
    apt_get(&["install", "-y", "-q", "--no-install-recommends", "postgresql", "redis-server"])?;
    missing().map(|_| ())
}

/// Returns a program of the newest PostgreSQL on this machine.
///
/// # Errors
/// The program is missing.
pub fn postgres(program: &str) -> Result<PathBuf, ServerError> {
    let versions = std::fs::read_dir(POSTGRES_VERSIONS).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin").join(program)))
        })
        .filter(|(_, path)| path.is_file())
        .collect();
    found.sort();
    found.pop().map(|(_, path)| path).or_else(|| on_path(program)).ok_or_else(|| missing(program))
}

/// Returns the program of Redis.
///
/// # Errors
/// The program is missing.
pub fn redis() -> Result<PathBuf, ServerError> {
    on_path("redis-server").ok_or_else(|| missing("redis-server"))
}

fn missing(program: &str) -> ServerError {
    ServerError::Missing { program: program.to_owned(), why: "it was not found".to_owned() }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

fn apt_get(arguments: &[&str]) -> Result<(), ServerError> {
    let refused = |why: String| ServerError::Missing { program: "postgresql or redis-server".to_owned(), why };
    if !is_root() {
        return Err(refused("only root can install it".to_owned()));
    }
    let done = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Keeps the package from starting its service in a container.
        .env("RUNLEVEL", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| refused(format!("apt-get cannot be run: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    Err(refused(format!("apt-get failed: {}", String::from_utf8_lossy(&done.stderr).trim())))
}

/// Returns whether this process is root.
pub(super) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Returns the user and group ids of a name in the password file.
pub(super) fn user(name: &str) -> Option<(u32, u32)> {
    user_in(&std::fs::read_to_string(Path::new("/etc/passwd")).ok()?, name)
}

fn user_in(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = passwd.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_by_its_whole_name() {
        let passwd = "postgresql:x:1:2::/:/x\npostgres:x:104:111:PostgreSQL:/var/lib:/bin/bash\n";
        assert_eq!(user_in(passwd, "postgres"), Some((104, 111)));
        assert_eq!(user_in(passwd, "post"), None);
    }

    #[test]
    fn a_program_that_nobody_has_is_told_with_its_package() {
        let error = postgres("no-such-program").map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("no-such-program is missing, and it was not found; on Debian: apt-get install -y postgresql redis-server"
                .to_owned())
        );
    }
}
