//! Runs a shell that outlives its parent by a moment, to end a server and remove its folder. Layer: servers.
//!
//! The parent holds the other end of the shell's standard input and writes there the id of each process that it starts.
//! When that end closes, however the parent ended, the shell kills the process named last with its children, and
//! removes the folder. The shell has a process group of its own, so that Ctrl-C reaches the shell only by way of its
//! parent.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::error::ServerError;

/// The guardian's script; it compares the process name, because the id of an ended process may be given to another.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]; then
  kill -STOP "$pid" 2>/dev/null
  kill -KILL $(cat "/proc/$pid/task/$pid/children" 2>/dev/null) "$pid" 2>/dev/null
  while [ -d "/proc/$pid" ] && [ "$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null)" != Z ]; do sleep 0.02; done
fi
rm -rf -- "$1"
[ ! -d "$1" ] || { sleep 0.5; rm -rf -- "$1"; }
"#;

/// The guardian of one server.
#[derive(Debug)]
pub(super) struct Guardian {
    shell: Child,
    told: Option<ChildStdin>,
}

impl Guardian {
    /// Starts a guardian of a folder and of a process with the given name.
    pub(super) fn set(folder: &Path, process_name: &str) -> Result<Self, ServerError> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "guardian"])
            .arg(folder)
            .arg(process_name)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(ServerError::io("a shell cannot be started"))?;
        let told = shell.stdin.take();
        Ok(Self { shell, told })
    }

    /// Tells the guardian which process to end; `None` if the process has ended.
    pub(super) fn tell(&mut self, pid: Option<u32>) -> Result<(), ServerError> {
        let line = pid.map_or_else(|| "\n".to_owned(), |pid| format!("{pid}\n"));
        let Some(told) = self.told.as_mut() else { return Ok(()) };
        told.write_all(line.as_bytes()).map_err(ServerError::io("the guardian of a server is gone"))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.told = None;
        // A folder that the shell could not remove is not reported: the folder is a temporary one.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn when_the_parents_end_closes_the_process_and_the_folder_go() {
        let folder = std::env::temp_dir().join(format!("botfleet-guardian-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let mut guardian = Guardian::set(&folder, "sleep").unwrap();
        guardian.tell(Some(child.id())).unwrap();
        drop(guardian);
        assert!(!folder.exists());
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_process_of_another_name_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("botfleet-guardian-other-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let mut guardian = Guardian::set(&folder, "postgres").unwrap();
        guardian.tell(Some(child.id())).unwrap();
        drop(guardian);
        assert!(!folder.exists());
        assert!(child.try_wait().unwrap().is_none(), "it was another's");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
