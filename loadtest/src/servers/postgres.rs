//! Runs a real PostgreSQL server, with real commits and real crashes. Layer: servers.
//!
//! When this process is root, the server runs as the user `postgres`, since PostgreSQL refuses root. An initialised
//! cluster is kept as a template in the temporary folder, so that further servers start in a moment.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::sync::OnceCell;

use super::daemon::{Daemon, blocking};
use super::error::ServerError;
use super::install;
use super::server::{Program, Server};

/// The database user of the tests; a superuser without a password, from this machine alone.
pub const USER: &str = "botfleet";
/// The line of `postmaster.pid` with the status of the server, counted from 0.
///
/// # Source
/// PostgreSQL, `miscadmin.h`: `LOCK_FILE_LINE_PM_STATUS` is 8, counted from 1.
const STATUS_LINE: usize = 7;

/// The settings of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// True if a commit waits for the disk; without that, a SIGKILL loses nothing, but a power cut may.
    pub fsync: bool,
    /// How many connections the server takes.
    pub max_connections: u16,
    /// Further settings, name and value.
    pub settings: Vec<(String, String)>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { fsync: true, max_connections: 300, settings: Vec::new() }
    }
}

impl PostgresOptions {
    /// Returns options for contract tests, in which commits do not wait for the disk.
    pub fn fast() -> Self {
        Self { fsync: false, ..Self::default() }
    }
}

/// A handle of a running PostgreSQL.
pub type Postgres = Server<PostgresProgram>;

/// The program `postgres` and its options.
#[derive(Debug)]
pub struct PostgresProgram {
    daemon: Daemon,
    options: PostgresOptions,
}

impl Postgres {
    /// Starts a server on a free port, its data in a new folder under `dir` or the system's temporary folder.
    ///
    /// # Errors
    /// The programs are missing, or the server does not start.
    pub async fn start(dir: Option<&Path>, options: PostgresOptions) -> Result<Self, ServerError> {
        let dir = dir.map(Path::to_owned);
        blocking(move || {
            install::install()?;
            let template = template()?;
            let daemon = Daemon::prepare("postgres", dir.as_deref())?;
            own(daemon.folder())?;
            let data = daemon.folder().join("data");
            run(as_owner(Command::new("cp").arg("-a").arg(&template).arg(&data)))?;
            Self::launched(PostgresProgram { daemon, options })
        })
        .await
    }

    /// Returns the server that all tests of a process share; commits do not wait for the disk. The server ends with the
    /// process.
    ///
    /// # Errors
    /// As [`Postgres::start`]; the next call tries again.
    pub async fn shared() -> Result<&'static Self, ServerError> {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(None, PostgresOptions::fast())).await
    }

    /// Returns the URL of a database.
    pub fn url(&self, database: &str) -> String {
        Self::url_through(self.port, database)
    }

    /// Returns the URL of a database behind another local port, such as a proxy's.
    pub fn url_through(port: u16, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{port}/{database}")
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Errors
    /// A database of that name exists, or the server does not run.
    pub async fn create_database(&self, name: &str) -> Result<String, ServerError> {
        self.query("postgres", &format!("CREATE DATABASE \"{name}\" STRATEGY file_copy")).await?;
        Ok(self.url(name))
    }

    /// Runs SQL by `psql`; returns the rows, one a line, with fields separated by `|`.
    ///
    /// # Errors
    /// The SQL fails, or the server does not answer within 30 s.
    pub async fn query(&self, database: &str, sql: &str) -> Result<String, ServerError> {
        let (port, database, sql) = (self.port, database.to_owned(), sql.to_owned());
        blocking(move || psql(port, &database, &sql)).await
    }
}

impl Program for PostgresProgram {
    fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    fn launch(&mut self, port: u16) -> Result<(), ServerError> {
        let data = self.daemon.folder().join("data");
        let mut command = Command::new(install::postgres("postgres")?);
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]).arg("-k").arg(self.daemon.folder());
        let on = |yes: bool| if yes { "on" } else { "off" };
        let fixed = [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("max_connections", self.options.max_connections.to_string()),
            ("fsync", on(self.options.fsync).to_owned()),
            ("synchronous_commit", "on".to_owned()),
            ("full_page_writes", on(self.options.fsync).to_owned()),
            ("max_wal_size", "1GB".to_owned()),
            ("timezone", "UTC".to_owned()),
        ];
        let counted = counts_statements().then(|| ("shared_preload_libraries", "pg_stat_statements".to_owned()));
        for (name, value) in fixed.into_iter().chain(counted) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in &self.options.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let pid_file = data.join("postmaster.pid");
        self.daemon.start(as_owner(&mut command), |pid| {
            std::fs::read_to_string(&pid_file).is_ok_and(|text| is_ready(&text, pid))
        })
    }
}

/// Returns whether the postmaster's own file says that this process serves.
fn is_ready(pid_file: &str, pid: u32) -> bool {
    let mut lines = pid_file.lines();
    let own = lines.next().is_some_and(|line| line.trim() == pid.to_string());
    own && lines.nth(STATUS_LINE - 1).is_some_and(|line| line.trim() == "ready")
}

/// Returns whether this PostgreSQL comes with `pg_stat_statements`.
fn counts_statements() -> bool {
    install::postgres("pg_config").is_ok_and(|program| {
        let told = Command::new(program).arg("--pkglibdir").output().map(|done| done.stdout).unwrap_or_default();
        Path::new(String::from_utf8_lossy(&told).trim()).join("pg_stat_statements.so").is_file()
    })
}

/// Returns the folder with the data of a new cluster, which is made once for each version and user.
fn template() -> Result<PathBuf, ServerError> {
    let initdb = install::postgres("initdb")?;
    let told = Command::new(&initdb).arg("--version").output().map_err(ServerError::io("initdb cannot be run"))?;
    let version: String = String::from_utf8_lossy(&told.stdout).split_whitespace().nth(2).unwrap_or("any").to_owned();
    let owner = owner().map_or_else(|| "own".to_owned(), |(uid, _)| uid.to_string());
    let root = std::env::temp_dir();
    let ready = root.join(format!("botfleet-template-postgres-{version}-{owner}"));
    if ready.join("PG_VERSION").is_file() {
        return Ok(ready);
    }
    let daemon = Daemon::prepare("postgres", None)?;
    own(daemon.folder())?;
    let made = daemon.folder().join("data");
    run(as_owner(Command::new(initdb).arg("-D").arg(&made).args([
        "-U",
        USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ])))?;
    // The first process gives its folder the final name; the others use that folder.
    if let Err(error) = std::fs::rename(&made, &ready)
        && !ready.join("PG_VERSION").is_file()
    {
        return Err(ServerError::io(ready.display().to_string())(error));
    }
    Ok(ready)
}

/// Returns the user and group of the server if this process is root.
fn owner() -> Option<(u32, u32)> {
    if install::is_root() { install::user("postgres") } else { None }
}

fn own(folder: &Path) -> Result<(), ServerError> {
    let named = || folder.display().to_string();
    std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(ServerError::io(named()))?;
    let Some((uid, gid)) = owner() else { return Ok(()) };
    chown(folder, Some(uid), Some(gid)).map_err(ServerError::io(named()))
}

/// Makes a command run as the server's user, in a folder that the user can read.
fn as_owner(command: &mut Command) -> &mut Command {
    if let Some((uid, gid)) = owner() {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/")
}

fn run(command: &mut Command) -> Result<String, ServerError> {
    let named = format!("{}", command.get_program().display());
    let done = command.stdin(Stdio::null()).output().map_err(ServerError::io(named.clone()))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned());
    }
    Err(ServerError::Command { command: named, message: String::from_utf8_lossy(&done.stderr).trim().to_owned() })
}

fn psql(port: u16, database: &str, sql: &str) -> Result<String, ServerError> {
    let mut command = Command::new(install::postgres("psql")?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
        .env("PGCONNECT_TIMEOUT", "10")
        .env("PGOPTIONS", "-c statement_timeout=30s")
        .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER])
        .args(["-p", &port.to_string(), "-d", database, "-c", sql]);
    run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postmaster_is_ready_by_its_own_word_alone() {
        let file = "41\n/data\n1700000000\n5432\n/run\n127.0.0.1\n  1 2\nready   \n";
        assert!(is_ready(file, 41));
        assert!(!is_ready(file, 42), "another process, before the crash");
        assert!(!is_ready(&file.replace("ready", "starting"), 41));
        assert!(!is_ready("41\n", 41));
    }
}
