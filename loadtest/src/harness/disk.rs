//! Measures the cost of a flush to the disk beside the load: durable throughput cannot be judged
//! without that figure. Layer: harness.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::HarnessError;
use super::measure::Spread;

/// Bytes written before each flush: one page, as in a small commit.
const WRITTEN_BYTES: usize = 4096;

/// Appends to a small file in the folder and flushes it `count` times, evenly over the time `over`; the
/// file is removed at the end.
///
/// # Errors
/// The file cannot be used.
pub async fn flushes(dir: &Path, count: u32, over: Duration) -> Result<Spread, HarnessError> {
    let path = dir.join("flush.probe");
    let spread = probe(&path, count, over).await.map_err(HarnessError::file(&path))?;
    std::fs::remove_file(&path).map_err(HarnessError::file(&path))?;
    Ok(spread)
}

async fn probe(path: &PathBuf, count: u32, over: Duration) -> io::Result<Spread> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let mut spread = Spread::default();
    let started = tokio::time::Instant::now();
    for turn in 0..count {
        tokio::time::sleep_until(started + over * turn / count.max(1)).await;
        let (back, took) = tokio::task::spawn_blocking(move || flush(file)).await.map_err(io::Error::other)??;
        file = back;
        spread.add(took);
    }
    Ok(spread)
}

fn flush(mut file: File) -> io::Result<(File, Duration)> {
    file.write_all(&[b'x'; WRITTEN_BYTES])?;
    let started = Instant::now();
    file.sync_data()?;
    Ok((file, started.elapsed()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn every_flush_is_counted_and_nothing_stays_behind() {
        let dir = std::env::temp_dir().join(format!("botfleet-disk-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let spread = flushes(&dir, 5, Duration::from_millis(10)).await.unwrap();
        assert_eq!(spread.count(), 5);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
        std::fs::remove_dir(&dir).unwrap();
    }
}
