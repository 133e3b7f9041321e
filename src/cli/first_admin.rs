//! The first admin of a fleet that starts: made from a file, or offered a one-time link. Layer `cli`. Keeps I12.

use std::io::{IsTerminal as _, stdout};
use std::path::Path;

use secrecy::SecretString;

use crate::config::settings::Config;
use crate::operate::operations::Operations;
use crate::runtime::own_file;

/// Makes the first admin from the file that is set; without one returns a one-time token, while there is no admin.
pub(super) async fn prepare(operations: &Operations, config: &Config) -> anyhow::Result<Option<SecretString>> {
    let Some(file) = &config.server.first_admin else { return Ok(operations.offer_first_admin().await?) };
    if operations.first_admin_of(file).await? {
        tracing::info!(file = %file.display(), "made the account of the first admin");
    }
    Ok(None)
}

/// Returns the line that tells of the link: the link itself on a terminal, elsewhere the path of a file with the link.
pub(super) fn told(link: &str, config: &Config) -> String {
    if stdout().is_terminal() {
        return format!("admin      {link} (once, for 30 minutes; or: botfleet user create NAME --role admin)");
    }
    let file = if config.many_nodes() {
        std::env::temp_dir().join(format!("botfleet-{}.first-admin", std::process::id()))
    } else {
        config.store.path.with_extension("first-admin")
    };
    match written(&file, link) {
        Ok(()) => format!("admin      the link for the first admin is in {}", file.display()),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "the link for the first admin was not written");
            "admin      none yet; botfleet user create NAME --role admin makes the first".to_owned()
        }
    }
}

/// Writes the link into a new file of mode 600, in place of that of an earlier start.
fn written(file: &Path, link: &str) -> std::io::Result<()> {
    own_file::replace(file, format!("{link}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn the_link_lies_in_a_file_of_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("botfleet.first-admin");
        for link in ["one", "two"] {
            written(&file, link).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), format!("{link}\n"));
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        }
    }
}
