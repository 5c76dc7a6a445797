//! Notices that files grow and directories change: one inotify descriptor for everything. Events only
//! say where to look; what happened is found by looking. What cannot be watched is said, so that it is polled.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};

/// Watches of our own; the rest is polled. The kernel's limit is per user and shared with others.
const WATCHES_MAX: usize = 8192;
/// Room for the events of one read; a name takes up to 272 bytes.
const EVENT_BYTES: usize = 8192;
/// File systems on which other hosts, or a host below, change files without an event here.
/// Numbers: statfs(2), and `include/uapi/linux/magic.h` of the kernel.
const REMOTE_FILE_SYSTEMS: [u64; 12] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x6573_5546, // FUSE
    0x0102_1997, // 9p
    0x786f_4256, // vboxsf
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x6b41_4653, // AFS of the kernel
    0x4750_4653, // GPFS
    0x0bd0_0bd0, // Lustre
];

/// What happened, and where to look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A file grew or was truncated.
    Grown(u64),
    /// A file was renamed, or its links or permissions changed.
    Changed(u64),
    /// A file's last name is gone and nobody has it open: it cannot be found again.
    Gone(u64),
    /// Something happened to a name in a directory.
    Name { path: PathBuf, directory: bool },
    /// A watched directory is gone, renamed or unmounted.
    Directory,
    /// Events were lost: look at everything.
    Overflow,
}

/// The watches.
#[derive(Debug)]
pub(super) struct Watcher {
    inotify: Option<OwnedFd>,
    /// The numbers of the files behind a watch: two for a file that two jobs follow.
    files: HashMap<i32, Vec<u64>>,
    watch_of_file: HashMap<u64, i32>,
    /// The names of the directory behind a watch.
    directories: HashMap<i32, Vec<PathBuf>>,
    limit_said: bool,
    /// Watches that were refused since the start.
    pub(super) fallbacks: u64,
}

impl Watcher {
    /// A watcher; without an inotify descriptor it refuses every watch, and everything is polled.
    pub(super) fn new() -> Self {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .inspect_err(|error| {
                log::warn!(
                    "no inotify ({error}): files are polled instead; raise the limit with `sysctl fs.inotify.max_user_instances=512`"
                );
            })
            .ok();
        Self {
            inotify,
            files: HashMap::new(),
            watch_of_file: HashMap::new(),
            directories: HashMap::new(),
            limit_said: false,
            fallbacks: 0,
        }
    }

    /// What becomes readable when there are events.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Watches an open file, whatever its name is now. Returns whether it is watched.
    pub(super) fn watch_file(&mut self, number: u64, file: &File) -> bool {
        // Through /proc the watch goes to the very file that is open, even if its name is gone.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        let Some(watch) = self.add(Path::new(&path), flags) else {
            return false;
        };
        let numbers = self.files.entry(watch).or_default();
        if !numbers.contains(&number) {
            numbers.push(number);
        }
        self.watch_of_file.insert(number, watch);
        true
    }

    /// Ends the watch of a file.
    pub(super) fn forget_file(&mut self, number: u64) {
        let Some(watch) = self.watch_of_file.remove(&number) else {
            return;
        };
        let Some(numbers) = self.files.get_mut(&watch) else {
            return;
        };
        numbers.retain(|other| *other != number);
        if numbers.is_empty() {
            self.files.remove(&watch);
            self.remove(watch);
        }
    }

    /// Watches these directories and no others. Returns whether each is watched.
    pub(super) fn watch_directories(&mut self, wanted: &BTreeSet<PathBuf>) -> bool {
        // Not MODIFY: every write to any file of the directory would wake us.
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let mut all = true;
        // A name may lead to another directory than before, and two names to the same one. Asking again
        // for the watch of a directory that has one changes nothing and tells which it is.
        let mut now: HashMap<i32, Vec<PathBuf>> = HashMap::new();
        for path in wanted {
            match self.add(path, flags) {
                Some(watch) => now.entry(watch).or_default().push(path.clone()),
                None => all = false,
            }
        }
        let ended = self.directories.keys().filter(|watch| !now.contains_key(*watch));
        ended.for_each(|watch| self.remove(*watch));
        self.directories = now;
        all
    }

    /// Takes all events that have come, without waiting.
    pub(super) fn take(&mut self, events: &mut Vec<Event>) {
        let Some(inotify) = &self.inotify else { return };
        let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut reader = Reader::new(inotify, &mut buffer);
        let mut ended = Vec::new();
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => break,
                Err(error) => {
                    log::error!("cannot read inotify events: {error}; all files are looked at instead");
                    events.push(Event::Overflow);
                    break;
                }
            };
            let what = event.events();
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                events.push(Event::Overflow);
            } else if let Some(numbers) = self.files.get(&event.wd()) {
                for number in numbers {
                    events.push(if what.intersects(ReadFlags::DELETE_SELF | ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
                        Event::Gone(*number)
                    } else if what.contains(ReadFlags::MODIFY) {
                        Event::Grown(*number)
                    } else {
                        Event::Changed(*number)
                    });
                }
            } else if let Some(names) = self.directories.get(&event.wd()) {
                match event.file_name() {
                    Some(name) => events.extend(names.iter().map(|directory| Event::Name {
                        path: directory.join(std::ffi::OsStr::from_bytes(name.to_bytes())),
                        directory: what.contains(ReadFlags::ISDIR),
                    })),
                    None if what.intersects(
                        ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED | ReadFlags::UNMOUNT,
                    ) =>
                    {
                        // After a rename the watch would report names under a path that is no more.
                        ended.push(event.wd());
                        events.push(Event::Directory);
                    }
                    None => {}
                }
            }
            if what.contains(ReadFlags::IGNORED) {
                ended.push(event.wd());
            }
        }
        for watch in ended {
            if self.directories.remove(&watch).is_some() {
                self.remove(watch);
            }
            for number in self.files.remove(&watch).unwrap_or_default() {
                self.watch_of_file.remove(&number);
            }
        }
    }

    fn add(&mut self, path: &Path, flags: WatchFlags) -> Option<i32> {
        let inotify = self.inotify.as_ref()?;
        match inotify::add_watch(inotify, path, flags) {
            Ok(watch) => {
                let known = self.files.contains_key(&watch) || self.directories.contains_key(&watch);
                if !known && self.files.len() + self.directories.len() >= WATCHES_MAX {
                    self.remove(watch);
                    self.refuse("narvi's own bound on watches is reached");
                    return None;
                }
                Some(watch)
            }
            Err(Errno::NOSPC) => {
                self.refuse("`sysctl fs.inotify.max_user_watches=524288` raises the limit");
                None
            }
            Err(_) => None, // it may not be read, or is gone: whoever looks at it will see
        }
    }

    fn refuse(&mut self, remedy: &str) {
        self.fallbacks += 1;
        if !self.limit_said {
            self.limit_said = true;
            log::warn!("no more inotify watches: the other files are polled; {remedy}");
        }
    }

    fn remove(&self, watch: i32) {
        if let Some(inotify) = &self.inotify {
            let _ = inotify::remove_watch(inotify, watch); // it may have ended by itself
        }
    }
}

/// Whether a file lies where inotify does not tell of every change.
pub(super) fn is_remote(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|found| is_remote_type(&found))
}

/// As [`is_remote`], for a directory.
pub(super) fn is_remote_directory(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|found| is_remote_type(&found))
}

fn is_remote_type(found: &rustix::fs::StatFs) -> bool {
    // The field's type and sign differ between machines; the numbers have 32 bits.
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "the lower 32 bits are the number")]
    let number = u64::from(found.f_type as u32);
    REMOTE_FILE_SYSTEMS.contains(&number)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;
    use crate::collect::scratch::Scratch;

    fn taken(watcher: &mut Watcher) -> Vec<Event> {
        let mut events = Vec::new();
        watcher.take(&mut events);
        events
    }

    #[test]
    fn a_file_is_watched_beyond_its_name() {
        let scratch = Scratch::new();
        let mut writer = File::create_new(scratch.path("a")).unwrap();
        let reader = File::open(scratch.path("a")).unwrap();
        let mut watcher = Watcher::new();
        assert!(watcher.watch_file(7, &reader));
        writer.write_all(b"x").unwrap();
        assert_eq!(taken(&mut watcher), [Event::Grown(7)]);
        fs::rename(scratch.path("a"), scratch.path("b")).unwrap();
        assert_eq!(taken(&mut watcher), [Event::Changed(7)]);
        writer.write_all(b"x").unwrap();
        assert_eq!(taken(&mut watcher), [Event::Grown(7)]);
        fs::remove_file(scratch.path("b")).unwrap();
        assert_eq!(taken(&mut watcher), [Event::Changed(7)]);
        writer.write_all(b"x").unwrap();
        assert_eq!(taken(&mut watcher), [Event::Grown(7)]);
        drop((writer, reader));
        assert!(taken(&mut watcher).contains(&Event::Gone(7)));
        assert!(watcher.files.is_empty() && watcher.watch_of_file.is_empty());
    }

    #[test]
    fn a_directory_tells_of_names_and_not_of_writes() {
        let scratch = Scratch::new();
        let mut watcher = Watcher::new();
        assert!(watcher.watch_directories(&BTreeSet::from([scratch.root().to_owned()])));
        let mut file = File::create_new(scratch.path("a")).unwrap();
        assert_eq!(taken(&mut watcher), [Event::Name { path: scratch.path("a"), directory: false }]);
        file.write_all(b"x").unwrap();
        assert_eq!(taken(&mut watcher), []);
        fs::create_dir(scratch.path("d")).unwrap();
        assert_eq!(taken(&mut watcher), [Event::Name { path: scratch.path("d"), directory: true }]);
        assert!(watcher.watch_directories(&BTreeSet::new()));
        fs::remove_file(scratch.path("a")).unwrap();
        assert_eq!(taken(&mut watcher), []);
    }

    #[test]
    fn two_followers_of_one_file_are_both_told() {
        let scratch = Scratch::new();
        let mut writer = File::create_new(scratch.path("a")).unwrap();
        let mut watcher = Watcher::new();
        for number in [1, 2] {
            assert!(watcher.watch_file(number, &File::open(scratch.path("a")).unwrap()));
        }
        writer.write_all(b"x").unwrap();
        assert_eq!(taken(&mut watcher), [Event::Grown(1), Event::Grown(2)]);
        watcher.forget_file(1);
        writer.write_all(b"x").unwrap();
        assert_eq!(taken(&mut watcher), [Event::Grown(2)]);
    }
}
