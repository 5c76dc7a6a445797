//! Followed files: what programs write into them is stored, each line exactly once.

mod basics;
mod containers;
mod crash;
mod oddities;
mod programs;
mod reload;
mod rotation;
mod stages;

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::PathBuf,
};

use crate::support::{Directory, Narvi, eventually};

/// A directory of log files, and a server that follows `*log` in it.
struct Logs {
    // Before the directory, so that it is gone first.
    narvi: Option<Narvi>,
    directory: Directory,
    config: String,
}

impl Logs {
    fn new() -> Self {
        Self::with("", "")
    }

    /// With more configuration: dotted keys, and lines of the job.
    fn with(config: &str, job: &str) -> Self {
        let directory = Directory::new();
        fs::create_dir(directory.join("log")).unwrap();
        let paths = directory.join("log/*log");
        let config =
            format!("{config}\n[[scrape_configs]]\njob_name = 'varlogs'\npaths = ['{}']\n{job}\n", paths.display());
        Self { narvi: None, directory, config }
    }

    fn up(&mut self) -> &Narvi {
        self.narvi.insert(Narvi::start_with(&self.directory, &self.config))
    }

    fn narvi(&self) -> &Narvi {
        self.narvi.as_ref().unwrap()
    }

    fn down(&mut self) {
        self.narvi.take().unwrap().stop();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join("log").join(name)
    }

    /// A writer that appends, as programs that log do; the file is created if there is none.
    fn append(&self, name: &str) -> File {
        OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap()
    }

    /// Appends once.
    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        self.append(name).write_all(text.as_ref()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// The selector of one file's lines.
    fn of(&self, name: &str) -> String {
        format!("{{filename=\"{}\"}}", self.path(name).display())
    }

    /// Waits for so many lines of a file, whose order is that of time.
    fn lines(&self, name: &str, count: usize) -> Vec<String> {
        self.narvi().lines_once(&self.of(name), count)
    }

    /// Writes a last line and waits for it: what was written before has been stored by then. Gives all lines but that.
    fn all_lines(&self, name: &str) -> Vec<String> {
        self.write(name, "the end\n");
        let query = self.of(name);
        let mut lines = eventually(&format!("the last line of {query}"), || {
            let lines = self.narvi().lines(&query);
            lines.last().is_some_and(|line| line == "the end").then_some(lines)
        });
        lines.pop();
        lines
    }
}

/// Lines as a file holds them.
fn text<'l>(lines: impl IntoIterator<Item = &'l str>) -> String {
    lines.into_iter().flat_map(|line| [line, "\n"]).collect()
}
