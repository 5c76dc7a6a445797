//! Which files are to be followed: walks the patterns of all jobs and says for each file which job
//! has it, and under which of its names. Looks at names and `stat`, never into a file.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io,
    path::{Path, PathBuf},
};

use super::{
    glob::{DEPTH_MAX, Element, literal_prefix},
    job::Prepared,
    meta::{Kind, Meta},
    names::{self, Sieved},
};

/// Trees that only a literal prefix enters: their files are no logs, and reading them has effects.
const KERNEL_TREES: [&str; 3] = ["/proc", "/sys", "/dev"];
/// Binary journals, which `journalctl` reads.
const JOURNALS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// Names that one walk looks at, whatever the patterns.
const NAMES_MAX: u32 = 1_000_000;

/// A file to be followed.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Index of its job.
    pub(super) job: usize,
    /// The name under which it is followed.
    pub(super) path: PathBuf,
    /// Other names of it.
    pub(super) aliases: Vec<PathBuf>,
    /// An earlier job has it as well, and this one takes it nevertheless.
    pub(super) overlap: bool,
    pub(super) meta: Meta,
}

/// What is not to be collected, whatever the patterns say.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    /// The data directory, without links.
    pub(super) store: PathBuf,
    /// Device and inode of the file that our messages go to.
    pub(super) stderr: Option<(u64, u64)>,
}

/// What a look at the directories found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    /// Directories in which files may appear, to be watched.
    pub(super) directories: BTreeSet<PathBuf>,
    /// Directories that exist but cannot be listed.
    pub(super) unreadable: Vec<PathBuf>,
    /// Pairs of a file's name and the name of the job that has it already.
    pub(super) taken: Vec<(PathBuf, usize, usize)>,
    /// Jobs with more files than they may follow, and how many.
    pub(super) too_many: Vec<(usize, usize)>,
    /// Names that were looked at.
    pub(super) names: u32,
    /// Files left out by name.
    pub(super) excluded: u64,
    /// Links that lead nowhere.
    pub(super) dangling: u64,
}

/// Looks at all directories of all jobs.
pub(super) fn discover(jobs: &[Prepared], files_max: usize, own: &Own) -> Found {
    let mut found = Found::default();
    let mut matches = Vec::new();
    for (number, job) in jobs.iter().enumerate() {
        if job.is_off() {
            continue;
        }
        let mut walk = Walk { job, number, own, found: &mut found, matches: BTreeMap::new(), dated: Vec::new() };
        walk.run();
        walk.keep_dated_live_files();
        let mut names = walk.matches;
        names.retain(|path, _| job.keeps(path));
        let before = matches.len();
        matches.extend(names.into_values());
        if matches.len() - before > files_max {
            found.too_many.push((number, matches.len() - before));
            matches[before..].sort_by_key(|file: &Match| std::cmp::Reverse(file.meta.modified_ns));
            matches.truncate(before + files_max);
        }
    }
    found.candidates = one_name_each(jobs, matches, &mut found.taken);
    found
}

/// A name that a job selects.
#[derive(Clone, Debug)]
struct Match {
    job: usize,
    literal: bool,
    is_link: bool,
    path: PathBuf,
    meta: Meta,
}

/// Chooses for each file the job and the name under which it is followed. A job that names the file
/// without wildcards beats one that does not, then the earlier job; a name that is no link beats a link,
/// then the shorter one, then alphabetical order.
fn one_name_each(
    jobs: &[Prepared],
    mut matches: Vec<Match>,
    taken: &mut Vec<(PathBuf, usize, usize)>,
) -> Vec<Candidate> {
    matches.sort_by(|a, b| {
        let rank = |m: &Match| (!m.literal, m.job, m.is_link, m.path.as_os_str().len());
        rank(a).cmp(&rank(b)).then_with(|| a.path.cmp(&b.path))
    });
    let mut of_file: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    for file in matches {
        let followed = of_file.entry((file.meta.id.device, file.meta.id.inode)).or_default();
        if let Some(same_job) = followed.iter().find(|at| candidates[**at].job == file.job) {
            candidates[*same_job].aliases.push(file.path);
            continue;
        }
        let overlap = !followed.is_empty();
        if overlap && !jobs[file.job].job.allow_overlap {
            let first = &mut candidates[followed[0]];
            if first.path != file.path {
                first.aliases.push(file.path.clone());
            }
            taken.push((file.path, first.job, file.job));
            continue;
        }
        followed.push(candidates.len());
        candidates.push(Candidate { job: file.job, path: file.path, aliases: Vec::new(), overlap, meta: file.meta });
    }
    candidates
}

/// The walk of one job's patterns.
struct Walk<'a> {
    job: &'a Prepared,
    number: usize,
    own: &'a Own,
    found: &'a mut Found,
    matches: BTreeMap<PathBuf, Match>,
    /// Matches that only their date keeps out.
    dated: Vec<Match>,
}

impl Walk<'_> {
    fn run(&mut self) {
        for pattern in &self.job.paths {
            for elements in pattern.alternatives() {
                let (prefix, literals) = literal_prefix(elements);
                if literals == elements.len() {
                    self.watch_directory(prefix.parent().unwrap_or(Path::new("/")));
                    self.offer(prefix, true);
                } else {
                    let rest = &elements[literals..];
                    self.descend(pattern, &prefix, rest, 0, &mut HashSet::new());
                }
            }
        }
    }

    /// Looks into a directory for what the remaining elements select.
    fn descend(
        &mut self,
        pattern: &super::Pattern,
        directory: &Path,
        elements: &[Element],
        depth: usize,
        entered: &mut HashSet<(u64, u64)>,
    ) {
        let Some((element, below)) = elements.split_first() else {
            return;
        };
        if let Element::Literal(name) = element {
            let path = directory.join(name);
            if below.is_empty() {
                self.watch_directory(directory);
                self.offer(path, false);
            } else {
                self.watch_directory(directory);
                self.descend(pattern, &path, below, depth, entered);
            }
            return;
        }
        let recursive = matches!(element, Element::Directories);
        if recursive && !below.is_empty() {
            self.descend(pattern, directory, below, depth, entered); // it may stand for no directory
        }
        for (path, name, is_directory, id) in self.list(directory) {
            if !pattern.name_matches(element, &name) {
                continue;
            }
            if !is_directory {
                if below.is_empty() {
                    self.offer(path, false);
                }
                continue;
            }
            let next = if recursive { elements } else { below };
            if next.is_empty() || depth >= DEPTH_MAX || self.stays_out(&path) || !entered.insert(id) {
                continue;
            }
            self.descend(pattern, &path, next, depth + 1, entered);
            entered.remove(&id); // only a cycle is to be broken; another way in may select other files
        }
    }

    /// The names in a directory: path, name, whether it is a directory, and device and inode if so.
    fn list(&mut self, directory: &Path) -> Vec<(PathBuf, String, bool, (u64, u64))> {
        self.watch_directory(directory);
        let names = match std::fs::read_dir(directory) {
            Ok(names) => names,
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied
                    && !self.found.unreadable.iter().any(|d| d == directory)
                {
                    self.found.unreadable.push(directory.to_owned());
                }
                return Vec::new();
            }
        };
        let mut list = Vec::new();
        for entry in names.flatten() {
            self.found.names += 1;
            if self.found.names > NAMES_MAX {
                break;
            }
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            let mut id = (0, 0);
            let mut is_directory = kind.is_dir();
            if (is_directory || kind.is_symlink())
                && let Ok(meta) = Meta::of(&path)
            {
                is_directory = meta.kind == Kind::Directory;
                id = (meta.id.device, meta.id.inode);
            }
            list.push((path, entry.file_name().to_string_lossy().into_owned(), is_directory, id));
        }
        list
    }

    /// Whether a directory below a wildcard is not entered.
    fn stays_out(&self, directory: &Path) -> bool {
        KERNEL_TREES.iter().any(|tree| directory == Path::new(tree))
            || directory == self.own.store
            || (self.job.job.default_excludes && JOURNALS.iter().any(|tree| directory == Path::new(tree)))
            || self.job.exclude.iter().any(|pattern| pattern.covers(directory))
    }

    /// Takes a name that a pattern selects, if it stands for a file that may be followed.
    fn offer(&mut self, path: PathBuf, literal: bool) {
        if let Some(known) = self.matches.get_mut(&path) {
            known.literal |= literal;
            return;
        }
        let Ok(own) = Meta::of_link(&path) else {
            return;
        };
        let is_link = own.kind == Kind::Link;
        let meta = if is_link {
            match Meta::of(&path) {
                Ok(meta) => meta,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => own, // opening it will say so
                Err(_) => {
                    self.found.dangling += 1;
                    return;
                }
            }
        } else {
            own
        };
        let unreachable_link = meta.kind == Kind::Link;
        if meta.kind != Kind::File && !unreachable_link {
            return;
        }
        if self.is_own(&path, &meta) || self.job.exclude.iter().any(|pattern| pattern.matches(&path)) {
            self.found.excluded += 1;
            return;
        }
        let file = Match { job: self.number, literal, is_link, path, meta };
        let sieved = if self.job.job.default_excludes && !literal {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            let in_journal = JOURNALS.iter().any(|tree| file.path.starts_with(tree));
            if in_journal { Some(Sieved::Excluded) } else { names::sieved(&name) }
        } else {
            None
        };
        match sieved {
            None => drop(self.matches.insert(file.path.clone(), file)),
            Some(Sieved::Dated) => self.dated.push(file),
            Some(Sieved::Rotated | Sieved::Excluded) => self.found.excluded += 1,
        }
    }

    /// Some writers put the date into the name of their live file. If no undated file is there, the
    /// newest of such a series is the live one.
    fn keep_dated_live_files(&mut self) {
        let mut newest: HashMap<PathBuf, Match> = HashMap::new();
        let mut hidden = 0;
        for file in std::mem::take(&mut self.dated) {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            let Some(stem) = names::undated(&name) else {
                continue;
            };
            let series = file.path.with_file_name(stem);
            hidden += 1;
            if series.symlink_metadata().is_ok() {
                continue;
            }
            let key = |file: &Match| (file.meta.modified_ns, file.path.clone());
            match newest.get(&series) {
                Some(known) if key(known) >= key(&file) => {}
                _ => drop(newest.insert(series, file)),
            }
        }
        self.found.excluded += hidden - newest.len() as u64;
        self.matches.extend(newest.into_values().map(|file| (file.path.clone(), file)));
    }

    fn is_own(&self, path: &Path, meta: &Meta) -> bool {
        self.own.stderr == Some((meta.id.device, meta.id.inode))
            || (!self.own.store.as_os_str().is_empty() && path.starts_with(&self.own.store))
    }

    /// A directory to be watched; if it does not exist, the nearest one above it.
    fn watch_directory(&mut self, directory: &Path) {
        if self.found.directories.contains(directory) {
            return;
        }
        let existing = directory.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
        self.found.directories.insert(existing.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, time::Duration};

    use super::*;
    use crate::collect::{Options, scratch::Scratch, testing};

    /// Jobs given as name and patterns; a pattern that begins with `!` excludes.
    fn names(scratch: &Scratch, jobs: &[(&str, &[&str])], change: impl Fn(&mut Options)) -> (Vec<String>, Found) {
        let mut options = testing::options(scratch, &[]);
        for (name, patterns) in jobs {
            let rooted = |pattern: &str| scratch.root().join(pattern).to_string_lossy().into_owned();
            let mut job = testing::job(name, &[]);
            job.paths = patterns.iter().filter(|p| !p.starts_with('!')).map(|p| rooted(p)).collect();
            job.exclude = patterns.iter().filter_map(|p| p.strip_prefix('!')).map(rooted).collect();
            options.jobs.push(job);
        }
        change(&mut options);
        let own = Own { store: options.store_path.clone(), stderr: None };
        let found = discover(&Prepared::all(&options).unwrap(), options.max_files, &own);
        let mut names: Vec<_> = found
            .candidates
            .iter()
            .map(|candidate| {
                let path = candidate.path.strip_prefix(scratch.root()).unwrap().display();
                format!("{}:{path}", options.jobs[candidate.job].name)
            })
            .collect();
        names.sort();
        (names, found)
    }

    fn write(scratch: &Scratch, names: &[&str]) {
        for name in names {
            let path = scratch.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
    }

    #[test]
    fn takes_files_by_name() {
        let scratch = Scratch::new();
        write(
            &scratch,
            &[
                "syslog",
                "x.log",
                "x.log.1",
                "x.log.2.gz",
                "lastlog",
                ".hidden.log",
                "y.log~",
                "messages-20261121",
                "messages-20261122",
                "sub/a.log",
                "sub/deep/b.log",
                "sub/.git/c.log",
                "z.log/not-a-log",
                "data/own.log",
                "app-20261121",
                "app",
                "debug/d.log",
            ],
        );
        fs::File::open(scratch.path("messages-20261121")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        let check = |patterns: &[&str], expected: &[&str]| {
            let (found, _) = names(&scratch, &[("j", patterns)], |_| {});
            let expected: Vec<_> = expected.iter().map(|name| format!("j:{name}")).collect();
            assert_eq!(found, expected, "{patterns:?}");
        };
        check(&["*log"], &["syslog", "x.log"]);
        check(&["*log", "x.log.1"], &["syslog", "x.log", "x.log.1"]);
        check(&["x*", "x.log.1"], &["x.log", "x.log.1"]);
        check(&["m*"], &["messages-20261122"]);
        check(&["a*"], &["app"]);
        check(&["**/*.log", "!**/debug/**"], &["sub/a.log", "sub/deep/b.log", "x.log"]);
        check(&["sub/*.log", "!sub/a*"], &[]);
        check(&["{x,y}.log", "none/*.log"], &["x.log"]);
        check(&[".hidden*"], &[".hidden.log"]);
        let (all, _) = names(&scratch, &[("j", &["*log*"])], |options| {
            options.jobs[0].default_excludes = false;
        });
        assert_eq!(all, ["j:lastlog", "j:syslog", "j:x.log", "j:x.log.1", "j:x.log.2.gz", "j:y.log~"]);
        let (_, found) = names(&scratch, &[("j", &["none/below/*.log"])], |_| {});
        assert_eq!(found.directories, BTreeSet::from([scratch.root().to_owned()]), "the nearest directory there is");
    }

    #[test]
    fn follows_each_file_once() {
        let scratch = Scratch::new();
        write(&scratch, &["a.log", "real.log"]);
        fs::hard_link(scratch.path("a.log"), scratch.path("hard.log")).unwrap();
        symlink(scratch.path("real.log"), scratch.path("1.log")).unwrap();
        symlink(scratch.path("nowhere"), scratch.path("dangling.log")).unwrap();
        symlink(scratch.root(), scratch.path("loop")).unwrap();
        let (found, all) = names(&scratch, &[("j", &["*.log"])], |_| {});
        assert_eq!((found, all.dangling), (vec!["j:a.log".into(), "j:real.log".into()], 1));
        assert_eq!(all.candidates[0].aliases, [scratch.path("hard.log")]);
        let (found, _) = names(&scratch, &[("j", &["**/*.log"])], |_| {});
        assert_eq!(found, ["j:a.log", "j:real.log"], "through a link to itself");
    }

    #[test]
    fn a_literal_path_beats_a_pattern_then_the_first_job_wins() {
        let scratch = Scratch::new();
        write(&scratch, &["a.log", "b.log"]);
        let jobs: [(&str, &[&str]); 3] = [("1", &["*.log"]), ("2", &["?.log"]), ("3", &["a.log"])];
        let (found, all) = names(&scratch, &jobs, |_| {});
        assert_eq!(found, ["1:b.log", "3:a.log"]);
        assert_eq!(all.taken.len(), 3);
        let (found, _) = names(&scratch, &jobs, |options| {
            options.jobs[1].allow_overlap = true;
        });
        assert_eq!(found, ["1:b.log", "2:a.log", "2:b.log", "3:a.log"]);
        let (found, _) = names(&scratch, &jobs, |options| {
            options.jobs[0].unless_exists = vec![scratch.path("b.log")];
        });
        assert_eq!(found, ["2:b.log", "3:a.log"]);
    }

    #[test]
    fn takes_the_newest_when_there_are_too_many() {
        let scratch = Scratch::new();
        write(&scratch, &["a.log", "b.log", "c.log"]);
        let day = Duration::from_hours(24);
        let old = std::time::SystemTime::now() - day;
        fs::File::open(scratch.path("b.log")).unwrap().set_modified(old).unwrap();
        let (found, all) = names(&scratch, &[("j", &["*.log"])], |options| {
            options.max_files = 2;
        });
        assert_eq!((found, all.too_many), (vec!["j:a.log".into(), "j:c.log".into()], vec![(0, 3)]));
    }
}
