//! What the tests of the store share.

#![expect(clippy::cast_possible_truncation, reason = "tests run on small numbers")]
#![expect(clippy::unwrap_used, reason = "only tests and fuzzing use it: a failure of theirs ends them")]
#![expect(clippy::assigning_clones, reason = "the file systems of tests are small")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
};

use super::disk::{Disk, DiskFile, Name, Open, Space};

/// A fresh directory that is removed with the value.
pub(super) struct TempDir(PathBuf);

impl TempDir {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("narvi-store-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A file system in memory that remembers what was not synced, and can be told to stop working.
#[derive(Clone, Debug, Default)]
pub(super) struct MemDisk(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    /// Names as programs see them now, and the files behind them.
    names: BTreeMap<PathBuf, Arc<Mutex<Data>>>,
    dirs: BTreeSet<PathBuf>,
    /// Changes of names since their directory was synced, oldest first.
    unsynced_names: Vec<NameChange>,
    /// Changes so far, of any kind.
    changes: u64,
    fault: Option<Fault>,
    /// By how much its clock differs from the machine's, in nanoseconds.
    clock_shift_ns: i64,
    /// A directory, and the bytes that all files below it may have together.
    quota: Option<(PathBuf, usize)>,
}

/// From which change on the disk fails, and with what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) error: rustix::io::Errno,
}

#[derive(Clone, Debug)]
enum NameChange {
    Created(PathBuf),
    /// From, to, and the file that had the name before.
    Renamed(PathBuf, PathBuf, Option<Arc<Mutex<Data>>>),
    Removed(PathBuf, Arc<Mutex<Data>>),
}

#[derive(Clone, Debug, Default)]
struct Data {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Since the last sync, oldest first: where, and what. A length is a write of nothing.
    unsynced: Vec<(usize, Vec<u8>)>,
}

impl MemDisk {
    /// How many changes were made so far.
    pub(super) fn changes(&self) -> u64 {
        self.lock().changes
    }

    pub(super) fn set_fault(&self, fault: Option<Fault>) {
        self.lock().fault = fault;
    }

    /// From now on the clock says so much more than the machine's.
    pub(super) fn shift_clock(&self, shift_ns: i64) {
        self.lock().clock_shift_ns = shift_ns;
    }

    /// From now on there is no space below a directory once its files have so many bytes.
    pub(super) fn set_quota(&self, dir: &Path, bytes_max: u64) {
        self.lock().quota = Some((dir.into(), bytes_max as usize));
    }

    /// What a disk may hold after the power went: of what was not synced any subset of pages, and any
    /// number of the oldest changes of names.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Self {
        let contents = self.lock();
        let mut names = contents.names.clone();
        let keep = random.below(contents.unsynced_names.len() as u64 + 1) as usize;
        for change in contents.unsynced_names[keep..].iter().rev() {
            match change {
                NameChange::Created(path) => drop(names.remove(path)),
                NameChange::Renamed(from, to, before) => {
                    if let Some(file) = names.remove(to) {
                        names.insert(from.clone(), file);
                    }
                    if let Some(before) = before {
                        names.insert(to.clone(), Arc::clone(before));
                    }
                }
                NameChange::Removed(path, file) => drop(names.insert(path.clone(), Arc::clone(file))),
            }
        }
        let files = names.into_iter().map(|(path, file)| {
            let data = file.lock().unwrap();
            let mut after = data.synced.clone();
            for (at, bytes) in &data.unsynced {
                for (page_at, page) in bytes.chunks(4096).enumerate().map(|(n, page)| (at + n * 4096, page)) {
                    if random.below(2) == 0 {
                        after.resize(after.len().max(page_at + page.len()), 0);
                        after[page_at..page_at + page.len()].copy_from_slice(page);
                    }
                }
            }
            (path, Arc::new(Mutex::new(Data { now: after.clone(), synced: after, unsynced: Vec::new() })))
        });
        let contents = Contents { names: files.collect(), dirs: contents.dirs.clone(), ..Contents::default() };
        Self(Arc::new(Mutex::new(contents)))
    }

    /// What a new process finds after the old one was killed: everything that was written.
    pub(super) fn after_kill(&self) -> Self {
        let contents = self.lock();
        let files = contents.names.iter().map(|(path, file)| {
            let now = file.lock().unwrap().now.clone();
            (path.clone(), Arc::new(Mutex::new(Data { now: now.clone(), synced: now, unsynced: Vec::new() })))
        });
        let contents = Contents { names: files.collect(), dirs: contents.dirs.clone(), ..Contents::default() };
        Self(Arc::new(Mutex::new(contents)))
    }

    /// The paths of all files.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.lock().names.keys().cloned().collect()
    }

    /// Changes the bytes of a file behind everybody's back.
    pub(super) fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let contents = self.lock();
        let mut data = contents.names[path].lock().unwrap();
        edit(&mut data.now);
        data.synced = data.now.clone();
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap()
    }

    /// Counts a change; fails if it is one of those that shall.
    fn change(&self) -> io::Result<MutexGuard<'_, Contents>> {
        let mut contents = self.lock();
        let number = contents.changes;
        contents.changes += 1;
        match contents.fault {
            Some(fault) if (fault.from..fault.until).contains(&number) => Err(fault.error.into()),
            _ => Ok(contents),
        }
    }
}

impl Contents {
    /// Fails if there is no space for a file that is to be `len` bytes long.
    fn check_space(&self, file: &Arc<Mutex<Data>>, len: usize) -> io::Result<()> {
        let Some((dir, bytes_max)) = &self.quota else { return Ok(()) };
        let more = len.saturating_sub(file.lock().unwrap().now.len());
        let counts = more > 0 && self.below(dir).any(|other| Arc::ptr_eq(other, file));
        if counts && self.bytes_below(dir) + more > *bytes_max {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn below(&self, dir: &Path) -> impl Iterator<Item = &Arc<Mutex<Data>>> {
        self.names.iter().filter(move |(path, _)| path.starts_with(dir)).map(|(_, file)| file)
    }

    fn bytes_below(&self, dir: &Path) -> usize {
        self.below(dir).map(|file| file.lock().unwrap().now.len()).sum()
    }
}

impl Disk for MemDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        if self.lock().dirs.contains(path) {
            return Ok(());
        }
        self.change()?.dirs.insert(path.into());
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Name>> {
        let contents = self.lock();
        let name = |path: &Path, is_dir| {
            (path.parent() == Some(dir))
                .then(|| Name { name: path.file_name().unwrap().to_str().unwrap().into(), is_dir })
        };
        let files = contents.names.keys().filter_map(|path| name(path, false));
        let mut names: Vec<Name> = files.chain(contents.dirs.iter().filter_map(|path| name(path, true))).collect();
        names.sort();
        Ok(names)
    }

    fn open(&self, path: &Path, mode: Open) -> io::Result<Box<dyn DiskFile>> {
        if let Some(data) = self.lock().names.get(path) {
            return Ok(Box::new(MemFile { data: Arc::clone(data), disk: self.clone() }));
        }
        if mode != Open::Create {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut contents = self.change()?;
        let data = Arc::new(Mutex::new(Data::default()));
        contents.names.insert(path.into(), Arc::clone(&data));
        contents.unsynced_names.push(NameChange::Created(path.into()));
        Ok(Box::new(MemFile { data, disk: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut contents = self.change()?;
        let file = contents.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        let before = contents.names.insert(to.into(), file);
        contents.unsynced_names.push(NameChange::Renamed(from.into(), to.into(), before));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut contents = self.change()?;
        let file = contents.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        contents.unsynced_names.push(NameChange::Removed(path.into(), file));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.change()?.dirs.remove(path);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut contents = self.change()?;
        contents.unsynced_names.retain(|change| match change {
            NameChange::Created(path) | NameChange::Removed(path, _) | NameChange::Renamed(_, path, _) => {
                path.parent() != Some(dir)
            }
        });
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        let contents = self.lock();
        Ok(match &contents.quota {
            Some((dir, bytes_max)) => {
                let free = bytes_max.saturating_sub(contents.bytes_below(dir));
                Space { free: free as u64, total: *bytes_max as u64 }
            }
            None => Space { free: 1 << 40, total: 1 << 41 },
        })
    }

    fn now_ns(&self) -> i64 {
        super::now_ns() + self.lock().clock_shift_ns
    }
}

/// An open file of a [`MemDisk`].
#[derive(Debug)]
struct MemFile {
    data: Arc<Mutex<Data>>,
    disk: MemDisk,
}

impl DiskFile for MemFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.data.lock().unwrap().now.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let data = self.data.lock().unwrap();
        let start = offset as usize;
        let bytes = data.now.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_all_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.disk.change()?.check_space(&self.data, offset as usize + buffer.len())?;
        let mut data = self.data.lock().unwrap();
        let start = offset as usize;
        let end = start + buffer.len();
        let len = data.now.len().max(end);
        data.now.resize(len, 0);
        data.now[start..end].copy_from_slice(buffer);
        data.unsynced.push((start, buffer.to_vec()));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.change()?.check_space(&self.data, len as usize)?;
        let mut data = self.data.lock().unwrap();
        data.now.resize(len as usize, 0);
        // Lengths are metadata, which the file system keeps in order; what lay behind is gone.
        data.synced.truncate(len as usize);
        let len = len as usize;
        data.unsynced.retain_mut(|(at, bytes)| {
            bytes.truncate(len.saturating_sub(*at));
            !bytes.is_empty()
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        drop(self.disk.change()?);
        let mut data = self.data.lock().unwrap();
        data.synced = data.now.clone();
        data.unsynced.clear();
        Ok(())
    }
}

/// Repeatable numbers (a 64-bit linear congruential generator).
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
