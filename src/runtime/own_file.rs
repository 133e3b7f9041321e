//! Files of this user alone: keys, tokens and links. Layer `runtime`. Keeps I12.
//!
//! Such a file is written under a name of its own beside its place, with mode 600 from the first byte on, and synced; then it takes
//! its place in one step. So nobody else ever reads it, a crash leaves no half of it, and no link that somebody put there is
//! followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that has no place yet; it goes with this value.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // It is gone already once it has taken its place.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes a new file; returns false when one is there already, which stays as it is.
///
/// # Errors
/// When the folder cannot be written.
pub fn create(path: &Path, contents: &[u8]) -> io::Result<bool> {
    let draft = draft(path, contents)?;
    match fs::hard_link(&draft.0, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        // Some file systems have no links: what is there is looked for first.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
            if fs::symlink_metadata(path).is_ok() {
                return Ok(false);
            }
            fs::rename(&draft.0, path)?;
        }
        Err(error) => return Err(error),
    }
    settle(path);
    Ok(true)
}

/// Writes a file in place of the one that is there, if any.
///
/// # Errors
/// When the folder cannot be written.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let draft = draft(path, contents)?;
    fs::rename(&draft.0, path)?;
    settle(path);
    Ok(())
}

fn draft(path: &Path, contents: &[u8]) -> io::Result<Draft> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.new", fastrand::u64(..)));
    let place = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place)?;
    let draft = Draft(place);
    file.write_all(contents)?;
    file.sync_all()?;
    Ok(draft)
}

/// Makes the file's name outlive a power failure, where the file system can do that for a folder.
fn settle(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn i12_a_file_of_ones_own_is_whole_unreadable_to_others_and_leaves_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        assert!(create(&file, b"one").unwrap());
        assert!(!create(&file, b"two").unwrap(), "the first counts");
        assert_eq!(fs::read(&file).unwrap(), b"one");
        replace(&file, b"three").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"three");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["key"]);
        assert!(create(&folder.path().join("none/key"), b"x").is_err());
    }

    #[test]
    fn a_link_that_somebody_put_there_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (theirs, file) = (folder.path().join("theirs"), folder.path().join("key"));
        fs::write(&theirs, "theirs").unwrap();
        symlink(&theirs, &file).unwrap();
        assert!(!create(&file, b"secret").unwrap());
        replace(&file, b"secret").unwrap();
        assert_eq!(fs::read(&theirs).unwrap(), b"theirs");
        assert_eq!(fs::read(&file).unwrap(), b"secret");
    }

    #[test]
    fn of_many_who_make_a_file_at_once_one_wins() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let made: Vec<bool> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8_u8)
                .map(|n| {
                    scope.spawn({
                        let file = &file;
                        move || create(file, &[n]).unwrap()
                    })
                })
                .collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert_eq!(made.iter().filter(|made| **made).count(), 1);
        assert_eq!(names(folder.path()), ["key"]);
    }
}
