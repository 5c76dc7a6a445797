//! A job as the collector uses it: patterns parsed, zone loaded.

use std::path::Path;

use super::{Error, Job, Options, Pattern, timestamp::Zone};
use crate::labels::LabelSet;

/// A job, ready to be used.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) job: Job,
    pub(super) paths: Vec<Pattern>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) zone: Zone,
    /// Labels of the job's streams, but for the file name.
    labels: LabelSet,
}

impl Prepared {
    /// Parses what the options say of each job.
    ///
    /// # Errors
    /// The first pattern or zone that is none.
    pub(super) fn all(options: &Options) -> Result<Vec<Self>, Error> {
        options.jobs.iter().map(|job| Self::new(job, &options.labels)).collect()
    }

    fn new(job: &Job, everywhere: &LabelSet) -> Result<Self, Error> {
        let parse = |pattern: &String, hidden| {
            Pattern::parse(pattern).map(|parsed| parsed.hidden(hidden)).map_err(|source| Error::Pattern {
                job: job.name.clone(),
                pattern: pattern.clone(),
                source,
            })
        };
        let zone = match &job.location {
            None => Zone::host(),
            Some(name) => {
                Zone::named(name).map_err(|error| Error::Zone { job: job.name.clone(), what: error.to_string() })?
            }
        };
        let mut labels = everywhere.clone();
        labels.set("job", &job.name);
        for (name, value) in job.labels.iter() {
            labels.set(name, value);
        }
        Ok(Self {
            paths: job.paths.iter().map(|pattern| parse(pattern, job.hidden)).collect::<Result<_, _>>()?,
            exclude: job.exclude.iter().map(|pattern| parse(pattern, true)).collect::<Result<_, _>>()?,
            zone,
            labels,
            job: job.clone(),
        })
    }

    /// The labels of the stream of one file.
    pub(super) fn labels_of(&self, path: &Path) -> LabelSet {
        let mut labels = self.labels.clone();
        if labels.get("filename").is_none() {
            labels.set("filename", &path.to_string_lossy());
        }
        labels
    }

    /// Whether a path is among the job's, by name alone.
    pub(super) fn selects(&self, path: &Path) -> bool {
        self.paths.iter().any(|pattern| pattern.matches(path))
            && !self.exclude.iter().any(|pattern| pattern.matches(path))
    }

    /// Whether the job does not run on this host, because a file that makes it unnecessary exists.
    pub(super) fn is_off(&self) -> bool {
        self.job.unless_exists.iter().any(|path| path.exists())
    }
}
