//! Why the store could not do something, in words for the operator.

use std::{fmt, io, path::PathBuf};

/// An error of the store.
#[derive(Debug)]
pub enum Error {
    /// "cannot write /var/lib/narvi/wal/0001.wal: No space left on device (os error 28)"
    Io {
        /// What was tried, as a verb: `write`, `open`, `sync`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// "block at byte 81920 of /.../s0000000c.chunk is damaged (checksum of the text); its other blocks stay readable"
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged part starts.
        offset: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// "another narvi (process 123) uses the store /var/lib/narvi; stop it, or choose another `path` in `[store]`"
    Locked {
        /// The data directory.
        path: PathBuf,
        /// The process that holds it, as far as it is known.
        owner: String,
    },
    /// "/data is not a narvi store of a version that this program reads: ..."
    Format {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// "the store cannot keep up: ..."; the caller should try again later.
    Full {
        /// Why heads cannot be emptied.
        reason: String,
    },
    /// "the store is closing"
    Closing,
}

impl Error {
    /// Whether a write found no space: on the file system, or in what is left of a quota.
    pub(super) fn is_disk_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io { source, .. } if full.contains(&source.kind()))
    }

    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, path, source } => {
                write!(f, "cannot {action} {}: {source}", path.display())?;
                match source.kind() {
                    io::ErrorKind::StorageFull => f.write_str("; free some space or lower `retention_size`"),
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; the user that runs narvi must own the data directory")
                    }
                    io::ErrorKind::ReadOnlyFilesystem => f.write_str("; the file system is mounted read-only"),
                    _ => Ok(()),
                }
            }
            Self::Damaged { path, offset, what } => {
                write!(
                    f,
                    "block at byte {offset} of {} is damaged ({what}); its other blocks stay readable",
                    path.display()
                )
            }
            Self::Locked { path, owner } => write!(
                f,
                "another narvi ({owner}) uses the store {}; stop it, or choose another `path` in `[store]`",
                path.display()
            ),
            Self::Format { path, what } => write!(f, "{} cannot be read by this version: {what}", path.display()),
            Self::Full { reason } => write!(f, "the store cannot take more entries now: {reason}"),
            Self::Closing => f.write_str("the store is closing"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
