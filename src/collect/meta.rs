//! What the file system says about a file, without its contents.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
    time::UNIX_EPOCH,
};

/// Which file it is, as far as the file system can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    /// Device number; it may change from one boot to the next.
    pub(super) device: u64,
    /// Inode number; a file system may hand it to the next file at once.
    pub(super) inode: u64,
    /// Time of birth in nanoseconds since 1970, on file systems that keep it.
    pub(super) birth_ns: Option<i64>,
}

impl FileId {
    /// Whether two ids name one file, of which the device is compared only within one boot.
    pub(super) fn is(&self, other: &Self, same_boot: bool) -> bool {
        let births_agree = self.birth_ns.is_none() || other.birth_ns.is_none() || self.birth_ns == other.birth_ns;
        self.inode == other.inode && (!same_boot || self.device == other.device) && births_agree
    }
}

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link (only where links are not followed).
    Link,
    /// FIFO, socket or device: opening it could block, and it is no log file.
    Special,
}

/// What `stat` and `statx` tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) id: FileId,
    pub(super) kind: Kind,
    /// Size in bytes.
    pub(super) size: u64,
    /// Bytes that are allocated on the disk.
    pub(super) allocated: u64,
    /// Time of the last change in nanoseconds since 1970.
    pub(super) modified_ns: i64,
    /// Names of the file; zero once it is deleted.
    pub(super) links: u64,
}

impl Meta {
    /// Of what a path leads to, through links.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from_std(&metadata))
    }

    /// Of the path itself, even if it is a link.
    pub(super) fn of_link(path: &Path) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|metadata| Self::from_std(&metadata))
    }

    /// Of an open file.
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from_std(&metadata))
    }

    fn from_std(metadata: &Metadata) -> Self {
        let kind = metadata.file_type();
        let birth_ns = metadata.created().ok().and_then(|birth| {
            let since = birth.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(since.as_nanos()).ok().filter(|ns| *ns > 0)
        });
        Self {
            id: FileId { device: metadata.dev(), inode: metadata.ino(), birth_ns },
            kind: if kind.is_file() {
                Kind::File
            } else if kind.is_dir() {
                Kind::Directory
            } else if kind.is_symlink() {
                Kind::Link
            } else {
                debug_assert!(kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device());
                Kind::Special
            },
            size: metadata.size(),
            allocated: metadata.blocks() * 512,
            modified_ns: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
            links: metadata.nlink(),
        }
    }

    /// Birth time where it is known, else the time of the last change: what files of one name are ordered by.
    pub(super) fn age_key_ns(&self) -> i64 {
        self.id.birth_ns.unwrap_or(self.modified_ns)
    }
}
