//! Opening a log file without side effects: never blocking on a FIFO, never taking a terminal, and
//! where permitted without writing its access time, which would cost a flash card a write per day and file.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

use super::meta::{Kind, Meta};

/// Opens a regular file for reading.
pub(super) fn open_log(path: &Path) -> io::Result<File> {
    let plain = OFlags::NONBLOCK | OFlags::NOCTTY;
    let open =
        |flags: OFlags| OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(path);
    let file = match open(plain | OFlags::NOATIME) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::PERM.raw_os_error()) => open(plain)?,
        other => other?,
    };
    if Meta::of_file(&file)?.kind == Kind::File {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// "owner root, group adm, mode 0640; add the user that narvi runs as to group adm", for whoever has to
/// let us read it. Where a directory on the way refuses, or the end of a link, names it.
pub(super) fn denied(path: &Path) -> String {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (refusing, metadata) = refusing(&target);
    let Some(metadata) = metadata else {
        return format!(
            "{} cannot be looked at; check the permissions of the directories above it",
            refusing.display()
        );
    };
    let mode = metadata.mode() & 0o7777;
    let wanted = if metadata.is_dir() { 0o050 } else { 0o040 };
    let (owner, group) = (name_of("/etc/passwd", metadata.uid()), name_of("/etc/group", metadata.gid()));
    let remedy = if mode & wanted == wanted && metadata.gid() != 0 {
        format!("add the user that narvi runs as to group {group}")
    } else {
        let access = if metadata.is_dir() { "g+rx" } else { "g+r" };
        format!(
            "`chgrp adm {0}; chmod {access} {0}` and membership in group adm would let narvi read it",
            refusing.display()
        )
    };
    let which = if refusing == path { String::new() } else { format!("{} has ", refusing.display()) };
    format!("{which}owner {owner}, group {group}, mode {mode:04o}; {remedy}")
}

/// The first directory on the way that cannot be searched, else the file.
fn refusing(path: &Path) -> (&Path, Option<std::fs::Metadata>) {
    let mut ancestors: Vec<&Path> = path.ancestors().skip(1).collect();
    ancestors.reverse();
    for directory in ancestors {
        let searchable = rustix::fs::access(directory, rustix::fs::Access::EXEC_OK).is_ok();
        if !searchable {
            return (directory, std::fs::metadata(directory).ok());
        }
    }
    (path, std::fs::metadata(path).ok())
}

/// The name of a user or group in `/etc/passwd` or `/etc/group`, else its number.
fn name_of(table: &str, id: u32) -> String {
    let number = id.to_string();
    let text = std::fs::read_to_string(table).unwrap_or_default();
    text.lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == number).then(|| name.to_owned())
        })
        .unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::collect::scratch::Scratch;

    #[test]
    fn says_who_may_read_and_what_to_do() {
        let scratch = Scratch::new();
        let path = scratch.path("secret.log");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = denied(&path);
        assert!(text.starts_with("owner ") && text.contains(", mode 0600; `chgrp adm "), "{text}");
        assert_eq!(name_of("/etc/passwd", 0), "root");
        assert_eq!(name_of("/nonexistent", 12345), "12345");
    }

    #[test]
    fn opens_nothing_but_files() {
        let scratch = Scratch::new();
        let socket = scratch.path("socket.log");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(open_log(&socket).is_err());
        assert!(open_log(scratch.root()).is_err());
    }
}
