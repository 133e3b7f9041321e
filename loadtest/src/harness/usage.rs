//! Reads CPU time and memory of a process from `/proc`. Layer: harness; Linux only.
//!
//! Only the process itself counts, not its children.

use std::io;
use std::time::Duration;

/// The number of clock ticks a second in `/proc`.
///
/// # Source
/// proc(5) and time(7): `USER_HZ` is 100 on every architecture that Rust's Linux targets run on.
const TICKS_PER_SECOND: u64 = 100;

/// Memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// The resident memory, in bytes.
    pub resident_bytes: u64,
    /// The most resident memory so far, in bytes.
    pub peak_bytes: u64,
}

/// Returns the user and system time of a process so far, in steps of 10 ms.
///
/// # Errors
/// The process is gone, or this system has no `/proc`.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    ticks(&text)
        .map(|ticks| Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
        .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is not as expected")))
}

/// Returns the memory of a process.
///
/// # Errors
/// The process is gone, or this system has no `/proc`.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    memory_of(&text).ok_or_else(|| io::Error::other(format!("/proc/{pid}/status is not as expected")))
}

/// Returns the sum of fields 14 and 15; the name in field 2 may contain anything, even brackets and blanks.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

fn memory_of(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        kib.checked_mul(1024)
    };
    Some(Memory { resident_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194304 100 0 0 0 250 31 9 9 20 0 4 0 100";
        assert_eq!(ticks(stat), Some(281));
        assert_eq!(ticks("12 no brackets"), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let memory = memory_of(status).unwrap();
        assert_eq!((memory.resident_bytes, memory.peak_bytes), (1 << 20, 2 << 20));
    }

    #[test]
    fn this_very_process_is_there() {
        let pid = std::process::id();
        assert!(memory(pid).unwrap().peak_bytes > 0);
        cpu_time(pid).unwrap();
    }
}
