//! A job as the collector uses it: patterns parsed, zone loaded, rules ready for the labels of each file.

use std::path::Path;

use super::{Error, Job, Options, Pattern, container, identity::Mark, relabel, timestamp::Zone};
use crate::labels::LabelSet;

/// A job, ready to be used.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) job: Job,
    pub(super) paths: Vec<Pattern>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) zone: Zone,
    /// The same number for the same stages, also in another run of the program.
    pub(super) pipeline: u64,
    /// Labels of the job's streams, but for the file name.
    pub(super) labels: LabelSet,
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
            pipeline: Mark::of(format!("{:?}", (&job.stages, &job.location)).as_bytes()).hash,
            labels,
            job: job.clone(),
        })
    }

    /// The labels of the stream of one file; `None` if a rule leaves the file out.
    pub(super) fn labels_of(&self, path: &Path) -> Option<LabelSet> {
        let mut labels = self.labels.clone();
        if labels.get("filename").is_none() {
            labels.set("filename", &path.to_string_lossy());
        }
        if let Some(container) = &self.job.container {
            for (name, value) in container::labels(path, container) {
                labels.set(&name, &value);
            }
        }
        if let Some(expression) = &self.job.path_labels {
            let text = path.to_string_lossy();
            let mut places = expression.regex().locations();
            if expression.regex().captures_at(&mut places, &text, 0) {
                for (group, name) in expression.named() {
                    labels.set(name, places.get(group).map_or("", |(start, end)| &text[start..end]));
                }
            }
        }
        if self.job.relabel.is_empty() {
            return Some(labels);
        }
        self.add_internal(path, &mut labels);
        let kept = relabel::apply(&self.job.relabel, &mut labels);
        relabel::without_internal(&mut labels);
        (kept && !labels.is_empty()).then_some(labels)
    }

    /// What rules may want to know about a file.
    fn add_internal(&self, path: &Path, labels: &mut LabelSet) {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let pattern = self.paths.iter().zip(&self.job.paths).find(|(pattern, _)| pattern.matches(path));
        let target = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
        for (name, value) in [
            ("__path__", pattern.map(|(_, text)| text.clone())),
            ("__file__", path.file_name().map(|name| name.to_string_lossy().into_owned())),
            ("__dir__", path.parent().map(text)),
            ("__meta_symlink_target", target.as_deref().map(text)),
        ] {
            labels.set(name, &value.unwrap_or_default());
        }
    }

    /// Whether a path is among the job's, by name alone.
    pub(super) fn selects(&self, path: &Path) -> bool {
        self.paths.iter().any(|pattern| pattern.matches(path))
            && !self.exclude.iter().any(|pattern| pattern.matches(path))
            && self.keeps(path)
    }

    /// Whether no rule leaves a file out.
    pub(super) fn keeps(&self, path: &Path) -> bool {
        self.job.relabel.is_empty() || self.labels_of(path).is_some()
    }

    /// Whether the job does not run on this host, because a file that makes it unnecessary exists.
    pub(super) fn is_off(&self) -> bool {
        self.job.unless_exists.iter().any(|path| path.exists())
    }
}
