//! The files beside a followed one, where rotation leaves its former contents: the old file under
//! its inode, files that came and went unseen, and the copy that `copytruncate` makes.

use std::{
    collections::HashMap,
    fs::File,
    ops::RangeInclusive,
    os::unix::fs::DirEntryExt,
    path::{Path, PathBuf},
};

use super::{
    identity::Progress,
    meta::{FileId, Kind, Meta},
    names,
    open::open_log,
};

/// Names of one directory that are looked at.
const NAMES_MAX: usize = 50_000;
/// Directories beside a file to which a rotation may move it (logrotate's `olddir`).
const OLD_DIRECTORIES: [&str; 3] = ["old", "archive", "archived"];

/// A file beside a followed one.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) meta: Meta,
}

/// Directory listings, kept for one look at many files.
#[derive(Default)]
pub(super) struct Siblings {
    listings: HashMap<PathBuf, Vec<(PathBuf, u64)>>,
}

impl Siblings {
    /// Forgets the listings, before the next look.
    pub(super) fn forget(&mut self) {
        self.listings.clear();
    }

    /// The file that `path` was, under whatever name it has now.
    pub(super) fn find(&mut self, path: &Path, id: &FileId, same_boot: bool) -> Option<Sibling> {
        self.beside(path)
            .into_iter()
            .filter(|(_, inode)| *inode == id.inode)
            .find_map(|(path, _)| regular(path).filter(|sibling| sibling.meta.id.is(id, same_boot)))
    }

    /// Rotated copies of `path` of the given age (see [`Meta::age_key_ns`]), the oldest first.
    pub(super) fn rotated(&mut self, path: &Path, age_ns: RangeInclusive<i64>) -> Vec<Sibling> {
        let live = name(path);
        let mut found: Vec<_> = self
            .beside(path)
            .into_iter()
            .filter(|(other, _)| names::is_rotated_copy(&live, &name(other)))
            .filter_map(|(other, _)| regular(other))
            .filter(|sibling| age_ns.contains(&sibling.meta.age_key_ns()) && sibling.meta.size > 0)
            .collect();
        // Files of the same age, as on file systems with coarse times: the greater number is the older.
        found.sort_by(|a, b| {
            (a.meta.age_key_ns(), a.meta.modified_ns)
                .cmp(&(b.meta.age_key_ns(), b.meta.modified_ns))
                .then_with(|| trailing_number(&b.path).cmp(&trailing_number(&a.path)))
                .then_with(|| a.path.cmp(&b.path))
        });
        found
    }

    /// The copy that was made of `path` before it was truncated: it holds all that was read. `seen_ns` is
    /// the last change that was seen of the file. Of several the first that was made since then; a copy
    /// that overwrote an older file has no such birth, and then the last changed one is taken.
    pub(super) fn copy_of(
        &mut self,
        path: &Path,
        id: &FileId,
        progress: &Progress,
        seen_ns: i64,
    ) -> Option<(Sibling, File)> {
        if progress.position == 0 {
            return None;
        }
        let live = name(path);
        let mut copies: Vec<_> = self
            .beside(path)
            .into_iter()
            .filter(|(other, inode)| *inode != id.inode && names::may_be_copy(&live, &name(other)))
            .filter_map(|(other, _)| regular(other))
            .filter(|sibling| sibling.meta.size >= progress.position)
            .collect();
        copies.sort_by_key(|sibling| {
            let born_ns = sibling.meta.age_key_ns();
            let since = born_ns >= seen_ns;
            (!since, if since { born_ns } else { -sibling.meta.modified_ns })
        });
        copies.into_iter().find_map(|sibling| {
            let file = open_log(&sibling.path).ok()?;
            let id = Meta::of_file(&file).ok()?.id;
            (progress.is_in(&file).ok()? && id == sibling.meta.id).then_some((sibling, file))
        })
    }

    /// The files of the directory and of those below it to which rotation may move some.
    fn beside(&mut self, path: &Path) -> Vec<(PathBuf, u64)> {
        let Some(directory) = path.parent() else {
            return Vec::new();
        };
        let mut all = self.listing(directory).to_vec();
        for old in OLD_DIRECTORIES {
            all.extend_from_slice(self.listing(&directory.join(old)));
        }
        all
    }

    fn listing(&mut self, directory: &Path) -> &[(PathBuf, u64)] {
        self.listings.entry(directory.to_owned()).or_insert_with(|| {
            std::fs::read_dir(directory).map_or_else(
                |_| Vec::new(),
                |names| names.flatten().take(NAMES_MAX).map(|entry| (entry.path(), entry.ino())).collect(),
            )
        })
    }
}

fn regular(path: PathBuf) -> Option<Sibling> {
    let meta = Meta::of_link(&path).ok().filter(|meta| meta.kind == Kind::File)?;
    Some(Sibling { path, meta })
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn trailing_number(path: &Path) -> u64 {
    let name = name(path);
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    name[name.len() - digits..].parse().unwrap_or(0)
}
